"""What rules cost: CPU time for each event of calls that talk, with and without them. And whether a flood of alerts hurts anybody.

    python -m tests.bench.watchwords cost --rules 200
    python -m tests.bench.watchwords flood --per-minute 10000

`cost` publishes the same talk again and again, with rules and without, one round after the other, through the registry as a hub does. The
difference is what rules cost: of a final of twelve words, and of an interim, with some text that a rule finds and some that none does. The
first round is told apart: there no step of the automaton is known yet. `flood` runs a hub in which every final fits a rule, with some who
follow the list of all calls, and measures for how long the event loop is not free, and how late alerts come. Each prints a line of JSON.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import uvloop

from hub.app import running
from hub.calls.publisher import Publisher
from hub.calls.watching import WatchedCalls
from hub.events import CallStarted, Final, Interim, TranscriberName, Word
from hub.insight.rule_file import read_rules
from hub.topics.record import Record
from hub.topics.registry import Registry
from tests.settings import configured

TICK_SECONDS = 0.002

VERBS = """
cancel close stop switch return refund change block report dispute escalate move end leave drop cut freeze lock sue delete
"""

NOUNS = """
account contract card policy order invoice payment delivery subscription line number plan service loan claim case
"""

COMMON = """
the and you that was for are with his they this have from one had word but not what all were when your can said there use each which she
do how their if will up other about out many then them these so some her would make like him into time has look two more write go see no
way could people my than first been call who its now find long down day did get come made may part over new sound take only little work
know place year live me back give most very after thing our just name good sentence man think say great where help through much before
right too mean old any same tell boy follow came want show also around form three small set put end does another well large must big
"""


def rules_text(count: int) -> str:
    """Return a file of rules, each with three phrases as people write them."""
    dice = random.Random(1)
    tables = []
    for number in range(count):
        verb, other = dice.sample(VERBS.split(), 2)
        noun, more = dice.sample(NOUNS.split(), 2)
        phrases = [
            f"{verb}* (my|the|our) ({noun}|{more}) {number % 7}",
            f"{verb} <4> {noun} {number}",
            f"({verb}|{other}) [it] ~3 ({more}) now",
        ]
        tables.append(f'[rules."rule {number}"]\nphrases = {json.dumps(phrases)}\nside = "inbound"\n')
    return "\n".join(tables)


def talk(count: int) -> Iterator[list[str]]:
    """Yield sentences of twelve words: mostly common ones, with words of the rules among them, and now and then a phrase of one."""
    dice = random.Random(2)
    verbs, nouns, common = VERBS.split(), NOUNS.split(), COMMON.split()
    for number in range(count):
        words = dice.choices(common, k=12)
        if number % 3 == 0:
            words[dice.randrange(12)] = dice.choice(verbs)
        if number % 50 == 0:
            words[3:6] = [dice.choice(verbs), dice.choice(nouns), "now"]
        yield [words[0].title(), *words[1:11], words[11] + "."]


def said(number: int, words: list[str]) -> Iterator[Interim | Final]:
    """Yield an utterance: two interims for each final, as providers do at the least."""
    known = {"call_sid": "CA1", "utterance": f"inbound-{number}", "track": "inbound", "speaker": "caller"}
    for revision, upto in enumerate((4, 8), 1):
        yield Interim(revision=revision, text=" ".join(words[:upto]), start=0.0, end=1.0, **known)  # type: ignore[arg-type]
    timed = [Word(text=word, start=at / 4, end=at / 4 + 0.2) for at, word in enumerate(words)]
    yield Final(revision=3, text=" ".join(words), start=0.0, end=3.0, words=timed, **known)  # type: ignore[arg-type]


class Line:
    """One call, without anybody who follows it."""

    def __init__(self, rules: str) -> None:
        """`rules`: the text of a file. Empty: none."""
        self.registry = Registry(keep_seconds=60.0, clock=time.monotonic, wall=time.time, soon=lambda _: None)
        if rules:
            self.registry.annotator = WatchedCalls(read_rules(rules), self.registry)
        self.record: Record = self.registry.open("CA1")
        self.publisher = Publisher(self.record, self.registry)
        self.publisher.publish(
            CallStarted(
                call_sid="CA1", tracks=["inbound"], speakers={}, parameters={}, stream_sid="MZ1",
                transcriber=TranscriberName(provider="p", model="m"),
            )
        )  # fmt: skip

    def measure(self, events: list[Interim | Final]) -> dict[str, float]:
        """Publish events; return the CPU time of each kind, in microseconds per event."""
        taken = {"interim": 0.0, "final": 0.0}
        for event in events:
            kind, publish = _publishing(self.publisher, event)
            began = time.process_time()
            publish()
            taken[kind] += time.process_time() - began
        return {kind: seconds / sum(type(each).__name__.lower() == kind for each in events) * 1e6 for kind, seconds in taken.items()}


def _publishing(publisher: Publisher, event: Interim | Final) -> tuple[str, Callable[[], object]]:
    if isinstance(event, Interim):
        return "interim", lambda: publisher.revise(event)
    return "final", lambda: publisher.publish(event)


def cost(count: int, utterances: int, rounds: int) -> None:
    """Print what rules cost."""
    rules = rules_text(count)
    plain, watched = Line(""), Line(rules)
    events = [event for number, words in enumerate(talk(utterances)) for event in said(number, words)]
    gc.collect()
    gc.freeze()  # as the hub does
    gc.set_threshold(10_000, 20, 50)
    first = watched.measure(events), plain.measure(events)
    measured = [(watched.measure(events), plain.measure(events)) for _ in range(rounds)]
    alerts = watched.record.outline.alerts.summary
    told: dict[str, object] = {"rules": count, "alerts_per_final": round((alerts.count if alerts else 0) / utterances / (rounds + 1), 3)}
    for kind in ("interim", "final"):
        told[f"{kind}_us"] = round(statistics.median(with_rules[kind] - without[kind] for with_rules, without in measured), 1)
        told[f"{kind}_us_first_round"] = round(first[0][kind] - first[1][kind], 1)
        told[f"{kind}_us_without"] = round(statistics.median(without[kind] for _, without in measured), 1)
    print(json.dumps(told))


async def flood(per_minute: int, seconds: float, calls: int, watchers: int) -> None:
    """Print what a flood of alerts does to a hub."""
    with TemporaryDirectory() as folder:
        for rules in ("", '[rules.always]\nphrases = ["well"]\n'):
            path = Path(folder, "watchwords.toml")
            path.write_text(rules)
            config = configured(port=0, deepgram_key="k", drain_seconds=0.0, watchwords=str(path) if rules else "")
            async with running(config, lambda _: None) as (state, port), aiohttp.ClientSession() as session:  # type: ignore[arg-type,return-value]
                lines = [Publisher(state.registry.open(f"CA{number:032d}"), state.registry) for number in range(calls)]
                for line in lines:
                    line.began("MZ1", {}, ["inbound"], TranscriberName(provider="p", model="m"))
                late: list[float] = []
                ticks: list[float] = []
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(_watch(session, port, late)) for _ in range(watchers)]
                    tasks.append(group.create_task(_tick(ticks)))
                    await asyncio.sleep(1.0)
                    began = time.process_time()
                    count = await _pour(lines, per_minute / 60, seconds)
                    cpu = time.process_time() - began
                    await asyncio.sleep(0.5)
                    for task in tasks:
                        task.cancel()
            print(json.dumps({
                "alerts_per_minute": per_minute if rules else 0, "finals": count, "cpu_us_per_final": round(cpu / count * 1e6),
                "alerts_received": len(late), "alert_ms_p99": _percentile(late, 0.99),
                "loop_late_ms_p99": _percentile(ticks, 0.99), "loop_late_ms_most": _percentile(ticks, 1.0),
            }))  # fmt: skip


async def _watch(session: aiohttp.ClientSession, port: int, late: list[float]) -> None:
    async with session.ws_connect(f"http://127.0.0.1:{port}/client") as socket:
        await socket.send_json({"action": "subscribe", "calls": "all"})
        async for message in socket:
            if '"type":"alert"' in message.data:
                said_at = json.loads(message.data)["end"]
                late.append(time.monotonic() - said_at)


async def _tick(ticks: list[float]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        ticks.append(max(0.0, time.monotonic() - began - TICK_SECONDS))


async def _pour(lines: list[Publisher], per_second: float, seconds: float) -> int:
    """Publish finals at a rate, in one call after the other. Their end is the moment at which they are published."""
    began, count = time.monotonic(), 0
    while (now := time.monotonic()) - began < seconds:
        while count < (now - began) * per_second:
            line = lines[count % len(lines)]
            at = time.monotonic()
            line.publish(
                Final(
                    call_sid=line.record.call_sid, utterance=f"inbound-{count}", revision=1, track="inbound", speaker="caller",
                    text="well, this is what I wanted to say", start=at, end=at, words=[],
                )
            )  # fmt: skip
            count += 1
        await asyncio.sleep(0.001)
    return count


def _percentile(values: list[float], share: float) -> float | None:
    """Return a percentile in milliseconds. None of nothing."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 1) if ordered else None


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "flood"))
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--utterances", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--per-minute", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--watchers", type=int, default=5)
    options = parser.parse_args()
    if options.what == "cost":
        cost(options.rules, options.utterances, options.rounds)
    else:
        uvloop.run(flood(options.per_minute, options.seconds, options.calls, options.watchers))


if __name__ == "__main__":
    main()
