"""What a hundred calls lose when their provider's connections break: every scripted word, once, in order, on its track, at its time.

    python -m tests.bench.drops                 Deepgram; AssemblyAI with a session a track (two model families), and mixed
    python -m tests.bench.drops --calls 100     more of them
    python -m tests.bench.drops --seed 7        other accidents

Calls are pushed about fifty times faster than people talk, through a saboteur that cuts connections at planned bytes, to the scripted
vendors of tests/providers. Prints a table; exits 1 when a word is lost outside an announced gap, told twice, misplaced or mistimed.
"""

import argparse
import asyncio
import logging
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from urllib.parse import urlsplit

import msgspec

from hub.audio.g711 import TRACKS, Track
from hub.backoff import Backoff
from hub.events import Final, Interim
from hub.events import Word as EventWord
from hub.ops.counters import ProviderCounters
from hub.transcribers import session
from hub.transcribers.limits import DEFAULT_LIMITS
from hub.transcribers.transcriber import Report
from hub.transcribers.utterances import NotTranscribed, Recognized, Utterances
from tests.providers.script import Script, Word
from tests.providers.vendors import CLASSIC, DEEPGRAM, MIXED, SEPARATE, Vendor, call_of

CALL_SECONDS = 24.0
BLOCK_PAUSE_SECONDS = 0.002
"""Between two blocks of 100 ms."""
AT_ONCE = 8
"""Calls at a time, so that this machine is not what slows them down."""
HURRIED = replace(DEFAULT_LIMITS, backoff=Backoff(0.005, 0.04), open_seconds=0.5, tick_seconds=0.1)
"""Waits as short as the calls are fast."""

SMALL_REPLAY_MS = 3000.0
OUTAGE_SECONDS = (8.0, 16.0)
"""From when to when, in call time, the provider cannot be reached in calls with the small replay."""
MOST_WRONG_SECONDS = 0.1
TERMINAL = (b'"Metadata"', b'"Termination"')


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one connection breaks: after so many bytes from the hub, or to it. Bytes of the handshake count. None: never."""

    kind: str
    up: int | None = None
    down: int | None = None


class Saboteur:
    """Stands between the hub and a provider, passes bytes on, and breaks connections as planned."""

    def __init__(self, target: str, plans: list[Cut], *, spoils_end: bool) -> None:
        """Plans are taken in turn, one a connection. `spoils_end`: the first terminal message is never delivered."""
        self._target = urlsplit(target)
        self._plans = iter(plans)
        self._spoils_end = spoils_end
        self.unreachable = False
        self.done: Counter[str] = Counter()
        """Breaks by kind."""
        self._open: set[asyncio.Transport] = set()
        self._idle = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listen; give the address to dial."""
        server = await asyncio.start_server(self._attend, "127.0.0.1", 0)
        try:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self.cut_all()
            await self._idle.wait()

    def cut_all(self) -> None:
        """Break every connection there is."""
        for transport in self._open:
            transport.abort()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._idle.clear()
        transports = [writer.transport]
        self._open.add(writer.transport)
        try:
            if self.unreachable:
                self.done["outage"] += 1
                return
            plan = next(self._plans, Cut("none"))
            with suppress(OSError, ConnectionError):
                onward = await asyncio.open_connection(self._target.hostname, self._target.port)
                transports.append(onward[1].transport)
                self._open.add(onward[1].transport)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, onward[1], transports, plan.kind, plan.up))
                    group.create_task(self._pass(onward[0], writer, transports, plan.kind, plan.down, to_hub=True))
        finally:
            for transport in transports:
                transport.abort()
                self._open.discard(transport)
            if not self._open:
                self._idle.set()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transports: list[asyncio.Transport], kind: str, left: int | None,
        *, to_hub: bool = False,
    ) -> None:  # fmt: skip
        with suppress(OSError, ConnectionError):
            while data := await reader.read(65536):
                if to_hub and self._spoils_end and any(name in data for name in TERMINAL):
                    self._spoils_end = False
                    kind, left = "before the end", data.find(b'{"type": "Metadata"')
                    left = max(left, 0)
                if left is not None and len(data) >= left:
                    writer.write(data[:left])
                    self.done[kind] += 1
                    await asyncio.sleep(0)  # what was written leaves before the cut
                    break
                left = None if left is None else left - len(data)
                writer.write(data)
                await writer.drain()
        for transport in transports:
            transport.abort()


