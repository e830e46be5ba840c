"""The model's clock is the sum of the audio that it was sent; call time is Twilio's."""

from hypothesis import given
from hypothesis import strategies as st

from hub.agents.model_clock import HOLE_MS, MOST_HOLES, ModelClock


def test_before_any_audio_the_two_are_one() -> None:
    assert ModelClock().call_ms(100.0) == 100.0


def test_a_stream_that_began_later_than_the_call_is_that_much_later() -> None:
    clock = ModelClock()
    clock.sent(5000, 160)
    assert clock.call_ms(15.0) == 5015.0


def test_jitter_is_no_hole_and_a_hole_is() -> None:
    clock = ModelClock()
    clock.sent(0, 160)
    clock.sent(20 + HOLE_MS - 1, 160)
    assert clock.call_ms(30.0) == 30.0
    clock.sent(40 + HOLE_MS, 160)
    assert (clock.call_ms(39.0), clock.call_ms(40.0)) == (39.0, 40.0 + HOLE_MS)


def test_a_clock_that_goes_back_is_followed() -> None:
    clock = ModelClock()
    clock.sent(10_000, 800)
    clock.sent(0, 800)
    assert (clock.call_ms(50.0), clock.call_ms(150.0)) == (10_050.0, 50.0)


def test_a_stream_full_of_holes_costs_bounded_memory_and_is_right_about_its_end() -> None:
    clock = ModelClock()
    for number in range(MOST_HOLES + 500):
        clock.sent(number * 1000, 160)
    assert len(clock._anchors) == MOST_HOLES
    assert clock.call_ms((MOST_HOLES + 499) * 20.0 + 5) == (MOST_HOLES + 499) * 1000.0 + 5


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 100)), min_size=1, max_size=30))
def test_each_ms_that_was_sent_is_within_a_hole_of_its_own_call_time(frames: list[tuple[int, int]]) -> None:
    clock, at_ms, model_ms, truth = ModelClock(), 0, 0, []
    for pause_ms, duration_ms in frames:
        at_ms += pause_ms
        clock.sent(at_ms, duration_ms * 8)
        truth.append((model_ms, at_ms))
        at_ms += duration_ms
        model_ms += duration_ms
    for model_at, call_at in truth:
        assert abs(clock.call_ms(model_at) - call_at) < HOLE_MS
