"""An archive of many calls: makes one, and measures how long a page of its list and of its search takes.

    python -m tests.bench.archived make calls.db --calls 100000
    python -m tests.bench.archived measure calls.db

The calls are as long as at a service desk: half are shorter than three minutes, one in a hundred takes half an hour or more. They have a
final every five seconds, with the times of its words. The words come as often as in the pages of this project, and one in thirty is a name
that few calls have. For 100,000 calls, `make` takes about ten minutes and 2.3 GB. The place may be a PostgreSQL URL as well. Times are
wall time in milliseconds; `cpu` is this process's own part of it. Each prints JSON.
"""

import argparse
import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert

from hub.archive.archive import CallFilter, Facts, StoredEvent
from hub.archive.opening import connect
from hub.archive.packed import pack
from hub.archive.page import page
from hub.archive.tables import calls, packs
from hub.archive.words import facts_of, indexable
from hub.events import (
    CallEnded,
    CallStarted,
    CallSummary,
    Completeness,
    Durable,
    Final,
    TranscriberName,
    Word,
    encode,
    stamped,
)
from hub.transcript.search import document

AGENTS = ["sales", "billing", "support", "returns", None, None, None, None]
MAIN_LINES = [f"+1415555{n:04d}" for n in range(100, 112)]
DAYS = 365
NOW = 1_790_000_000.0
"""When the newest call began. A fixed moment, so that an archive is the same each time."""

_TRANSCRIBER = TranscriberName(provider="deepgram", model="nova-3")
_SPEAKERS: Any = {"inbound": "caller", "outbound": "callee"}
_SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeo"]