def accidents(chance: random.Random) -> list[Cut]:
    """Return where the first connections of a call break."""
    plans: list[Cut] = []
    while len(plans) < 9:
        match chance.choice(["talk", "talk", "answer", "answer", "handshake", "burst"]):
            case "talk":
                plans.append(Cut("amid audio", up=chance.randrange(600, 40_000)))
            case "answer":
                plans.append(Cut("amid answers", down=chance.randrange(150, 4000)))
            case "handshake":
                plans.append(chance.choice([Cut("handshake", up=chance.randrange(300)), Cut("handshake", down=chance.randrange(120))]))
            case "burst":
                plans += [Cut("burst", up=chance.randrange(3000)) for _ in range(3)]
    return plans


def scripted(chance: random.Random, *, overlap: bool) -> dict[Track, list[Word]]:
    """Return what is said on each track: words that are all different, in sentences with pauses."""
    said: dict[Track, list[Word]] = {track: [] for track in TRACKS}
    free = dict.fromkeys(TRACKS, 0.3)
    number = 0
    while min(free.values()) < CALL_SECONDS - 6:
        track = min(TRACKS, key=lambda each: free[each]) if overlap else chance.choice(TRACKS)
        at = free[track] if overlap else max(free.values())
        at += chance.uniform(0.6, 3.0)
        for _ in range(chance.randrange(1, 11)):
            length = chance.uniform(0.12, 0.4)
            if at + length > CALL_SECONDS:
                break
            said[track].append(Word(f"w{number}", round(at, 3), round(at + length, 3)))
            number += 1
            at += length + chance.uniform(0.0, 0.15)
        free[track] = at
    return said


