"""`curl -N` and `follow_call` miss and repeat nothing: a short run of the proof in `make test`, the whole of it in `make long`."""

import pytest

from hub.web.doors.positions import MARGIN_SECONDS
from tests.bench.cuts import has_curl, prove

pytestmark = pytest.mark.skipif(not has_curl(), reason="there is no curl")


async def held(cuts: int, margin_seconds: float = MARGIN_SECONDS) -> None:
    for tally in await prove(cuts, margin_seconds):
        assert tally.cuts >= cuts
        assert tally.durable >= cuts
        assert tally.ended
        assert not tally.faults.total(), tally


@pytest.mark.timeout(300)  # it is bound by the processor, and takes as long as a busy machine takes
async def test_30_cuts_lose_and_repeat_nothing() -> None:
    await held(30, margin_seconds=0.5)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_1_000_cuts_lose_and_repeat_nothing() -> None:
    await held(1000)
