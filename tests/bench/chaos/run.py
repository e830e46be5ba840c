"""Runs so many rounds of a kind of disturbance, on one cluster or on several side by side, and judges."""

import asyncio
from dataclasses import asdict

from tests.bench.chaos.closing import close
from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.lane import Size, lane
from tests.bench.chaos.rounds import Kind
from tests.bench.chaos.servers import provider


async def prove(kind: Kind, evidence: Evidence, size: Size, lanes: int) -> Evidence:
    """Disturb `evidence.wanted` times in all. `size`: of all clusters together. `lanes`: how many clusters there are."""
    evidence.size = asdict(size) | {"clusters": lanes}
    calls = max(1, size.calls // lanes)
    each = Size(**(asdict(size) | {"calls": calls}))
    async with provider() as url, asyncio.TaskGroup() as group:
        for number in range(lanes):
            group.create_task(_run(kind, evidence, each, number, url))
    return evidence


async def _run(kind: Kind, evidence: Evidence, size: Size, number: int, url: str) -> None:
    """Disturb one cluster, as long as rounds are wanted."""
    async with lane(size, evidence.seed * 1000 + number, number * size.calls, evidence, url) as cluster:
        if await cluster.steady():
            while evidence.rounds < evidence.wanted:
                evidence.rounds += 1
                await kind.round(cluster)
                if not await cluster.steady():
                    break
                if len(cluster.watched.ages) > 200_000:
                    del cluster.watched.ages[:100_000]
        await close(cluster)
