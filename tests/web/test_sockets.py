"""The hub's side of a WebSocket: ended from outside, honest about big messages, and with frames taken inside the socket's read."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSMsgType, web

from hub.web.sockets import FrameSocket, HubSocket, Interruption, UnacknowledgedBytes
from tests.frames import CLOSE, TEXT, frame, knock

Door = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(door: Door) -> AsyncIterator[int]:
    """Serve one door at /client; give the port."""
    app = web.Application()
    app.router.add_get("/client", door)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/client") as peer:
        yield peer


def hub_socket() -> HubSocket:
    return HubSocket(max_msg_size=100, heartbeat=None, close_seconds=1.0)


async def test_an_interruption_ends_a_pending_receive_and_later_messages_are_not_lost_before_it() -> None:
    received: list[object] = []

    async def door(request: web.Request) -> web.StreamResponse:
        mine = hub_socket()
        await mine.prepare(request)
        received.append((await mine.receive()).data)
        asyncio.get_running_loop().call_soon(mine.interrupt, 4409, "stopping")
        message = await mine.receive()
        assert message.type is WSMsgType.ERROR
        received.append(message.data)
        await mine.close(code=message.data.code, message=message.data.reason.encode())
        return mine

    async with serving(door) as port, connected(port) as peer:
        await peer.send_str("hello")
        goodbye = await peer.receive()
        assert (goodbye.data, goodbye.extra) == (4409, "stopping")
    assert received == ["hello", Interruption(4409, "stopping")]


async def test_an_interruption_that_comes_first_is_kept_for_the_next_receive() -> None:
    async def door(request: web.Request) -> web.StreamResponse:
        mine = hub_socket()
        mine.interrupt(4000, "before it is open: nobody receives")
        await mine.prepare(request)
        mine.interrupt(4001, "kept")
        message = await mine.receive()
        await mine.close(code=message.data.code)
        return mine

    async with serving(door) as port, connected(port) as peer:
        assert (await peer.receive()).data == 4001


async def test_a_peer_that_sends_too_much_at_once_can_read_why_it_is_closed() -> None:
    """A connection closed while the peer still sends would be reset, and the close frame with it."""

    async def door(request: web.Request) -> web.StreamResponse:
        mine = hub_socket()
        await mine.prepare(request)
        async for _ in mine:
            pass
        return mine

    async with serving(door) as port, knock(port) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(b"x" * 200_000))
        head = await reader.readexactly(4)
        assert head[0] & 15 == CLOSE
        assert int.from_bytes(head[2:4], "big") == 1009
        assert await reader.readexactly(head[1] - 2) == b"a message may have 100 bytes"


async def test_frames_are_taken_in_order_while_the_sockets_task_does_something_else() -> None:
    taken: list[tuple[bytes, bool]] = []
    enough, may_end = asyncio.Event(), asyncio.Event()

    def take(data: bytes, is_text: bool) -> None:
        taken.append((bytes(data), is_text))
        if len(taken) == 3:
            enough.set()

    async def door(request: web.Request) -> web.StreamResponse:
        mine = FrameSocket(take, max_msg_size=100, close_seconds=1.0)
        await mine.prepare(request)
        await may_end.wait()
        assert (await mine.receive()).type is WSMsgType.CLOSE, "pings and data frames never reach receive()"
        return mine

    async with serving(door) as port, connected(port) as peer:
        await peer.send_str("one")
        await peer.send_bytes(b"\x02")
        await peer.ping()
        await peer.send_str("drei \N{BUTTERFLY}")
        await enough.wait()
        may_end.set()
    assert taken == [(b"one", True), (b"\x02", False), ("drei \N{BUTTERFLY}".encode(), True)]


async def test_frames_that_came_with_the_handshake_are_taken_too() -> None:
    taken: list[bytes] = []
    enough = asyncio.Event()

    def take(data: bytes, _: bool) -> None:
        taken.append(bytes(data))
        if len(taken) == 2:
            enough.set()

    async def door(request: web.Request) -> web.StreamResponse:
        mine = FrameSocket(take, max_msg_size=100, close_seconds=1.0)
        await mine.prepare(request)
        await enough.wait()
        return mine

    whole = frame("first", TEXT) + frame("second", TEXT)
    async with serving(door) as port, knock(port, whole[:-3]) as (_, writer):
        while not taken:
            await asyncio.sleep(0)
        writer.write(whole[-3:])
        await enough.wait()
    assert taken == [b"first", b"second"]


async def test_no_message_is_compressed() -> None:
    async def door(request: web.Request) -> web.StreamResponse:
        mine = hub_socket()
        await mine.prepare(request)
        await mine.close()
        return mine

    async with serving(door) as port, aiohttp.ClientSession() as session:
        peer = await session.ws_connect(f"http://127.0.0.1:{port}/client", compress=15)
        assert peer.compress == 0
        await peer.close()


async def test_the_kernel_drops_a_peer_that_acknowledges_nothing() -> None:
    options: list[int] = []

    async def door(request: web.Request) -> web.StreamResponse:
        mine = hub_socket()
        await mine.prepare(request)
        assert request.transport is not None
        options.append(request.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        await mine.close()
        return mine

    async with serving(door) as port, connected(port) as peer:
        await peer.receive()
    assert options == [30_000]


def test_what_a_peer_has_yet_to_acknowledge_is_what_its_kernel_has_no_room_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    with ours, theirs:
        unacknowledged = UnacknowledgedBytes(ours)
        assert unacknowledged.count() == 0
        ours.setblocking(False)
        sent = 0
        try:
            while True:
                sent += ours.send(b"x" * 65536)
        except BlockingIOError:
            pass
        waiting = unacknowledged.count()
        assert 0 < waiting < sent
        while sent:
            sent -= len(theirs.recv(1 << 20))
        while unacknowledged.count():
            pass
    assert unacknowledged.count() == 0, "a closed socket owes nothing"
    assert UnacknowledgedBytes(None).count() == 0


async def test_a_closed_socket_leaves_no_heartbeat_timer_behind() -> None:
    sockets: list[HubSocket] = []

    async def door(request: web.Request) -> web.StreamResponse:
        mine = HubSocket(max_msg_size=100, heartbeat=3600.0, close_seconds=5.0)
        await mine.prepare(request)
        sockets.append(mine)
        await mine.close()
        return mine

    async with serving(door) as port, connected(port) as peer:
        await peer.receive()
        while not sockets or not sockets[0].closed or sockets[0].close_code is None:
            await asyncio.sleep(0)
        await peer.close()
    assert sockets[0]._heartbeat_cb is None
