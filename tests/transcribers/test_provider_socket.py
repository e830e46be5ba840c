"""What a provider can make the hub do: some work per turn of the event loop, and not without end."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from hub.errors import ProviderError
from hub.transcribers import provider_socket
from hub.transcribers.connection import ProviderConnection, dial
from hub.transcribers.fallback import Fallback
from hub.transcribers.provider_socket import BURST_UNITS, FLOODED, SLICE_BYTES, ProviderSocket
from hub.transcribers.transcriber import Lost, Switched
from hub.transcribers.utterances import NotTranscribed
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import BEGIN, METADATA, puppet, results
from tests.providers.vendors import DEEPGRAM, MIXED, SEPARATE, Vendor
from tests.transcribers.runs import CALL, CALLER, push, running, texts, told, transcribed, words


def frames(*each: tuple[Opcode, bytes]) -> bytes:
    """Return frames as a server writes them. A continuation is one that does not end its message."""
    return b"".join(Frame(opcode, data, fin=opcode is not Opcode.CONT).serialize(mask=False) for opcode, data in each)


@asynccontextmanager
async def connected(payload: bytes, take: Callable[[bytes], None]) -> AsyncIterator[tuple[ProviderSocket, ProviderConnection]]:
    """A connection to a server that writes this at once, when it is told to go, and closes."""

    async def write(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.write(payload)
        await socket.close()

    async with puppet(write) as url:
        socket = await dial("Deepgram", url, {}, 5.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
        yield socket, ProviderConnection(socket, take, 0.0)


async def received(payload: bytes, turns: list[int] | None = None) -> list[bytes]:
    """Return the messages that arrive when a server writes this at once and closes; note in which turn of the event loop each one did."""
    messages, turn = [], itertools.count()
    now = 0

    def take(text: bytes) -> None:
        messages.append(text)
        if turns is not None:
            turns.append(now)

    def count() -> None:
        nonlocal now
        now = next(turn)
        loop.call_soon(count)

    loop = asyncio.get_running_loop()
    async with connected(payload, take) as (socket, connection):
        loop.call_soon(count)
        connection.send("go", 0.0)
        with pytest.raises(ConnectionClosed):
            await connection.closed()
        assert not socket.flooded
    return messages


async def test_messages_that_come_at_once_arrive_in_order_and_whole_before_the_close() -> None:
    sent = [str(number).encode() * (number % 700) for number in range(1, 1500)]
    assert await received(frames(*((Opcode.TEXT, each) for each in sent))) == sent


async def test_one_turn_of_the_event_loop_takes_a_slice_once_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_socket, "TURN_SECONDS", 0.0)
    turns: list[int] = []
    assert len(await received(frames(*[(Opcode.TEXT, b"x" * 500)] * 1000), turns)) == 1000
    most = max(len(list(group)) for _, group in itertools.groupby(turns))
    assert most <= SLICE_BYTES // 500 + 1


async def test_what_waits_for_its_turn_is_a_read_or_two_however_much_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_socket, "TURN_SECONDS", 0.0)
    waiting: list[int] = []
    async with connected(frames(*[(Opcode.TEXT, b"x" * 1000)] * 4500), lambda _: waiting.append(len(socket._unparsed))) as (
        socket,
        connection,
    ):
        connection.send("go", 0.0)
        with pytest.raises(ConnectionClosed):
            await connection.closed()
    assert len(waiting) == 4500
    assert max(waiting) <= 600_000, "a read brings 256 KB"


async def test_who_sent_a_burst_may_go_on_at_the_pace_that_is_no_flood() -> None:
    messages: list[bytes] = []
    async with connected(frames(*[(Opcode.TEXT, b"x")] * 400), messages.append) as (socket, connection):
        socket._units = 0.0
        socket._counted_at -= 1.0
        connection.send("go", 0.0)
        with pytest.raises(ConnectionClosed):
            await connection.closed()
    assert (len(messages), socket.flooded) == (400, False)


async def test_messages_are_not_held_back_while_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_socket, "TURN_SECONDS", 3600.0)
    turns: list[int] = []
    await received(frames(*[(Opcode.TEXT, b"x" * 500)] * 100), turns)
    assert len(set(turns)) <= 2, "50 KB are one read or two"


FLOODS = [
    pytest.param(lambda: [(Opcode.TEXT, results("so", 0.0, 0.2, final=False).encode())] * 100, id="messages"),
    pytest.param(lambda: [(Opcode.TEXT, b"{}")] * 100, id="messages of nothing"),
    pytest.param(lambda: [(Opcode.PING, b"")] * 1000, id="pings"),
    pytest.param(lambda: [(Opcode.PONG, b"x" * 125)] * 100, id="pongs"),
    pytest.param(lambda: [(Opcode.CONT, b"")] * 1000, id="fragments of nothing"),
    pytest.param(lambda: [(Opcode.BINARY, b"")] * 100, id="binary messages"),
    pytest.param(lambda: [(Opcode.TEXT, b'{"x":"' + b"x" * 900_000 + b'"}')], id="large messages"),
]


@pytest.mark.parametrize("vendor", [DEEPGRAM, SEPARATE, MIXED], ids=lambda vendor: vendor.name)
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_the_session_in_words_and_the_fallback_takes_over(
    vendor: Vendor, flood: Callable[[], list[tuple[Opcode, bytes]]]
) -> None:
    visits = 0

    async def pour(socket: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await socket.send(BEGIN)
        wave = frames(*flood())
        if wave[0] == Opcode.CONT:
            socket.transport.write(Frame(Opcode.TEXT, b"", fin=False).serialize(mask=False))
        while not socket.transport.is_closing():
            socket.transport.write(wave)
            await asyncio.sleep(0)

    async with puppet(pour) as url, FakeDeepgram() as fake:
        transcriber = Fallback(vendor.open(url), lambda: DEEPGRAM.open(fake.url))
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            transcriber.finish()
    assert run.result() is True
    assert [lost.reason for lost in told(reports, Lost)] == [FLOODED]
    assert told(reports, Lost)[0].attempt == 0
    assert len(told(reports, Switched)) == 1
    assert words(reports) == texts(CALLER)


async def test_without_a_fallback_the_audio_after_a_flood_is_reported_as_not_transcribed() -> None:
    async def pour(socket: ServerConnection) -> None:
        while not socket.transport.is_closing():
            socket.transport.write(frames(*[(Opcode.PING, b"")] * 1000))
            await asyncio.sleep(0)

    async with puppet(pour) as url:
        reports, complete = await transcribed(Fallback(DEEPGRAM.open(url), None), CALL)
    assert not complete
    assert {gap.end for gap in told(reports, NotTranscribed)} == {5.0}


async def test_a_burst_that_a_provider_may_send_is_no_flood() -> None:
    async def hurry(socket: ServerConnection) -> None:
        async for message in socket:
            if isinstance(message, str):
                for _ in range(BURST_UNITS - 100):
                    await socket.send(results("so", 0.0, 0.2, final=False))
                await socket.send(METADATA)

    async with puppet(hurry) as url:
        _, complete = await transcribed(DEEPGRAM.open(url), CALL)
    assert complete
