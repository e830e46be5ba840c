"""What one socket at `/client` follows: calls, numbers, the list of all calls.

Nothing here awaits. Looking a call up in the registry, answering, and starting to follow it happen in one turn of the event loop, so no
event can fall between them. Knows what a grant allows. Does not know how the token was shown, or the socket.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.events import CallList, CallStarted, Durable, Part, Position, Refusal, Subscribed, Unsubscribed, Watching, encode
from hub.tokens import Grant
from hub.topics.audience import Following
from hub.topics.outbox import Outbox
from hub.topics.record import Record
from hub.web.doors.protocol import Subscribe, Unsubscribe
from hub.web.state import State

CALLS_PER_MESSAGE = 16
"""How many calls in a list cost as much as one message: 5,000 calls cost 312, so that a page may ask for such a list now and then."""

BYTES_PER_MESSAGE = 64 * 1024
"""How much replay costs as much as one message: one socket's share of a turn of the event loop."""

CALLS_PER_TURN = 64
"""Calls that are followed, or whose summaries are made, in one turn of the event loop: about a millisecond."""

NO_SUCH_CALL = "no such call: it has not begun, or ended too long ago"


def made_summaries(records: Iterable[Record]) -> Iterator[None]:
    """Make the summaries of calls that changed since the last time; yield where the event loop should have a turn for others."""
    made = 0
    for record in records:
        if record.summary_is_old:
            record.summary_json()
            made += 1
            if made % CALLS_PER_TURN == 0:
                yield


@dataclass(slots=True)
class NumberWatch:
    """A number whose calls this socket follows."""

    interims: bool
    brought: set[str] = field(default_factory=set)
    """The callSids that are followed because of this number."""


