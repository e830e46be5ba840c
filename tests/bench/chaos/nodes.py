"""The nodes of a cluster: hub processes with fixed names and ports, each of which is killed, stopped and started again."""

import asyncio
import signal
from contextlib import suppress

import aiohttp

from tests.bench.chaos.forking import Forking
from tests.bench.chaos.servers import port_below_others
from tests.bench.chaos.way import Way
from tests.bench.hub_process import HubProcess, spawned
from tests.bench.load import cpu_seconds

ALARMS = ("Traceback", " ERROR ", " CRITICAL ")
"""What no line of a hub's log may contain."""

STARTING_SECONDS = 60.0
"""How long a node may take to listen."""


class ClusterNode:
    """One place in a cluster. The process there is another one after each start."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.process = HubProcess()
        self.alarms: list[str] = []
        """Lines of logs that should not be."""
        self.log: list[str] = []
        """What all earlier processes said."""
        self.settings: dict[str, str] = {}
        self._forking: Forking | None = None

    def prepare(self, group: asyncio.TaskGroup, settings: dict[str, str], forking: Forking | None) -> None:
        """Make ready to start. `forking`: from where it is forked. None: it is started by its command each time."""
        self._group = group
        self._forking = forking
        self.settings = settings | {"HUB_PORT": str(self.port)} | ({"HUB_NODE": self.name} if "HUB_BROKER" in settings else {})

    async def start(self, way: Way) -> None:
        """Start it; return when it listens."""
        self.process = self._forking.start(self.settings) if self._forking else await spawned(self._group, **self.settings)
        with suppress(TimeoutError):
            async with asyncio.timeout(STARTING_SECONDS):
                await self.process.listens.wait()
        if self.process.gone.is_set() or not self.process.listens.is_set():
            raise RuntimeError(f"node {self.name} does not start:\n" + "".join(self.process.said))
        way.up.add(self.name)

    async def kill(self, way: Way) -> None:
        """Kill it; return when it is gone."""
        way.disturbed.add(self.name)
        way.up.discard(self.name)
        while not self.process.gone.is_set():  # its number is not known before it has said it
            self.process.signal(signal.SIGKILL)
            await asyncio.sleep(0.001)
        self.look()

    @property
    def said(self) -> list[str]:
        """What all processes said there."""
        return self.log + self.process.said

    def look(self) -> None:
        """Look for alarms in what it said. Called once for each process."""
        self.log += [f"---- {self.name} ----\n", *self.process.said]
        self.alarms += [f"{self.name}: {line}" for line in self.process.said if any(each in line for each in ALARMS)]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process that runs there now."""
        return cpu_seconds([self.process.pid])

    def stop(self) -> None:
        """Let nothing run there any more."""
        self.process.signal(signal.SIGKILL)


def made(count: int) -> list[ClusterNode]:
    """Return places for so many nodes."""
    return [ClusterNode(f"node-{letter}", port_below_others()) for letter in "abcdefgh"[:count]]


async def answers(session: aiohttp.ClientSession, port: int) -> bool:
    """Return whether a node takes new calls, or whether a balancer has a node that does."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz", timeout=aiohttp.ClientTimeout(total=1)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def figures(session: aiohttp.ClientSession, port: int) -> dict[str, float]:
    """Return a node's metrics, by name and labels as Prometheus writes them. Empty if it does not answer."""
    try:
        async with session.get(f"http://127.0.0.1:{port}/metrics", timeout=aiohttp.ClientTimeout(total=5)) as answer:
            lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if line and line[0] != "#"]
    except (aiohttp.ClientError, TimeoutError):
        return {}
    return {name: float(value) for name, _, value in lines}