class Talk:
    """Makes up calls."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        text = " ".join(page.read_text() for page in Path("hub").rglob("*.md"))
        counted = Counter(word.lower() for word in re.findall(r"[A-Za-z']+", text))
        self.words, self.weights = list(counted), list(itertools.accumulate(counted.values()))
        self.names = ["".join(self._random.choices(_SYLLABLES, k=3)).title() for _ in range(20_000)]
        self._utterances = [self._utterance() for _ in range(30_000)]

    def _utterance(self) -> tuple[str, list[Word]]:
        words = self._random.choices(self.words, cum_weights=self.weights, k=max(1, int(self._random.expovariate(1 / 11))))
        words = [self._random.choice(self.names) if self._random.random() < 1 / 30 else word for word in words]
        timed = [
            Word(text=word, start=round(at * 0.31, 2), end=round(at * 0.31 + 0.28, 2), confidence=round(self._random.uniform(0.6, 1), 4))
            for at, word in enumerate(words)
        ]
        return " ".join(words).capitalize() + ".", timed

    def call(self, number: int, started_at: float) -> tuple[dict[str, Any], list[StoredEvent], set[str]]:
        """Return the row of a call, its events, and its words."""
        chance = self._random
        sid, seconds = f"CA{number:032x}", min(7200.0, chance.lognormvariate(5.2, 0.9))
        epoch, agent, main = f"{number:012x}", chance.choice(AGENTS), chance.choice(MAIN_LINES)
        other = f"+1{chance.randrange(2_000_000_000, 9_999_999_999)}"
        from_, to = (other, main) if chance.random() < 0.7 else (main, other)
        state: Any = chance.choices(["complete", "incomplete", "not-transcribed"], [90, 9, 1])[0]
        whole = Completeness(
            state=state, summary=state, untranscribed_seconds=0, lost_percent=0, unheard=None, words_missing=False, reason=None
        )
        talk: list[Durable] = [
            CallStarted(
                call_sid=sid,
                from_=from_,
                to=to,
                direction="inbound",
                tracks=["inbound", "outbound"],
                speakers=_SPEAKERS,
                parameters={},
                stream_sid="MZ" + sid[2:],
                transcriber=_TRANSCRIBER,
                agent=agent,
            )
        ]
        for at in range(0, int(seconds), 5):
            text, words = chance.choice(self._utterances)
            talk.append(
                Final(
                    call_sid=sid,
                    utterance=f"u{at}",
                    revision=3,
                    track="inbound" if at % 2 else "outbound",
                    speaker="caller",
                    text=text,
                    start=float(at),
                    end=at + 4.5,
                    confidence=0.97,
                    words=words,
                )
            )
        talk.append(CallEnded(call_sid=sid, reason="completed", duration=seconds, completeness=whole, audio={}))
        events = [StoredEvent(offset, _wire(event, epoch, offset, stamped(started_at + offset))) for offset, event in enumerate(talk, 1)]
        summary = CallSummary(
            call_sid=sid,
            live=False,
            started_at=stamped(started_at),
            ended_at=stamped(started_at + seconds),
            from_=from_,
            to=to,
            direction="inbound",
            speakers=_SPEAKERS,
            transcriber=_TRANSCRIBER,
            agent=agent,
            utterances=len(talk) - 2,
            reason="completed",
            duration=seconds,
            completeness=whole,
            epoch=epoch,
            offset=len(talk),
        )
        facts = Facts(
            number=int(started_at * 1000) * 1024,
            started_at=started_at,
            ended_at=started_at + seconds,
            from_=from_,
            to=to,
            agent=agent,
            state=state,
            summary=encode(summary),
        )
        words_of = indexable(document(summary, (event.payload for event in events))) | facts_of(sid, facts)
        row = {
            "number": facts.number,
            "call_sid": sid,
            "epoch": epoch,
            "started_at": facts.started_at,
            "ended_at": facts.ended_at,
            "from_number": from_,
            "to_number": to,
            "agent": agent,
            "state": state,
            "sealed": True,
            "packed": len(events),
            "summary": facts.summary,
            "note": b"",
        }
        return row, events, words_of


def _wire(event: Durable, epoch: str, offset: int, at: str) -> bytes:
    return encode(msgspec.structs.replace(event, epoch=epoch, offset=offset, at=at))


def make(place: str, count: int, seed: int = 7) -> dict[str, Any]:
    """Make an archive of ended calls, the oldest first. They are put where sealed calls are, without being live before."""
    database, talk, began = connect(place), Talk(seed), time.monotonic()
    size = 0
    for chunk in _batched(range(count), 500):
        made = [talk.call(number, NOW - DAYS * 86_400 * (1 - number / count)) for number in chunk]
        with database.writing() as connection:
            connection.execute(insert(calls), [row for row, _, _ in made])
            for row, events, words in made:
                size += sum(len(event.payload) for event in events)
                connection.execute(
                    insert(packs), [{"number": row["number"], "epoch": row["epoch"], **each._asdict()} for each in pack(events)]
                )
                database.dialect.index(connection, row["number"], words)
    with database.reading() as connection:
        file_bytes = database.dialect.file_bytes(connection)
    database.close()
    seconds = time.monotonic() - began
    return {"calls": count, "wire_mb": round(size / 1e6), "file_mb": round(file_bytes / 1e6), "seconds": round(seconds, 1)}


def measure(place: str, rounds: int, seed: int = 11) -> dict[str, Any]:
    """Measure pages of the list and of the search: medians and 99th percentiles, in milliseconds."""
    database, talk, chance = connect(place, alone=False), Talk(7), random.Random(seed)
    with database.reading() as connection:
        newest = page(connection, database.dialect, CallFilter(), None, 1)[0].facts.number
        oldest = newest - DAYS * 86_400_000 * 1024
    measured = {}
    for name, ask in _questions(talk, chance).items():
        taken: list[float] = []
        cpu: list[float] = []
        found = 0
        for _ in range(rounds):
            wanted, before = ask(), chance.choice([None, chance.randint(oldest, newest)])
            began, cpu_began = time.perf_counter(), time.thread_time()
            with database.reading() as connection:
                found += len(page(connection, database.dialect, wanted, before, 50))
            taken.append((time.perf_counter() - began) * 1000)
            cpu.append((time.thread_time() - cpu_began) * 1000)
        middle, high = rounds // 2, int(rounds * 0.99)
        shown = {"p50": sorted(taken)[middle], "p99": sorted(taken)[high], "cpu_p50": sorted(cpu)[middle], "cpu_p99": sorted(cpu)[high]}
        measured[name] = {**{key: round(value, 2) for key, value in shown.items()}, "found": found // rounds}
    database.close()
    return measured


def _questions(talk: Talk, chance: random.Random) -> dict[str, Callable[[], CallFilter]]:
    """Return what is asked for: for each name, what makes one question."""

    def moment() -> float:
        return NOW - chance.random() * DAYS * 86_400

    def lately() -> float:
        return NOW - chance.random() * 7 * 86_400

    def number() -> str:
        return f"+1{chance.randrange(2_000_000_000, 9_999_999_999)}"

    def word() -> str:
        return chance.choices(talk.words, cum_weights=talk.weights)[0].replace("'", "")

    def name() -> str:
        return chance.choice(talk.names).lower()

    def of(**fields: Callable[[], Any]) -> Callable[[], CallFilter]:
        return lambda: CallFilter(**{field: make() for field, make in fields.items()})

    return {
        "all": CallFilter,
        "since": of(since=moment),
        "until": of(until=moment),
        "a main number": of(number=lambda: chance.choice(MAIN_LINES)),
        "a number": of(number=number),
        "an agent": of(agent=lambda: chance.choice(AGENTS[:4])),
        "a state": of(state=lambda: chance.choice(["complete", "incomplete", "not-transcribed"])),
        "no such agent": of(agent=lambda: "nobody"),
        "live": of(live=lambda: True),
        "ended": of(live=lambda: False),
        "ended lately": of(ended_after=lately),
        "agent and state": of(agent=lambda: chance.choice(AGENTS[:4]), state=lambda: "not-transcribed"),
        "main number, agent, state": of(
            number=lambda: chance.choice(MAIN_LINES), agent=lambda: chance.choice(AGENTS[:4]), state=lambda: "complete"
        ),
        "two numbers": of(number=number, allowed=lambda: frozenset({chance.choice(MAIN_LINES)})),
        "allowed main numbers": of(allowed=lambda: frozenset(chance.sample(MAIN_LINES, 3))),
        "allowed 300 calls": of(allowed=lambda: frozenset(f"CA{chance.randrange(100_000):032x}" for _ in range(300))),
        "allowed 300 numbers": of(allowed=lambda: frozenset(number() for _ in range(300))),
        "allowed and ended lately": of(allowed=lambda: frozenset(chance.sample(MAIN_LINES, 2)), ended_after=lately),
        "a word": of(words=lambda: (word(),)),
        "a name": of(words=lambda: (name(),)),
        "three words": of(words=lambda: (word(), word(), word())),
        "a word and a name": of(words=lambda: (word(), name())),
        "one letter": of(words=lambda: (word()[:1],)),
        "a beginning": of(words=lambda: (word()[:4],)),
        "two letters of a name": of(words=lambda: (name()[:2],)),
        "end of a number": of(words=lambda: (f"{chance.randrange(10_000):04d}",)),
        "no such word": of(words=lambda: ("xyzzyx", word())),
        "a word of an agent": of(words=lambda: (word(),), agent=lambda: chance.choice(AGENTS[:4])),
        "a name of a main number": of(words=lambda: (name(),), number=lambda: chance.choice(MAIN_LINES)),
        "a word, ended lately": of(words=lambda: (word(),), ended_after=lately),
        "a name, ended lately": of(words=lambda: (name(),), ended_after=lately),
        "a word, since": of(words=lambda: (word(),), since=moment),
    }


def _batched(numbers: range, size: int) -> Iterator[range]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))


def main() -> None:
    """Make or measure, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["make", "measure"])
    parser.add_argument("place", help="a path, or postgresql://…")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300, help="questions of each kind")
    options = parser.parse_args()
    if options.what == "make":
        print(json.dumps(make(options.place, options.calls)))
        return
    measured = measure(options.place, options.rounds)
    for name, each in measured.items():
        print(json.dumps({"asked": name, **each}))
    print(json.dumps({key: max(each[key] for each in measured.values()) for key in ("p99", "cpu_p99")} | {"asked": "the slowest"}))


if __name__ == "__main__":
    main()
