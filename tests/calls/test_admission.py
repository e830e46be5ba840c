"""When new calls are refused, and when they are taken again, by a load that the test sets."""

from dataclasses import dataclass, replace
from typing import cast

import pytest

from hub.calls.admission import CALL_SHARE, SETTLED_SECONDS, Admission, AdmissionLimits, Full, Overloaded
from hub.ops.load import Load
from tests.calls.call_desk import Clock

LIMITS = AdmissionLimits()


@dataclass
class SetLoad:
    """A load as a test sets it."""

    busy: float = 0.0
    late: float = 0.0
    pulses: int = 0

    async def pulse(self) -> None:
        """End the watching after as many measurements as the test wants."""
        if not self.pulses:
            raise EOFError
        self.pulses -= 1


class Gate:
    """One hub's admission, and what it depends on."""

    def __init__(self, limits: AdmissionLimits = LIMITS) -> None:
        self.load, self.clock = SetLoad(), Clock()
        self.admission = Admission(cast("Load", self.load), limits, self.clock)

    def takes(self, live: int = 0, **load: float) -> bool:
        for name, value in load.items():
            setattr(self.load, name, value)
        return self.admission.refusal(live) is None

    async def watch(self, pulses: int = 1) -> None:
        self.load.pulses = pulses
        with pytest.raises(EOFError):
            await self.admission.watch(lambda: 0)


def test_an_idle_hub_takes_any_call() -> None:
    assert Gate().takes(live=100_000)


def test_a_loop_that_is_busy_refuses_until_it_is_clearly_less_so() -> None:
    gate = Gate()
    assert [gate.takes(busy=busy) for busy in (0.79, 0.8, 0.75, 0.7, 0.69, 0.79)] == [True, False, False, False, True, True]


def test_a_loop_that_is_late_refuses_until_it_is_in_time() -> None:
    gate = Gate()
    assert [gate.takes(late=late) for late in (0.09, 0.1, 0.06, 0.04, 0.09)] == [True, False, False, True, True]


def test_calls_that_have_just_begun_count_before_they_are_measured() -> None:
    gate = Gate()
    taken = 0
    while gate.takes(busy=0.3):
        gate.admission.began()
        taken += 1
    assert taken == pytest.approx(0.5 / (CALL_SHARE / 2), abs=2)
    gate.clock.now += SETTLED_SECONDS + 0.1
    assert gate.takes(busy=0.69), "they are in the measurement now"


def test_most_calls_are_as_many_as_the_setting_says() -> None:
    gate = Gate(replace(LIMITS, calls=2))
    assert [gate.takes(live) for live in (1, 2, 3, 1)] == [True, False, False, True]
    assert str(gate.admission.refusal(2)) == "the hub has 2 calls already (HUB_CALLS)"


def test_a_refusal_says_how_it_is() -> None:
    gate = Gate()
    assert not gate.takes(busy=0.83, late=0.012)
    refusal = gate.admission.refusal(640)
    assert isinstance(refusal, Overloaded)
    assert str(refusal) == "the hub is at its limit: 640 calls keep it 83% busy, and its event loop is 12 ms late"


async def test_an_episode_is_told_when_it_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(replace(LIMITS, calls=1))
    for _ in range(3):
        gate.admission.refused(Full(1))
        gate.clock.now += 4
        await gate.watch()
    assert [record.message for record in caplog.records] == [
        "new calls are refused and go on without a stream: the hub has 1 calls already (HUB_CALLS)"
    ]
    gate.clock.now += 10
    await gate.watch()
    await gate.watch()
    assert [record.message for record in caplog.records][1:] == ["new calls are taken again: 3 were refused in 8 s"]


async def test_an_episode_is_not_over_while_calls_would_be_refused(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    assert not gate.takes(busy=0.9)
    gate.admission.refused(Full(1))
    gate.clock.now += 100
    await gate.watch()
    assert len(caplog.records) == 1
