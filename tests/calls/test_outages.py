"""Archives that fail under a live call: it goes on, whoever follows it is told everything at once, and in the end all of it is stored."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
import pytest

from clients.commands.demo import free_port
from hub.archive.archive import StoredLog
from hub.archive.mark import BehindMark, mark_of
from hub.archive.opening import open_archive
from tests.archive.postgres_server import PostgresServer, postgres_or_skip
from tests.bench.hub_process import HubProcess, deepgram, spawned
from tests.bench.witnesses import Seen, Witness
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, PhoneCall, fake_twilio

HUB = "hub.example.com"

pytestmark = [pytest.mark.timeout(120), pytest.mark.one_python]  # a process is started for each, and outages last


@dataclass
class Stage:
    """A hub in a process of its own, a call, and somebody who follows it."""

    place: str
    twilio: FakeTwilio
    group: asyncio.TaskGroup
    settings: dict[str, str]
    port: int = field(default_factory=lambda: free_port(0))
    seen: Seen = field(default_factory=Seen)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> HubProcess:
        """Start a hub, and return once it listens."""
        hub = await spawned(self.group, HUB_PORT=str(self.port), HUB_ARCHIVE=self.place, **self.settings)
        await hub.listens.wait()
        assert not hub.gone.is_set(), hub.said
        return hub

    async def ring(self) -> PhoneCall:
        """Begin a call that is followed to its end."""
        call = self.twilio.ring()
        self.twilio.ports[HUB] = self.port
        await call.answer(f"http://{HUB}/twiml")
        await self.until("is live", lambda told: f'"{call.sid}"' in told, "/calls")
        witness = Witness(f"ws://127.0.0.1:{self.port}/client", self.seen, Random(1))
        self.group.create_task(witness.run(self.over))
        return call

    async def hear(self, count: int) -> None:
        """Return once so many more events were seen."""
        until = self.seen.events + count
        while self.seen.events < until:
            await asyncio.sleep(0.02)

    async def until(self, _: str, fact: Callable[[str], bool], path: str = "/metrics") -> str:
        """Return what an address of the hub answers, once that is a fact."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                    if fact(told := await answer.text()):
                        return told
                await asyncio.sleep(0.02)

    async def level(self) -> None:
        """Return once everything is stored."""
        await self.until("everything is stored", lambda told: "hub_archive_behind 0" in told and "hub_archive_unstored 0" in told)

    def stored(self, call: PhoneCall) -> StoredLog:
        archive = open_archive(self.place, alone=False)
        try:
            log = archive.log(call.sid)
        finally:
            archive.close()
        assert log is not None
        return log

    async def end(self, hub: HubProcess, call: PhoneCall) -> None:
        """Let the call end, and check that all that was seen of it is stored, in its order, under one epoch."""
        self.over.set()
        await call.hang_up()
        while call.sid not in self.seen.ended:
            await asyncio.sleep(0.02)
        await self.level()
        log = self.stored(call)
        assert self.seen.logs == {(call.sid, log.call.epoch): log.payloads}
        assert not self.seen.faults, self.seen.examples
        hub.signal(15)
        await hub.gone.wait()
        assert not any("Traceback" in line for line in hub.said), hub.said


@asynccontextmanager
async def stage(place: str) -> AsyncIterator[Stage]:
    async with deepgram() as provider, fake_twilio() as twilio, asyncio.TaskGroup() as group:
        settings = {
            "DEEPGRAM_API_KEY": "key-of-deepgram", "DEEPGRAM_URL": provider, "HUB_PUBLIC_URL": f"http://{HUB}",
            "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": twilio.url, "HUB_DRAIN_SECONDS": "0",
        }  # fmt: skip
        yield Stage(place, twilio, group, settings)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_or_skip() as server:
        yield server


@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_a_database_that_is_away_delays_nobody_and_gets_everything_later(server: PostgresServer, way: str) -> None:
    async with stage(server.schema()) as scene:
        hub = await scene.start()
        call = await scene.ring()
        await scene.hear(3)
        await asyncio.to_thread(server.stop, kill=way == "killed")
        try:
            await scene.hear(10)
            assert not BehindMark(mark_of(scene.place)).trusted, "if it died now, positions could not be believed"
            assert "the archive cannot be written" in await scene.until("it says so", lambda told: "archive" in told, "/readyz")
        finally:
            await asyncio.to_thread(server.start)
        await scene.level()
        await scene.hear(3)
        await scene.end(hub, call)


async def test_a_file_that_is_deleted_is_made_again_with_all_of_the_calls_that_go_on(tmp_path: Path) -> None:
    async with stage(str(tmp_path / "calls.db")) as scene:
        hub = await scene.start()
        call = await scene.ring()
        await scene.hear(3)
        for file in tmp_path.glob("calls.db*"):
            if not file.name.endswith(("-lock", "-mark")):
                file.unlink()
        await scene.hear(5)
        await scene.end(hub, call)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def test_a_full_disk_delays_nobody_and_gets_everything_when_there_is_room(small_disk: Path) -> None:
    async with stage(str(small_disk / "calls.db")) as scene:
        hub = await scene.start()
        call = await scene.ring()
        await scene.hear(3)
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        told = await scene.until("it says so", lambda told: "archive" in told, "/readyz")
        assert "the disk is full" in told or "fails or is full" in told
        await scene.hear(10)
        filler.unlink()
        await scene.level()
        await scene.hear(3)
        await scene.end(hub, call)


@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM"])
async def test_a_hub_that_ends_at_once_after_its_call_was_told_goes_on_with_it(tmp_path: Path, way: str) -> None:
    async with stage(str(tmp_path / "calls.db")) as scene:
        hub = await scene.start()
        call = await scene.ring()
        await scene.hear(1)
        hub.signal(9 if way == "SIGKILL" else 15)
        await hub.gone.wait()
        hub = await scene.start()
        await scene.hear(5)
        await scene.end(hub, call)