@dataclass
class Tally:
    """What came of calls."""

    calls: int = 0
    drops: int = 0
    words: int = 0
    heard: int = 0
    repeats: int = 0
    """Words the provider said again that were told once."""
    gaps: int = 0
    gap_seconds: float = 0.0
    in_gaps: int = 0
    """Words missing where a gap was announced."""
    lost: int = 0
    """Words missing elsewhere."""
    doubled: int = 0
    misplaced: int = 0
    """Words on the wrong track, out of order, or not in their final's text."""
    mistimed: int = 0
    unfinished: int = 0
    """Utterances whose interims did not end in exactly one final."""
    incomplete: int = 0
    """Calls whose transcript is not complete."""
    worst_ms: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> int:
        """How many things are not as they should be."""
        return self.lost + self.doubled + self.misplaced + self.mistimed + self.unfinished + self.incomplete

    def add(self, other: "Tally") -> None:
        """Take another tally in."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, max(mine, theirs) if each.name == "worst_ms" else mine + theirs)


def plain(word: EventWord) -> EventWord:
    """Return a word without the capital and full stop of its turn."""
    return msgspec.structs.replace(word, text=word.text.lower().removesuffix("."))


def judged(script: dict[Track, list[Word]], reports: list[Report]) -> Tally:
    """Compare what was reported with what was said."""
    tally = Tally(calls=1)
    transcript = Utterances("CA" + "0" * 32)
    events = [event for report in reports if isinstance(report, Recognized) and (event := transcript.fold(report)) is not None]
    events += transcript.close()
    ended: Counter[str] = Counter(event.utterance for event in events if isinstance(event, Final))
    tally.unfinished = sum(ended[name] != 1 for name in {event.utterance for event in events if isinstance(event, Interim | Final)})
    missed = [report for report in reports if isinstance(report, NotTranscribed)]
    tally.gaps, tally.gap_seconds = len(missed), sum(each.end - each.start for each in missed)
    for track, words in script.items():
        finals = [event for event in events if isinstance(event, Final) and event.track == track]
        heard = [plain(word) for final in finals for word in final.words]
        tally.misplaced += sum(final.text.split() != [word.text for word in final.words] for final in finals)
        places = {word.text: place for place, word in enumerate(words)}
        times = Counter(word.text for word in heard)
        tally.words += len(words)
        tally.heard += len(heard)
        tally.doubled += sum(count - 1 for count in times.values())
        order = [places.get(word.text, -1) for word in heard]
        tally.misplaced += order.count(-1) + sum(after <= before for before, after in pairwise(order))
        gone = {word.text for word in words for gap in missed if gap.track == track and gap.start < word.end and word.start < gap.end}
        missing = {word.text for word in words} - times.keys()
        tally.in_gaps += len(missing & gone)
        tally.lost += len(missing - gone)
        for word in heard:
            if word.text not in gone and (place := places.get(word.text)) is not None:
                off = max(abs(word.start - words[place].start), abs(word.end - words[place].end))
                tally.worst_ms = max(tally.worst_ms, off * 1000)
                tally.mistimed += off > MOST_WRONG_SECONDS
    return tally


async def run_call(vendor: Vendor, seed: int) -> Tally:
    """Run one call with its accidents."""
    chance = random.Random(seed)
    outage = seed % 10 == 3
    script = scripted(chance, overlap=not vendor.mixes)
    refusals: list[int | tuple[int, str] | None] = [None, None, 503, None, 429, None, None, 500]
    if vendor is not DEEPGRAM:
        refusals = [None, None, 1013, None, (1008, "Too many concurrent sessions"), None, None, 3005]
    trouble = Script(
        refuse=refusals if seed % 2 and not outage else (),
        repeat=seed % 3 == 0,
        unknown=seed % 4 == 0,
        slow_seconds=0.02 if seed % 5 == 0 else 0.0,
        hang_handshake_seconds=[0, 0, 0, 0, 2.0] if seed % 5 == 1 else (),
    )
    counters, reports = ProviderCounters(), list[Report]()
    async with vendor.fake(trouble) as fake:
        saboteur = Saboteur(fake.url, accidents(chance)[: 2 if outage else None], spoils_end=seed % 2 == 0)
        async with saboteur.serving() as url:
            transcriber = vendor.open(url, counters, limits=replace(HURRIED, replay_ms=SMALL_REPLAY_MS) if outage else HURRIED)
            async with asyncio.TaskGroup() as group:
                run = group.create_task(transcriber.run(reports.append))
                for block in call_of(script["inbound"], script["outbound"], CALL_SECONDS):
                    if outage and block.start_ms == OUTAGE_SECONDS[0] * 1000:
                        saboteur.unreachable = True
                        saboteur.cut_all()
                    elif outage and block.start_ms == OUTAGE_SECONDS[1] * 1000:
                        saboteur.unreachable = False
                    transcriber.push(block)
                    await asyncio.sleep(BLOCK_PAUSE_SECONDS * (4 if outage else 1))  # or waits of milliseconds would empty a small ring
                transcriber.finish()
        await fake.until(lambda: not fake.open_sessions)
    tally = judged(script, reports)
    tally.incomplete = not run.result()
    tally.drops, tally.repeats, tally.kinds = counters.reconnects, counters.repeats, saboteur.done
    tally.kinds["refused or hung"] = max(0, counters.reconnects - sum(saboteur.done.values()))
    assert counters.open_sessions == 0, "a session outlived its call"
    return tally


@contextmanager
def quiet() -> Iterator[None]:
    """Keep every reconnect out of the log: there are thousands."""
    kept = session.log.level
    session.log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        session.log.setLevel(kept)


async def run_calls(vendor: Vendor, calls: int, seed: int = 0) -> Tally:
    """Run so many calls, a few at a time; return what came of all."""
    total, few = Tally(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with few:
            total.add(await run_call(vendor, seed * 1000 + number))

    with quiet():
        async with asyncio.TaskGroup() as group:
            for number in range(calls):
                group.create_task(one(number))
    return total


def table(tallies: dict[str, Tally]) -> str:
    """Return the figures, a line a vendor."""
    names = [each.name for each in fields(Tally) if each.name != "kinds"]
    lines = [" " * 20 + "".join(f"{name.replace('_', ' '):>{len(name) + 2}}" for name in names)]
    for vendor, tally in tallies.items():
        values = [(round(getattr(tally, name), 1), len(name) + 2) for name in names]
        lines.append(f"{vendor:20}" + "".join(f"{value:>{width}}" for value, width in values))
    for vendor, tally in tallies.items():
        lines.append(f"{vendor}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(tally.kinds.items()) if count))
    return "\n".join(lines)


async def measure(options: argparse.Namespace) -> int:
    """Run and print; return the exit code."""
    tallies = {vendor.name: await run_calls(vendor, options.calls, options.seed) for vendor in (DEEPGRAM, SEPARATE, CLASSIC, MIXED)}
    print(table(tallies))
    return int(any(tally.wrong for tally in tallies.values()))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40, help="calls a vendor (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
