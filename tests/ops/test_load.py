"""How busy and how late the event loop is, by clocks that the test sets."""

import pytest

from hub.ops import load as loads
from hub.ops.counters import Durations
from hub.ops.load import BUSY_PULSES, LATE_PULSES, PULSE_SECONDS, Load


class World:
    """The clocks that a Load asks. Each pulse takes as long, and computes for as long, as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.cpu = 5.0
        self.lag_seconds = Durations((0.1, 1.0))
        self.load = Load(self.lag_seconds, lambda: self.now, lambda: self.cpu)
        self.late = 0.0
        monkeypatch.setattr(loads.asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds + self.late

    async def pulses(self, count: int, *, busy: float, late: float = 0.0) -> None:
        self.late = late
        for _ in range(count):
            self.cpu += busy * (PULSE_SECONDS + late)
            await self.load.pulse()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_a_loop_that_has_not_been_measured_is_idle_and_in_time(world: World) -> None:
    assert (world.load.busy, world.load.late) == (0.0, 0.0)


async def test_busy_is_the_threads_share_of_the_last_two_seconds(world: World) -> None:
    await world.pulses(BUSY_PULSES, busy=0.5)
    assert world.load.busy == pytest.approx(0.5)
    await world.pulses(BUSY_PULSES // 2, busy=1.0)
    assert world.load.busy == pytest.approx(0.75)
    await world.pulses(BUSY_PULSES, busy=0.1)
    assert world.load.busy == pytest.approx(0.1)


async def test_a_pause_is_no_lateness_and_a_second_of_it_is(world: World) -> None:
    await world.pulses(1, busy=0.2, late=3.0)
    assert world.load.late == 0.0
    await world.pulses(LATE_PULSES - 1, busy=0.2, late=0.3)
    assert world.load.late == pytest.approx(0.3), "late in every measurement of the last second"
    await world.pulses(1, busy=0.2, late=0.02)
    assert world.load.late == pytest.approx(0.02)


async def test_every_measurement_is_in_the_histogram_and_a_loop_that_is_early_has_no_lag(world: World) -> None:
    await world.pulses(1, busy=0.0, late=0.5)
    await world.pulses(1, busy=0.0, late=-0.01)
    assert (world.lag_seconds.counts, round(world.lag_seconds.total, 9)) == ([1, 1, 0], 0.5)
