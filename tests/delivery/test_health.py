"""How a receiver that fails is spared, and how long a message is tried."""

from hub.delivery.health import DOUBTED_AFTER, Health, is_over, next_attempt
from hub.delivery.receiver import Outcome

FAILED = Outcome("answered 500")
DAY = 86400.0


def failing(times: int, outcome: Outcome = FAILED) -> tuple[Health, float]:
    """Return a health after so many failures, each as soon as it may be, and when the last of them was."""
    health, now = Health(), 0.0
    for _ in range(times):
        now = max(now + 1, health.rests_until)
        health.failed(outcome, now)
    return health, now


def test_a_failure_or_two_are_the_messages_own() -> None:
    health, now = failing(DOUBTED_AFTER - 1)
    assert not health.doubted
    assert health.at_once == 8
    assert health.rests_until <= now


def test_several_failures_in_a_row_are_the_receivers() -> None:
    health, now = failing(DOUBTED_AFTER - 1)
    assert health.failed(FAILED, now + 1)
    assert health.doubted
    assert health.at_once == 1
    assert now + 1 + 2.5 <= health.rests_until <= now + 1 + 5
    assert not health.failed(FAILED, now + 1), "others were under way"
    assert health.failures == DOUBTED_AFTER


def test_a_receiver_that_fails_for_long_is_tried_every_few_minutes() -> None:
    health, now = failing(40)
    assert 150 <= health.rests_until - now <= 300


def test_a_success_makes_it_well() -> None:
    health, _ = failing(10)
    assert health.succeeded()
    assert (health.doubted, health.at_once, health.rests_until, health.failing_since) == (False, 8, 0.0, None)
    assert not health.succeeded()


def test_a_receiver_that_is_gone_is_left_alone_for_long() -> None:
    health = Health()
    gone = Outcome("answered 410", gone=True)
    assert health.failed(gone, 100.0)
    assert health.at_once == 1
    assert 1900 <= health.rests_until <= 3700
    assert 1900 <= next_attempt(1, gone, 100.0) <= 3700


def test_a_receiver_is_left_alone_for_as_long_as_it_asks_but_not_for_ever() -> None:
    for asked, rests in ((120.0, 120.0), (1e9, 3600.0)):
        health = Health()
        outcome = Outcome("answered 429", wait_seconds=asked)
        health.failed(outcome, 100.0)
        assert health.rests_until == 100.0 + rests
        assert next_attempt(1, outcome, 100.0) == 100.0 + rests


def test_waits_of_a_message_grow_from_seconds_to_an_hour_with_jitter() -> None:
    assert 2.5 <= next_attempt(1, FAILED, 0.0) <= 5
    assert 1800 <= next_attempt(50, FAILED, 0.0) <= 3600
    assert len({next_attempt(5, FAILED, 0.0) for _ in range(20)}) > 10


def test_a_message_is_tried_for_a_day() -> None:
    assert not is_over(event_at=0.0, failing_since=None, now=10 * DAY), "the hub was off for long: this was the first attempt"
    assert not is_over(event_at=0.0, failing_since=1000.0, now=1000.0 + DAY - 1)
    assert is_over(event_at=0.0, failing_since=1000.0, now=1000.0 + DAY)
    assert not is_over(event_at=DAY, failing_since=1000.0, now=1000.0 + DAY), "this one has come since"


def test_a_receiver_that_has_been_failing_for_a_day_is_hopeless() -> None:
    health, _ = failing(DOUBTED_AFTER)
    assert health.failing_since == 1.0
    assert not health.hopeless(DAY)
    assert health.hopeless(DAY + 1)
    health, _ = failing(1)
    assert not health.hopeless(10 * DAY), "one message that fails is not the receiver"
