"""What the engine gives its threads' time to: scripted calls stand in for calls of people."""

import threading
from collections.abc import Iterator

import pytest

from hub.errors import ProviderError
from hub.vendors.moonshine.engine import LEAST_THREADS, MOST_THREADS, LocalEngine, thread_count

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]


class Work:
    """A call with so many turns of audio. Implements `EngineCall`."""

    def __init__(self, done: list[str], name: str = "", turns: int = 1) -> None:
        self.left = False
        self.turns, self.due = turns, 0.0
        self.over = threading.Event()
        self.result: bool | ProviderError | None = None
        self._done, self._name = done, name

    @property
    def audio_waits(self) -> bool:
        return self.turns > 0

    def work(self) -> None:
        self.turns -= 1
        self._done.append(self._name)

    def interim_due(self) -> float:
        return self.due

    def interim(self) -> None:
        self.due = 0.0
        self._done.append(self._name + " interim")

    def end(self, result: bool | ProviderError) -> None:
        self.left = True
        if not self.over.is_set():
            self.result = result
        self.over.set()


class Held(Work):
    """Its turn takes until it is released."""

    def __init__(self, done: list[str]) -> None:
        super().__init__(done, "held")
        self.entered, self.release = threading.Event(), threading.Event()

    def work(self) -> None:
        self.entered.set()
        assert self.release.wait(30)
        super().work()
        self.left = True


class Last(Work):
    """It is over after its turns."""

    def work(self) -> None:
        super().work()
        if not self.turns and not self.due:
            self.left = True

    def interim(self) -> None:
        super().interim()
        self.left = True


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    engine.load()
    yield engine
    engine.close()


def held(engine: LocalEngine, done: list[str], count: int) -> list[Held]:
    """Keep so many of the engine's threads busy."""
    found = [Held(done) for _ in range(count)]
    for each in found:
        engine.enter(each)
    assert all(each.entered.wait(30) for each in found)
    return found


def test_it_has_two_threads_at_least_and_a_bounded_number() -> None:
    assert 2 <= LEAST_THREADS <= thread_count() <= MOST_THREADS


def test_a_long_piece_of_work_of_one_call_does_not_hold_the_others(engine: LocalEngine) -> None:
    done = list[str]()
    (long,) = held(engine, done, 1)
    other = Last(done, "other", turns=20)
    engine.enter(other)
    assert other.over.wait(30)
    assert done == ["other"] * 20
    long.release.set()
    assert long.over.wait(30)


def test_calls_take_turns_and_interims_come_when_no_audio_waits(engine: LocalEngine) -> None:
    done = list[str]()
    busy = held(engine, done, thread_count())
    calls = [Last(done, name, turns=3) for name in "ab"]
    calls[0].due = 2.0
    with engine.lock:
        for call in calls:
            engine.enter(call)
    busy[0].release.set()  # one thread for both: the others stay where they are
    assert all(call.over.wait(30) for call in calls)
    assert done == ["held", "a", "b", "a", "b", "a", "b", "a interim"]
    for each in busy:
        each.release.set()


def test_no_two_threads_are_in_one_call(engine: LocalEngine) -> None:
    done = list[str]()
    (one,) = held(engine, done, 1)
    one.turns = 5
    with engine.lock:
        for _ in range(thread_count()):
            engine.wake()
    other = Last(done, "other")
    engine.enter(other)
    assert other.over.wait(30)
    assert done == ["other"]
    one.release.set()
    assert one.over.wait(30)


def test_a_call_that_fails_ends_with_its_error_and_the_next_is_served(engine: LocalEngine, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Work):
        def work(self) -> None:
            raise ZeroDivisionError("odd")

    failing, other = Failing([]), Last(list[str](), turns=1)
    engine.enter(failing)
    assert failing.over.wait(30)
    assert str(failing.result) == "local failed: odd"
    engine.enter(other)
    assert other.over.wait(30)
    assert "the engine failed on a call" in caplog.text
    caplog.clear()


def test_closing_ends_the_calls_that_still_run() -> None:
    engine, waiting = LocalEngine(), Work([], turns=0)
    engine.load()
    engine.enter(waiting)
    engine.close()
    assert waiting.result is False
    with pytest.raises(ProviderError, match="closed"):
        engine.enter(Work([]))