class Subscriptions:
    """One socket's subscriptions: starts and stops them, and answers the subscriber on its outbox."""

    __slots__ = (
        "_access_log",
        "_coming",
        "_followings",
        "_limits",
        "_lists_all",
        "_numbers",
        "_on_complete",
        "_outbox",
        "_recall",
        "_registry",
        "_watches",
        "cost",
        "grant",
        "stay",
    )

    def __init__(self, state: State, outbox: Outbox, grant: Grant, on_complete: Callable[[], None]) -> None:
        """`on_complete` is called when only bare callSids were followed, and the last event of each of these calls was sent."""
        self._registry = state.registry
        self._recall = state.recall
        self._access_log = state.access_log
        self._outbox = outbox
        self._limits = state.limits
        self._on_complete = on_complete
        self.grant = grant
        """What the socket's token allows; see `narrow`."""
        self._followings: dict[str, Following] = {}
        """By callSid. Includes calls that the hub has forgotten since."""
        self._coming: set[str] = set()
        """Calls of other nodes that are followed, because of a number, as soon as their events are here."""
        self._numbers: dict[str, NumberWatch] = {}
        """The numbers whose calls are followed."""
        self._lists_all = False
        """Whether this socket follows the list of all calls."""
        self._watches = False
        """Whether the registry announces calls to this object."""
        self.cost = 0.0
        """What the requests so far cost beyond the messages themselves, in messages. The socket takes it off its allowance."""
        self.stay = False
        """Whether the socket stays open at the end of a call. True once a program subscribed or listened by JSON."""

    def close(self) -> None:
        """Stop following everything, without an answer: the socket is closed."""
        self._registry.unwatch(self._announced)
        for following in self._followings.values():
            following.audience.leave(following)
        self._followings.clear()
        self._numbers.clear()

    def narrow(self, grant: Grant) -> None:
        """Replace the grant, and stop following what the new one does not allow."""
        self.grant = grant
        self.cost += len(self._followings) / CALLS_PER_MESSAGE
        for number in [number for number in self._numbers if not grant.allows_number(number)]:
            self._stop(Unsubscribe(number=number))
        for call_sid, following in list(self._followings.items()):
            record = self._registry.find(call_sid)
            if record is None or record.topic.audience is not following.audience or not self.allows(record):
                self._stop(Unsubscribe(call_sid=call_sid))

    def _stop(self, request: Unsubscribe) -> None:
        """Stop in this very turn what the token no longer allows."""
        for _ in self.unsubscribe(request):
            pass

    def allows(self, record: Record) -> bool:
        """Return whether the token allows this call."""
        return self._recall.allows(self.grant, record)

    def live(self) -> list[str]:
        """Return the callSids of the live calls that the token allows, oldest first."""
        return [record.call_sid for record in self._registry.allowed(self.grant) if record.live]

    def follow_bare(self, call_sid: str) -> bool:
        """Follow one call by its bare callSid, from its start to its end. Return False if there is no such call."""
        record = self._find(call_sid)
        if record is not None:
            following, _ = record.topic.audience.follow(self._outbox, on_complete=self._completed)
            self._followings[call_sid] = following
            self._note(record)
            self._count_replay(record, following)
            self._outbox.news(following)
            return True
        known = self._registry.find(call_sid)
        return known is not None and self.allows(known)

    def subscribe(self, request: Subscribe) -> Iterator[None]:
        """Start what a `subscribe` asks for. Yields where the event loop should have a turn for others; go on until the end."""
        match request:
            case Subscribe(call_sid=str() as call_sid):
                if (record := self._find(call_sid)) is not None:
                    self.stay = True
                    self._follow(record, request.after, interims=request.interims)
            case Subscribe(number=str() as number):
                yield from self._subscribe_number(number, interims=request.interims)
            case _:
                yield from self._subscribe_all()

    def unsubscribe(self, request: Unsubscribe) -> Iterator[None]:
        """Stop what an `unsubscribe` names; yields as `subscribe` does. A number's calls stop with it, except those followed before."""
        match request:
            case Unsubscribe(call_sid=str() as call_sid):
                known = self._leave(call_sid)
                for watch in self._numbers.values():
                    watch.brought.discard(call_sid)
            case Unsubscribe(number=str() as number):
                watched = self._numbers.pop(number, None)
                known = watched is not None
                for at, call_sid in enumerate(watched.brought if watched is not None else (), 1):
                    self._leave(call_sid)
                    if at % CALLS_PER_TURN == 0:
                        yield
            case _:
                known, self._lists_all = self._lists_all, False
        if known:
            self._answer(Unsubscribed(call_sid=request.call_sid, number=request.number, calls=request.calls, at=self._registry.now()))
        else:
            self.refuse("not-subscribed", "this socket is not subscribed to that", request.call_sid)

    def refuse(self, code: str, message: str, call_sid: str | None = None) -> None:
        """Answer that a request is refused, and why."""
        self._answer(Refusal(code=code, message=message, call_sid=call_sid, at=self._registry.now()))

    def _find(self, call_sid: str) -> Record | None:
        """Return the call if it may be followed now; otherwise refuse. A forbidden call is refused like an unknown one."""
        record = self._registry.find(call_sid)
        if record is None or not self.allows(record) or not record.loaded:
            self.refuse("unknown-call", NO_SUCH_CALL, call_sid)
            return None
        if self._follows(record):
            self.refuse("already-subscribed", "this socket already follows that call", call_sid)
            return None
        return record if self._has_room(call_sid) else None

    def _follows(self, record: Record) -> bool:
        """Return whether this very call is followed, not an earlier one of the same callSid that the hub has forgotten."""
        following = self._followings.get(record.call_sid)
        return following is not None and following.audience is record.topic.audience

    def _has_room(self, call_sid: str) -> bool:
        if len(self._followings) >= self._limits.calls_followed:
            self._followings = {sid: each for sid, each in self._followings.items() if not each.left}
        if len(self._followings) < self._limits.calls_followed:
            return True
        self.refuse("too-many", f"a socket may follow {self._limits.calls_followed} calls", call_sid)
        return False

    def _follow(self, record: Record, after: Position | None, *, interims: bool, number: str | None = None) -> None:
        topic = record.topic
        self._leave(record.call_sid)  # an earlier call of the same callSid that the hub has forgotten
        following, whole = topic.audience.follow(self._outbox, after=after, interims=interims)
        self._followings[record.call_sid] = following
        self._note(record, "by its number" if number is not None else "")
        self._count_replay(record, following)
        now = self._registry.now()
        self._answer(
            Subscribed(
                call_sid=record.call_sid,
                epoch=topic.log.epoch,
                offset=following.offset,
                whole=whole,
                newest=topic.log.offset,
                number=number,
                at=now,
            )
        )
        self._outbox.news(following)

    def _note(self, record: Record, detail: str = "") -> None:
        self._access_log.note(self.grant.subject, "watch" if record.live else "replay", record.call_sid, detail)

    def _count_replay(self, record: Record, following: Following) -> None:
        log = record.topic.log
        self.cost += (log.total_bytes - log.bytes_up_to(following.offset)) / BYTES_PER_MESSAGE

    def _leave(self, call_sid: str) -> bool:
        following = self._followings.pop(call_sid, None)
        if following is None:
            return False
        following.audience.leave(following)
        return True

    def _subscribe_number(self, number: str, *, interims: bool) -> Iterator[None]:
        if not self.grant.allows_number(number):
            self.refuse("not-allowed", "the token does not name this number")
            return
        if number in self._numbers:
            self.refuse("already-subscribed", "this socket already follows that number")
            return
        if len(self._numbers) >= self._limits.numbers_followed:
            self.refuse("too-many", f"a socket may follow {self._limits.numbers_followed} numbers")
            return
        self.stay = True
        watch = self._numbers[number] = NumberWatch(interims)
        self._watch()
        self._answer(Watching(number=number, at=self._registry.now()))
        # Calls that begin from here on are announced. Those that are live now are followed one by one, and each from its start.
        calls = self._registry.with_number(number)
        self.cost += len(calls) / CALLS_PER_MESSAGE
        for at, record in enumerate([record for record in calls if record.live], 1):
            self._follow_for(number, watch, record)
            if at % CALLS_PER_TURN == 0:
                yield

    def _follow_for(self, number: str, watch: NumberWatch, record: Record) -> None:
        """Follow a call because of its number, unless this socket already follows it. One of another node is brought first."""
        if self._follows(record):
            return
        if not record.loaded:
            self._coming.add(record.call_sid)
            self._recall.soon(record, lambda loaded: self._came(number, watch, loaded))
        elif self._has_room(record.call_sid):
            watch.brought.add(record.call_sid)
            self._follow(record, None, interims=watch.interims, number=number)

    def _came(self, number: str, watch: NumberWatch, record: Record) -> None:
        """The events of a call of another node are here: follow it, if its number is still followed."""
        self._coming.discard(record.call_sid)
        if self._numbers.get(number) is watch and record.loaded:
            self._follow_for(number, watch, record)

    def _subscribe_all(self) -> Iterator[None]:
        if self._lists_all:
            self.refuse("already-subscribed", "this socket already follows the list of calls")
            return
        yield from made_summaries(self._registry.allowed(self.grant))  # so that few are left to be made in the turn that counts
        self.stay = self._lists_all = True
        self._watch()
        self._access_log.note(self.grant.subject, "list")
        calls: list[Any] = [msgspec.Raw(record.summary_json()) for record in self._registry.allowed(self.grant)]
        self.cost += len(calls) / CALLS_PER_MESSAGE
        self._answer(CallList(calls=calls, at=self._registry.now()))

    def _watch(self) -> None:
        if not self._watches:
            self._watches = True
            self._registry.watch(self._announced, self._erased)

    def _announced(self, record: Record, event: Durable, payload: bytes) -> None:
        """Take an event that concerns a call as a whole; `payload` is how it is sent. The registry calls this."""
        if self._numbers and isinstance(event, CallStarted):
            for number in record.numbers:
                if number is not None and (watch := self._numbers.get(number)) is not None:
                    self._follow_for(number, watch, record)
        # A socket that follows the call gets the event there, in order, and not a second time here.
        if self._lists_all and self.allows(record) and not self._follows(record) and record.call_sid not in self._coming:
            self._outbox.answer(payload)

    def _erased(self, record: Record, told: bytes) -> None:
        """Take the news that a call is erased. Who follows it is told by the registry itself."""
        if self._lists_all and self.allows(record) and not self._follows(record):
            self._outbox.answer(told)

    def _completed(self, _: Following) -> None:
        if not self.stay and all(each.complete for each in self._followings.values()):
            self._on_complete()

    def _answer(self, answer: Part) -> None:
        self._outbox.answer(encode(answer))
