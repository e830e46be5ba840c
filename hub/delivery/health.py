"""How well a receiver is, and from that: how many messages it is sent at once, and when the next one.

A call whose message fails is tried again by itself, after a wait that grows. When several messages fail in a row, with no success between
them, it is the receiver that fails: then one message at a time is tried, now and then, until one succeeds. So a receiver that comes back
after an hour is not met by a thousand calls at once, and one message that it cannot take does not keep the other calls waiting.

Knows moments in Unix seconds. Pure, but for the chance in the waits. Does not know what is sent.
"""

from hub.backoff import Backoff
from hub.delivery.receiver import Outcome

AT_ONCE = 8
"""Calls that a receiver is told of at the same time. With 50 ms for an answer that is 160 messages per second."""

DOUBTED_AFTER = 3
"""So many failures in a row, of whichever calls, are the receiver's."""

OF_CALL = Backoff(first_seconds=5.0, longest_seconds=3600.0)
"""Between the attempts of one call's message: about thirty in a day."""

OF_RECEIVER = Backoff(first_seconds=5.0, longest_seconds=300.0)
"""Between the attempts at a receiver that fails: one that comes back is noticed within five minutes."""

OF_GONE = Backoff(first_seconds=3600.0, longest_seconds=3600.0)
"""Between the attempts at an address where there is no receiver any more (404, 410)."""

ASKED_SECONDS_MOST = 3600.0
"""A receiver that asks to be left alone for longer is tried all the same: its clock or its answer may be wrong."""

GIVE_UP_SECONDS = 86400.0
"""For so long is a message tried before it becomes a dead letter."""


class Health:
    """One receiver's health."""

    def __init__(self, failing_since: float | None = None) -> None:
        """`failing_since`: what an earlier process noted. None: nothing."""
        self.failures = 0
        """Failures in a row, of whichever calls."""
        self.failing_since = failing_since
        """When the first of them was. None while there is none."""
        self.rests_until = 0.0
        """Nothing is sent before this moment."""

    @property
    def doubted(self) -> bool:
        """Whether it is the receiver that fails, and not this or that message."""
        return self.failures >= DOUBTED_AFTER

    @property
    def at_once(self) -> int:
        """How many calls it may be told of at the same time."""
        return 1 if self.doubted else AT_ONCE

    def hopeless(self, now: float) -> bool:
        """Return whether it has answered nothing well for so long that messages as old as that are given up without an attempt."""
        return self.doubted and self.failing_since is not None and now - self.failing_since >= GIVE_UP_SECONDS

    def succeeded(self) -> bool:
        """Take note that it took a message. Return whether it was doubted until now."""
        was_doubted = self.doubted
        self.failures, self.failing_since, self.rests_until = 0, None, 0.0
        return was_doubted

    def failed(self, outcome: Outcome, now: float) -> bool:
        """Take note of a failure. Return whether it is doubted now and was not before."""
        if now < self.rests_until:  # the others that were under way when it began to fail say nothing new
            return False
        was_doubted = self.doubted
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = now
        if outcome.gone:
            self.failures = max(self.failures, DOUBTED_AFTER)
            self.rests_until = now + OF_GONE.wait_seconds(1)
        elif outcome.wait_seconds:
            self.rests_until = now + min(outcome.wait_seconds, ASKED_SECONDS_MOST)
        elif self.doubted:
            self.rests_until = now + OF_RECEIVER.wait_seconds(self.failures - DOUBTED_AFTER + 1)
        return self.doubted and not was_doubted


def next_attempt(failures: int, outcome: Outcome, now: float) -> float:
    """Return when a call's message is tried again that has failed so often, from 1."""
    if outcome.gone:
        return now + OF_GONE.wait_seconds(1)
    return now + max(OF_CALL.wait_seconds(failures), min(outcome.wait_seconds, ASKED_SECONDS_MOST))


def is_over(event_at: float, failing_since: float | None, now: float) -> bool:
    """Return whether an event, which has just failed, was tried for long enough. `failing_since`: of its call."""
    since = now if failing_since is None else failing_since
    return now - max(event_at, since) >= GIVE_UP_SECONDS
