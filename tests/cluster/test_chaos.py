"""A cluster loses nothing that anybody saw: a short run of all disturbances. All of them: `make chaos`.

Most of a disturbance is waiting, for a lease that has to end or a call that has to move. So many small clusters are disturbed side by side.
How long anything takes is not judged here, because other tests run on the machine.
"""

import pytest

from tests.bench.chaos.evidence import Evidence
from tests.bench.chaos.lane import Size
from tests.bench.chaos.run import prove

KINDS = ("owner-kill", "broker-kill", "stop", "rolling")
SEED = 14


@pytest.mark.long
@pytest.mark.timeout(900)  # bound by the processor, and by what a busy machine leaves of it
async def test_20_disturbances_of_each_kind_lose_nothing_that_anybody_saw() -> None:
    size = Size(calls=20, broker="both", drain_seconds=20)
    evidence = await prove(KINDS, Evidence("all", SEED, 20), size, lanes=10)
    assert not evidence.faults.total(), "\n".join([str(evidence), *evidence.examples])
    assert [evidence.counts[kind] for kind in KINDS] == [20, 20, 20, 20]
    assert evidence.counts["words"] > 1000, evidence
    assert evidence.counts["positions that subscribers came back with"] > 100, evidence
