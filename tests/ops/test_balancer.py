"""The balancer's file, read by a real HAProxy in front of two real hubs: who gets a stream, and what an open socket survives."""

import asyncio
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from clients.commands.demo import free_port
from tests.house import House, house
from tests.media import CONNECTED, media, start, stop

CONFIGURATION = Path(__file__).parents[2] / "hub" / "deploy" / "haproxy.cfg"
MISSING = shutil.which("haproxy") is None
pytestmark = pytest.mark.skipif(MISSING, reason="needs Debian's haproxy")

CHECKS_OFTEN, CHECKS_NEVER = "100ms", "1h"


class Balancer:
    """HAProxy with the file that compose gives it, and the addresses of two hubs of the test in it."""

    def __init__(self, folder: Path, homes: list[House], checks: str) -> None:
        self.port = free_port(0)
        self.process: asyncio.subprocess.Process
        self.socket = folder / "haproxy.sock"
        """Where the process that carries connections takes commands."""
        self.file = folder / "haproxy.cfg"
        text = CONFIGURATION.read_text().replace("bind :5000", f"bind 127.0.0.1:{self.port}")
        text = text.replace("global\n", f"global\n    stats socket {self.socket}\n").replace("inter 1s", f"inter {checks}")
        text = re.sub(r"^    server hub-3 .*\n", "", text, flags=re.MULTILINE)
        for name, home in zip(("hub:5000", "hub-2:5000"), homes, strict=True):
            text = text.replace(f" {name}\n", f" 127.0.0.1:{home.port}\n")
        self.file.write_text(text)

    async def ask(self, command: str) -> str:
        """Give HAProxy a command of its own, as soon as it takes any."""
        while True:
            assert self.process.returncode is None, "HAProxy does not take its file"
            try:
                reader, writer = await asyncio.open_unix_connection(self.socket)
                break
            except OSError:
                await asyncio.sleep(0.02)
        writer.write(command.encode() + b"\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    async def ready(self, *names: str) -> None:
        """Wait until exactly these servers get new streams."""
        while {row.split()[3] for row in await self._servers() if row.split()[5] == "2"} != set(names):
            await asyncio.sleep(0.02)

    async def _servers(self) -> list[str]:
        return [line for line in (await self.ask("show servers state ready")).splitlines() if " ready " in line]

    async def reload(self) -> None:
        """Have HAProxy read its file again, and wait until a new process has it beside the one that carries the old sockets.

        HAProxy has no ear for the signal in its first moments, so it is sent until it is heard.
        """
        before = self._workers()
        while not self._workers() - before:
            self.process.send_signal(signal.SIGUSR2)
            for _ in range(20):
                await asyncio.sleep(0.02)
                if self._workers() - before:
                    break
        await self.ask("show info")
        assert before <= self._workers(), "the process that carries the old sockets is there"

    def _workers(self) -> set[str]:
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@asynccontextmanager
async def balanced(folder: Path, *homes: House, checks: str = CHECKS_OFTEN) -> AsyncIterator[Balancer]:
    """Run HAProxy in front of two hubs."""
    balancer = Balancer(folder, list(homes), checks)
    quiet = asyncio.subprocess.DEVNULL
    balancer.process = await asyncio.create_subprocess_exec("haproxy", "-W", "-db", "-f", balancer.file, stdout=quiet, stderr=quiet)
    try:
        await balancer.ask("show info")
        yield balancer
    finally:
        balancer.process.terminate()
        await balancer.process.wait()


async def stream(session: aiohttp.ClientSession, port: int, call: str) -> aiohttp.ClientWebSocketResponse:
    """Bring a call to a port, as Twilio does."""
    socket = await session.ws_connect(f"http://127.0.0.1:{port}/twilio", compress=0)
    await socket.send_str(CONNECTED)
    await socket.send_str(start(call, call.replace("CA", "MZ")))
    return socket


async def live(home: House, calls: int) -> None:
    while home.state.calls.live != calls:
        await asyncio.sleep(0.01)


def sid(number: int) -> str:
    return f"CA{number:032x}"


async def test_a_node_that_is_not_ready_gets_no_new_stream_and_gets_them_again_when_it_is(tmp_path: Path) -> None:
    async with house(calls=1) as small, house() as large, balanced(tmp_path, small, large) as balancer:
        await balancer.ready("hub-1", "hub-2")
        only = await stream(small.session, small.port, sid(1))
        await balancer.ready("hub-2")
        for number in (2, 3, 4):
            await stream(small.session, balancer.port, sid(number))
        await live(large, 3)
        assert small.state.calls.live == 1
        assert not small.state.counters.refused, "it was not even tried"
        await only.send_str(stop())
        await balancer.ready("hub-1", "hub-2")
        await stream(small.session, balancer.port, sid(5))
        await live(small, 1)


async def test_an_upgrade_that_a_node_refuses_with_503_is_sent_to_another_one(tmp_path: Path) -> None:
    async with house(calls=1) as small, house() as large, balanced(tmp_path, small, large, checks=CHECKS_NEVER) as balancer:
        await stream(small.session, small.port, sid(1))
        await live(small, 1)
        for number in (2, 3, 4):
            await stream(small.session, balancer.port, sid(number))
        await live(large, 3)
        assert sum(small.state.counters.refused.values()) > 0, "the balancer believed that it is ready, and tried it"


async def test_streams_go_to_the_node_that_has_the_fewest(tmp_path: Path) -> None:
    async with house() as one, house() as other, balanced(tmp_path, one, other) as balancer:
        for number in range(6):
            await stream(one.session, balancer.port, sid(number))
        await live(one, 3)
        await live(other, 3)


async def test_an_open_socket_survives_a_reload_of_the_balancer(tmp_path: Path) -> None:
    async with house() as one, house() as other, balanced(tmp_path, one, other) as balancer:
        socket = await stream(one.session, balancer.port, sid(1))
        await balancer.reload()
        await stream(one.session, balancer.port, sid(2))
        await socket.send_str(media("inbound", 0))
        await either(one, other)
        await socket.send_str(stop())
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1000


async def either(*homes: House) -> None:
    """Wait until a frame has arrived at one of the hubs."""
    while not sum(home.state.counters.frames for home in homes):
        await asyncio.sleep(0.01)


async def test_a_caller_is_still_told_how_to_go_on_when_no_node_is_ready(tmp_path: Path) -> None:
    full = {"calls": 1, "dial": "+15005550006", "public_url": "https://hub.example.com", "open": True}
    async with house(**full) as one, house(**full) as other, balanced(tmp_path, one, other) as balancer:
        for number, home in enumerate((one, other)):
            await stream(home.session, home.port, sid(number))
        await balancer.ready()
        form = {"CallSid": sid(9), "AccountSid": "AC" + "0" * 32, "From": "+15005550006", "To": "+15005550006", "Direction": "inbound"}
        async with one.session.post(f"http://127.0.0.1:{balancer.port}/twiml", data=form) as answer:
            assert answer.status == 200
            assert "<Stream" not in await answer.text()


async def test_a_node_that_is_gone_costs_no_stream(tmp_path: Path) -> None:
    async with house() as home:
        gone = House(home.state, free_port(0), home.session, [])
        async with balanced(tmp_path, gone, home, checks=CHECKS_NEVER) as balancer:
            for number in range(4):
                await stream(home.session, balancer.port, sid(number))
            await live(home, 4)


async def test_the_hub_knows_the_address_of_who_connects_and_nobody_outside_reads_the_metrics(tmp_path: Path) -> None:
    async with house(proxies="127.0.0.1") as one, house(proxies="127.0.0.1") as other, balanced(tmp_path, one, other) as balancer:
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=connector) as away:
            socket = await away.ws_connect(f"http://127.0.0.1:{balancer.port}/client", compress=0)
            await socket.receive()
            assert dict(one.state.addresses + other.state.addresses) == {"127.0.0.2": 1}
            async with away.get(f"http://127.0.0.1:{balancer.port}/metrics") as answer:
                assert answer.status == 404
            await socket.close()
