"""The webhooks' outbox: what programs outside are still to be sent of the calls, kept beside the calls themselves.

**The log is the outbox.** Nothing is copied. A *queue* says how far one webhook is with one call: everything up to `done` was delivered or
set aside, and the newest event that the webhook wants is `news`. The queue is written in the transaction that stores the event, so an event
that is stored is delivered, whoever is killed when. It is removed once nothing is left to be sent. An event that could not be delivered
for a day is set aside as a *dead letter*, of which only the place in the log is kept. So whatever erases a call erases all that the outbox
has of it.

Every method blocks, and raises ArchiveError. Knows events as bytes with an offset and a type. Does not know how anything is sent.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import msgspec

Types: TypeAlias = frozenset[str] | None
"""Types of events. None: all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What a webhook is still to be sent of one call."""

    webhook: str
    number: int
    """The call's."""
    epoch: str
    done: int
    """The offset up to which everything was delivered or set aside."""
    news: int
    """The offset of the newest event that the webhook wants."""
    failures: int
    """How often in a row the next event could not be delivered."""
    failing_since: float | None
    """Unix seconds of the first of these failures. None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An event that is to be sent."""

    call_sid: str
    offset: int
    payload: bytes
    again: bool = False
    """Whether it was set aside before, and somebody wants it to be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that was not delivered."""

    webhook: str
    call_sid: str
    offset: int
    type: str
    at: float
    """When it was set aside, in Unix seconds."""
    attempts: int
    """How often the call's next event had been tried by then. 0: the receiver was known to be away."""
    problem: str
    """What was wrong with the last attempt. Never words of the receiver's answer."""
    again: bool
    """Whether it is to be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is left to be sent to one webhook."""

    calls: int
    """Calls of which something is to be sent."""
    failing_since: float | None
    """Unix seconds of the oldest failure that no success of the same call has followed. None where there is none."""
    problem: str
    """What was wrong then. Empty where nothing was."""
    dead: int
    """Dead letters, without those that are to be sent again."""


class Undelivered(Protocol):
    """What is still to be sent."""

    wanted: Mapping[str, Types]
    """The types of events that each webhook wants. Empty: nothing is put into the outbox. Set before the first call."""

    on_news: Callable[[Collection[str]], None]
    """Called in the thread that writes, with the names of the webhooks that something was stored for. It must not raise."""

    def due(self, webhook: str, now: float, limit: int, beside: Collection[int] = ()) -> list[Queue]:
        """Return the queues that may be served at this moment, the one that waits longest first. Not those of the calls `beside`."""

    def pending(self, queue: Queue, types: Types) -> list[Pending]:
        """Return what is to be sent next of a call, in this order: what is to be sent again first.

        Empty where there is nothing, or the call was erased.
        """

    def delivered(self, queue: Queue, sent: Pending) -> bool:
        """Note that an event was delivered, or is of no interest. `pending` does not return it again.

        Return False if there is no such queue any more: nothing is left to be sent, or the call was erased, or its log is another one. Then
        nothing else that was read of it may be sent.
        """

    def failed(self, queue: Queue, now: float, next_at: float, problem: str) -> None:
        """Note that the next event could not be delivered, and when to try again."""

    def set_aside(self, queue: Queue, given_up: Pending, now: float, problem: str) -> None:
        """Make an event a dead letter, and go on behind it."""

    def settle(self, queue: Queue) -> None:
        """Remove a queue in which `pending` found nothing. It stays where something came meanwhile."""

    def hurry(self, webhook: str) -> None:
        """Make all queues of a webhook due at once: its receiver answers again."""

    def backlogs(self) -> dict[str, Backlog]:
        """Return what is left to be sent, by webhook. One with nothing is not in it."""

    def dead_letters(self, webhook: str = "", call_sid: str = "") -> list[DeadLetter]:
        """Return the dead letters of a webhook, of a call, or all, the oldest first."""

    def send_again(self, webhook: str, call_sid: str = "") -> int:
        """Have dead letters of a webhook sent again: those of a call, or all. Return how many."""

    def replay(self, webhook: str, call_sid: str) -> bool:
        """Have a call sent to a webhook once more from its first event on. Return whether there is such a call."""


class _Typed(msgspec.Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed)


def type_of(payload: bytes) -> str:
    """Return the type of an event. Empty for what is none."""
    try:
        return _typed.decode(payload).type
    except msgspec.MsgspecError:
        return ""


@dataclass(frozen=True, slots=True)
class WantedRange:
    """The range of events of a batch that a webhook wants."""

    webhook: str
    first: int
    last: int


def news_of(wanted: Mapping[str, Types], events: Collection[tuple[int, bytes]]) -> Iterator[WantedRange]:
    """Yield for each webhook that wants any of these events, given with their offsets, the first and the last that it wants."""
    if not events:
        return
    kinds = [(offset, type_of(payload)) for offset, payload in events]
    for webhook, types in wanted.items():
        offsets = [offset for offset, kind in kinds if types is None or kind in types]
        if offsets:
            yield WantedRange(webhook, offsets[0], offsets[-1])
