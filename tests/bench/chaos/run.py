"""Runs so many rounds of some kinds of disturbances, on one cluster or on several side by side, and judges."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict, replace

from tests.bench.chaos.closing import close
from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.lane import Size, Surroundings, lane, surrounded
from tests.bench.chaos.rounds import KINDS

AGES_KEPT = 200_000


async def prove(kinds: Sequence[str], evidence: Evidence, size: Size, *, lanes: int = 1, cold: bool = False) -> Evidence:
    """Disturb `evidence.wanted` times in each of these ways.

    `size`: of all clusters together. `lanes`: how many clusters there are. `cold`: nodes are started by their command each time.
    """
    evidence.size = asdict(size) | {"clusters": lanes, "cold": cold}
    chance = random.Random(evidence.seed)
    schedules: list[list[str]] = [[] for _ in range(lanes)]
    for at, kind in enumerate(kind for kind in kinds for _ in range(evidence.wanted)):
        schedules[at % lanes].append(kind)
    async with surrounded(cold=cold) as surroundings, asyncio.TaskGroup() as group:
        for number, schedule in enumerate(schedules):
            chance.shuffle(schedule)
            broker = ("memory", "aof")[number % 2] if size.broker == "both" else size.broker
            each = replace(size, calls=max(1, size.calls // lanes), broker=broker)
            group.create_task(_run(schedule, evidence, each, number, surroundings))
    return evidence


async def _run(schedule: Sequence[str], evidence: Evidence, size: Size, number: int, surroundings: Surroundings) -> None:
    """Disturb one cluster in these ways, one after the other."""
    async with lane(size, number, evidence, surroundings) as cluster:
        good = await cluster.steady()
        for kind in schedule:
            if not good:  # what comes after that proves nothing
                break
            evidence.rounds += 1
            evidence.counts[kind] += 1
            await KINDS[kind].round(cluster)
            good = await cluster.steady()
            del cluster.watched.ages[:-AGES_KEPT]
        await close(cluster)
