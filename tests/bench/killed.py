"""Does a hub that is killed lose anything that anybody saw? `kill -9` under live calls and subscribers, hundreds of times, and counted.

    python -m tests.bench.killed --kills 300 --archive postgresql

A real hub has 20 live calls of a pretend Twilio, each with a word every half second, 60 subscribers that follow three calls each, and four
that follow all calls over `GET /events`. It is killed in the middle of commits, when calls have just begun or are ending, while it seals,
while it starts, or at any moment, and started again at once. Subscribers come back with their positions. In the end every event that any
of them saw has to be in the archive, and in a replay over /client, once, with the same bytes at the same offset of the same epoch.

A hub that dies while it is *behind* has told more than it has stored. Then a new epoch with all that is stored is right, and so is
`whole: false`.
These kills are counted apart. Each hub is a process of its own that is forked from one which has done the imports, so that a kill costs no
second. With `--cold` every one is started as `python -m hub serve`.

Prints the counts, writes them with every kill and the seed to a file, and exits with 1 if there was any fault.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop

from clients.commands.demo import free_port
from hub.archive.mark import BehindMark, mark_of
from tests.bench.hub_process import HubProcess, archive, deepgram, hubs, spawned
from tests.bench.verdict import LeftBehind, judge, left_behind
from tests.bench.witnesses import Seen, StreamWitness, Witness
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, PhoneCall, fake_twilio

CALLS, SUBSCRIBERS, STREAMS = 20, 60, 4

LENGTHS = (2.0, 12.0)
"""How long a call lasts, in seconds in which there is a hub: it is there for several kills."""

START_SECONDS = 0.4
"""A hub that is killed while it starts is killed within so long."""

TICK_SECONDS = 0.2
"""How often a call looks whether it is over."""

NOWHERE_SECONDS = 2.0
"""A call without a stream for so long is hung up: the hub died before it had stored that there is such a call, so nobody asks for it."""

HUB = "hub.example.com"
"""As what Twilio knows the hub."""

MOMENTS = {"any moment": 6, "commit": 5, "calls begin": 3, "calls end": 3, "sealing": 2, "start": 3}
"""When a hub is killed, and how often that is chosen."""


@dataclass
class Tally:
    """What was counted."""

    seed: int
    archive: str
    kills: Counter[str] = field(default_factory=Counter)
    behind: int = 0
    """Kills of hubs that were behind."""
    calls: int = 0
    never_stored: int = 0
    """Calls of which nothing was stored, or told, when the hub died."""
    events: int = 0
    received: int = 0
    resumed: int = 0
    not_whole: int = 0
    new_epochs: int = 0
    gaps: int = 0
    back_seconds: list[float] = field(default_factory=list)
    """From the start of a hub until all subscribers have subscribed again."""
    listening_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    timeline: list[dict[str, object]] = field(default_factory=list)

    def __str__(self) -> str:
        moments = ", ".join(f"{moment} {count}" for moment, count in sorted(self.kills.items()))
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items())) or "none"
        return (
            f"{self.archive}: {self.kills.total()} kills in {self.seconds:.0f} s ({moments}), seed {self.seed}\n"
            f"{self.calls:,} calls, {self.events:,} different events seen, {self.received:,} received by {SUBSCRIBERS} subscribers, "
            f"{self.gaps:,} gaps\n"
            f"positions that subscribers came back with: {self.resumed:,}, not whole: {self.not_whole}\n"
            f"killed while behind: {self.behind}, logs that got a new epoch by that: {self.new_epochs}; "
            f"calls that were not stored yet: {self.never_stored}\n"
            f"listening after {_spread(self.listening_seconds)}, all subscribers back after {_spread(self.back_seconds)}\n"
            f"faults: {faults}"
        )


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.2f} s (median), {ordered[-1]:.2f} s (longest)"


class Run:
    """One run of the proof."""

    def __init__(self, twilio: FakeTwilio, group: asyncio.TaskGroup, place: str, settings: dict[str, str], tally: Tally) -> None:
        self._twilio = twilio
        self._group = group
        self._place = place
        self._settings = settings
        self._tally = tally
        self._chance = random.Random(tally.seed)
        self._port = free_port(0)
        self._seen = Seen()
        self._over = asyncio.Event()
        """Set when no further call begins, and subscribers follow those that they follow to their ends."""
        self._reachable = asyncio.Event()
        """Set while a hub listens."""
        self._begin_one = asyncio.Event()
        """Set to let a call begin now."""
        self._calls: dict[str, PhoneCall] = {}
        """Live ones."""
        self._witnesses = [
            Witness(f"ws://127.0.0.1:{self._port}/client", self._seen, random.Random(tally.seed + number))
            if number < SUBSCRIBERS
            else StreamWitness(f"http://127.0.0.1:{self._port}/events", self._seen, random.Random(tally.seed + number))
            for number in range(SUBSCRIBERS + STREAMS)
        ]
        self._began = time.monotonic()
        self._kills: list[float] = []
        """Unix seconds of each."""
        self._left: list[LeftBehind] = []
        """What hubs had stored that died while they were behind."""
        twilio.ports[HUB] = self._port

    async def prove(self, kills: int, *, cold: bool) -> None:
        """Kill so many hubs, then let all calls end, and judge."""
        settings = self._settings | {"HUB_PORT": str(self._port), "HUB_ARCHIVE": self._place}
        warm = None if cold else await hubs(**settings)
        if warm is not None:
            self._group.create_task(warm.read())

        async def start() -> HubProcess:
            return await spawned(self._group, **settings) if warm is None else warm.start()

        try:
            async with asyncio.TaskGroup() as watching:
                for witness in self._witnesses:
                    watching.create_task(witness.run(self._over))
                ringing = watching.create_task(self._ring_all())
                while self._tally.kills.total() < kills:
                    await self._life(start)
                self._over.set()
                ringing.cancel()
                began, last = time.monotonic(), await start()
                await self._listening(last, began)
                for call in list(self._calls.values()):
                    watching.create_task(call.hang_up())
            await self._judge(last)
        finally:
            if warm is not None:
                warm.stop()

    async def _life(self, start: Callable[[], Awaitable[HubProcess]]) -> None:
        """Start a hub, kill it at a moment, and look what it left."""
        tally, chance, began = self._tally, self._chance, time.monotonic()
        moment = chance.choices(list(MOMENTS), list(MOMENTS.values()))[0] if self._kills else "commit"
        hub = await start()
        if moment == "start":
            await asyncio.sleep(chance.random() * START_SECONDS)
        else:
            await self._listening(hub, began)
            await self._moment(moment, began)
        self._reachable.clear()
        for witness in self._witnesses:
            witness.back.clear()
        self._kills.append(time.time())
        listened = hub.listens.is_set()
        while not hub.gone.is_set():
            hub.signal(signal.SIGKILL)
            await asyncio.sleep(0.001)
        tally.kills[moment] += 1
        said = [line for line in hub.said if "Traceback" in line or " ERROR " in line]
        for line in said:
            self._seen.fault("errors in the log", line)
        await asyncio.to_thread(self._after, moment, began, listened=listened)

    async def _listening(self, hub: HubProcess, began: float) -> None:
        await hub.listens.wait()
        if hub.gone.is_set():
            raise RuntimeError("the hub does not start:\n" + "".join(hub.said))
        self._tally.listening_seconds.append(time.monotonic() - began)
        self._reachable.set()

    async def _moment(self, moment: str, began: float) -> None:
        """Return when the hub is to be killed."""
        chance = self._chance
        if moment == "sealing":  # it begins as soon as the hub has started
            await asyncio.sleep(chance.random() * 0.15)
            return
        for witness in self._witnesses:
            await witness.back.wait()
        self._tally.back_seconds.append(time.monotonic() - began)
        match moment:
            case "commit":
                await self._event(chance.randint(1, 60))
            case "calls begin":
                self._begin_one.set()
                await asyncio.sleep(chance.random() * 0.1)
            case "calls end":
                call = chance.choice(list(self._calls.values()) or [None])
                if call is not None:
                    call.over.set()
                await asyncio.sleep(chance.random() * 0.1)
            case _:
                await asyncio.sleep(chance.random() * 1.5)

    async def _event(self, count: int) -> None:
        """Return right after so many new events were seen."""
        came, left = asyncio.Event(), count

        def seen() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                came.set()

        self._seen.on_event = seen
        with suppress(TimeoutError):
            async with asyncio.timeout(5):  # perhaps nobody speaks
                await came.wait()

    def _after(self, moment: str, began: float, *, listened: bool) -> None:
        """Look what a hub that was killed has left."""
        tally, seen = self._tally, self._seen
        behind = not BehindMark(mark_of(self._place)).trusted
        if behind:
            tally.behind += listened
            self._left += left_behind(self._place, seen)
        tally.timeline.append({
            "kill": len(self._kills), "at": round(time.monotonic() - self._began, 3), "moment": moment,
            "lived": round(time.monotonic() - began, 3), "listened": listened, "behind": behind, "live": len(self._calls),
            "events": seen.events,
        })  # fmt: skip

    async def _ring_all(self) -> None:
        """Keep so many calls live, until cancelled."""
        async with asyncio.TaskGroup() as calls:
            while True:
                self._begin_one.clear()
                while len(self._calls) < CALLS + self._begin_one.is_set():
                    call = self._twilio.ring()
                    self._calls[call.sid] = call
                    self._tally.calls += 1
                    calls.create_task(self._call(call))
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._begin_one.wait()

    async def _call(self, call: PhoneCall) -> None:
        """Hold one call to its end."""
        await self._answer(call)
        left, nowhere = self._chance.uniform(*LENGTHS), NOWHERE_SECONDS
        while left > 0 and nowhere > 0 and not call.over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await call.over.wait()
            if self._reachable.is_set():
                left -= TICK_SECONDS
                carried = any(stream.status == "in-progress" for stream in call.streams)
                nowhere = NOWHERE_SECONDS if carried or call.sid in self._seen.epochs else nowhere - TICK_SECONDS
        await call.hang_up()
        del self._calls[call.sid]

    async def _answer(self, call: PhoneCall) -> None:
        """Ask the hub what to do with a call, until there is a hub."""
        while True:
            await self._reachable.wait()
            with suppress(aiohttp.ClientError):
                status, twiml = await self._twilio.webhook(f"http://{HUB}/twiml", call.webhook())
                if status == 200:
                    call.go_on(twiml)
                    return
            await asyncio.sleep(0.05)

    async def _judge(self, hub: HubProcess) -> None:
        """Compare what was seen with what there is, and stop the hub."""
        tally, seen = self._tally, self._seen
        found = await judge(self._place, self._port, seen, self._left, self._kills)
        hub.signal(signal.SIGTERM)
        await hub.gone.wait()
        tally.never_stored = len(self._twilio.calls) - found.calls
        tally.gaps, tally.events, tally.received = found.gaps, seen.events, seen.received
        tally.resumed, tally.not_whole, tally.new_epochs = seen.resumed, seen.not_whole, len(seen.behind)
        tally.faults, tally.examples = seen.faults, seen.examples
        tally.seconds = time.monotonic() - self._began


async def prove(kills: int, kind: str, seed: int, *, cold: bool = False) -> Tally:
    """Kill so many hubs and return what was counted."""
    tally = Tally(seed, kind)
    with archive(kind) as place:
        async with deepgram() as provider, fake_twilio() as twilio, asyncio.TaskGroup() as group:
            settings = {
                "DEEPGRAM_API_KEY": "key-of-deepgram", "DEEPGRAM_URL": provider, "HUB_PUBLIC_URL": f"http://{HUB}",
                "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_API_URL": twilio.url,
            }  # fmt: skip
            await Run(twilio, group, place, settings, tally).prove(kills, cold=cold)
    return tally


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.killed", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--archive", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--cold", action="store_true", help="start every hub by its command, imports included")
    parser.add_argument("--evidence", type=Path, help="where the evidence is written (default: a file in the folder for temporary files)")
    options = parser.parse_args()
    tally = uvloop.run(prove(options.kills, options.archive, options.seed, cold=options.cold))
    evidence = options.evidence or Path(tempfile.gettempdir()) / f"killed-{options.archive}-{options.seed}.json"
    evidence.write_text(json.dumps(vars(tally), indent=1))
    print(f"{tally}\nevidence: {evidence}")
    for example in tally.examples:
        print(example)
    return 1 if tally.faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
