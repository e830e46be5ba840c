"""What statistics cost: CPU time for each event that is counted, each time that figures are told, and each call that nobody follows.

    python -m tests.bench.figures --minutes 60 --calls 1000

A conversation of this length is counted as a hub does: each final is applied in the order of its end, and after every 5 s of call time the
figures are asked for, as for a call that somebody follows. Then a registry has so many live calls without followers, and it is looked
through for statistics that are due. All is done several times, and the medians are printed as a line of JSON.
"""

import argparse
import asyncio
import gc
import json
import random
import statistics
import time
from collections.abc import Callable

from hub.audio.g711 import Track
from hub.calls.live_statistics import EVERY_SECONDS, LOOKS, LiveStatistics
from hub.calls.publisher import Publisher
from hub.events import Final, TranscriberName, Word, encode
from hub.insight.statistics import RunningStatistics
from hub.topics.registry import Registry
from tests.bench.watchwords import talk

ROUNDS = 5


def conversation(minutes: int) -> list[Final]:
    """Return the finals of two people who talk by turns, twelve words each time, now and then at once."""
    dice, finals, at = random.Random(3), list[Final](), 1.0
    for number, words in enumerate(talk(minutes * 12)):
        track: Track = "inbound" if number % 2 == 0 else "outbound"
        timed = [Word(text=word, start=round(at + place / 3, 3), end=round(at + place / 3 + 0.3, 3)) for place, word in enumerate(words)]
        finals.append(
            Final(
                call_sid="CA1", utterance=f"{track}-{number}", revision=3, track=track, speaker=track, text=" ".join(words),
                start=timed[0].start, end=timed[-1].end, words=timed, offset=number + 2,
            )
        )  # fmt: skip
        at = timed[-1].end + dice.uniform(-0.5, 2.0)
    return finals


def measured(work: Callable[[], object]) -> float:
    """Return the CPU time of some work, in seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def counted(finals: list[Final], *, told: bool) -> int:
    """Count a conversation. `told`: the figures are made ready to be sent every 5 s. Returns how often that was."""
    running, told_at, tellings = RunningStatistics(), 0.0, 0
    for final in finals:
        running.apply(final)
        if told and final.end - told_at >= EVERY_SECONDS:
            told_at, tellings = final.end, tellings + 1
            encode(running.figures())
    running.figures()
    return tellings


def unwatched(calls: int) -> float:
    """Return what it takes to look through live calls that nobody follows, in seconds for each second that passes."""
    registry = Registry(keep_seconds=60.0, clock=time.monotonic, wall=time.time, soon=lambda _: None)
    for number in range(calls):
        record = registry.open(f"CA{number}")
        Publisher(record, registry).began("MZ1", {}, ["inbound"], TranscriberName(provider="p", model="m"))
    live = LiveStatistics(registry)
    return measured(lambda: asyncio.run(live.tell_all())) * LOOKS / EVERY_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60, help="length of the conversation")
    parser.add_argument("--calls", type=int, default=1000, help="live calls that nobody follows")
    options = parser.parse_args()
    finals = conversation(options.minutes)
    gc.collect()
    gc.freeze()  # as the hub does
    gc.set_threshold(10_000, 20, 50)
    tellings = counted(finals, told=True)
    rounds = [(measured(lambda: counted(finals, told=False)), measured(lambda: counted(finals, told=True))) for _ in range(ROUNDS)]
    whole = statistics.median(alone for alone, _ in rounds)
    told = {
        "finals": len(finals),
        "whole_log_ms": round(whole * 1e3, 1),
        "final_us": round(whole / len(finals) * 1e6, 1),
        "telling_us": round(statistics.median(both - alone for alone, both in rounds) / tellings * 1e6, 1),
        "unwatched_calls": options.calls,
        "unwatched_us_per_second": round(statistics.median(unwatched(options.calls) for _ in range(ROUNDS)) * 1e6, 1),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
