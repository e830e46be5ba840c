"""One call of another node whose events are here, or are about to be. Knows how far it is. Does not know how the events come."""

import asyncio
import time
from collections.abc import Callable

from hub.broker.bodies import Revised
from hub.events import Final, decode_durable
from hub.topics.record import Record

ANOTHER = "the call has got another log meanwhile: try again"
"""Why a call's events could not be brought whose record was replaced."""


class Attempt:
    """One attempt to bring a call's events, for all who wait for them."""

    __slots__ = ("over", "problem")

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.problem = ""
        """Why it failed, in words. Empty if it did not."""


class Replica:
    """A call of another node, as far as it is here."""

    __slots__ = (
        "_used_at", "asks", "attempt", "generation", "held", "listens", "missed", "owner", "queued", "record", "then", "was_subscribed",
    )  # fmt: skip

    def __init__(self, record: Record) -> None:
        self.record = record
        self.owner = record.owner
        """Id of the node that is known to own the call."""
        self.generation = record.generation
        """The owner's. What an owner of an older generation sends is not taken."""
        self.listens = False
        """Whether the call's topic is listened to."""
        self.was_subscribed = False
        """Whether the broker has said that it is listened to."""
        self.asks = False
        """Whether the owner is to be told that this node listens."""
        self.queued = False
        """Whether the log is being read, or about to be."""
        self.missed = False
        """Whether there may be events that are not here, and that no reading which has begun will bring."""
        self.held: dict[str, Revised] = {}
        """The newest interim of each utterance, while events that come before it are not here."""
        self.then: list[Callable[[Record], None]] = []
        """Called once the events are here."""
        self.attempt = Attempt()
        self._used_at = time.monotonic()

    def used(self) -> None:
        """Take note that somebody reads the call now."""
        self._used_at = time.monotonic()

    def idle_seconds(self, *, followed: bool) -> float:
        """Return for how long nobody has read the call. `followed`: somebody does now."""
        if followed:
            self.used()
            return 0.0
        return time.monotonic() - self._used_at

    def filled(self) -> None:
        """The events are here: tell those who wait for them."""
        if not self.record.loaded:
            self.fail(ANOTHER)
            return
        self.attempt.over.set()
        then, self.then = self.then, []
        for each in then:
            each(self.record)

    def fail(self, problem: str) -> None:
        """The events could not be brought: tell those who wait for them."""
        if not self.attempt.over.is_set():
            self.attempt.problem = problem
            self.attempt.over.set()

    def is_over(self, interim: Revised) -> bool:
        """Return whether the utterance's final is here already: then the interim comes too late."""
        log = self.record.topic.log
        utterance = interim.utterance.encode()
        late = log.after(max(interim.after, log.first - 1)) if interim.after < log.offset else []
        return any(utterance in payload and _closes(payload, interim.utterance) for payload in late)


def _closes(payload: bytes, utterance: str) -> bool:
    event = decode_durable(payload)
    return isinstance(event, Final) and event.utterance == utterance
