"""A hub that is killed loses nothing that anybody saw: a short run of the proof over both archives. All of it: `make killed`."""

import pytest

from tests.archive.postgres_server import programs
from tests.bench.killed import prove

SEED = 13

needs_server = pytest.mark.skipif(programs() is None, reason="no PostgreSQL server is installed")


@pytest.mark.timeout(600)  # it is bound by the processor, and takes as long as a busy machine takes
@pytest.mark.one_python
@pytest.mark.parametrize(("archive", "kills"), [("sqlite", 20), pytest.param("postgresql", 8, marks=needs_server)])
async def test_kills_lose_nothing_that_anybody_saw(archive: str, kills: int) -> None:
    tally = await prove(kills, archive, SEED)
    assert tally.kills.total() == kills
    assert tally.resumed > 10 * kills, tally
    assert tally.events > 10 * kills, tally
    assert not tally.faults.total(), "\n".join([str(tally), *tally.examples])
    assert tally.behind or not tally.not_whole, tally
