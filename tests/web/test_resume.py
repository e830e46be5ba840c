"""Nobody misses or repeats a word: a short run of the proof in `make test`, the whole of it in `make long`."""

import pytest

from tests.bench.resume import prove

pytestmark = pytest.mark.one_python


async def held(drops: int) -> None:
    tally = await prove(drops)
    assert tally.drops >= drops
    assert tally.durable >= drops
    assert not tally.faults.total(), tally


@pytest.mark.timeout(180)  # it is bound by the processor, and takes as long as a busy machine takes
async def test_600_broken_connections_lose_and_repeat_nothing() -> None:
    await held(600)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_30_000_broken_connections_lose_and_repeat_nothing() -> None:
    await held(30_000)
