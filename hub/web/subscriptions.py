"""What one socket at `/client` follows: calls, numbers, the list of all calls. Knows what a grant allows, not how it was shown; no socket.

Nothing here waits: what is found in the registry and what is said about it happen in one turn, so no event falls between them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hub.events import CallList, CallStarted, Durable, Part, Refusal, Subscribed, Unsubscribed, Watching, encode
from hub.tokens import Grant
from hub.topics.audience import Following
from hub.topics.log import Position
from hub.topics.outbox import Outbox
from hub.topics.registry import Record, Registry
from hub.web.protocol import Subscribe, Unsubscribe

MOST_CALLS = 5000
"""CallList one socket may follow: more than a node can carry."""

MOST_NUMBERS = 1000
"""Numbers one socket may follow; who has more follows all calls."""

NO_SUCH_CALL = "no such call: it has not begun, or ended too long ago"


@dataclass(slots=True)
class NumberWatch:
    """A number whose calls are followed."""

    interims: bool
    brought: set[str] = field(default_factory=set)
    """callSids that are followed because of it."""


class Subscriptions:
    """Follows, and says on the outbox what came of it."""

    __slots__ = ("_followings", "_lists_all", "_numbers", "_on_complete", "_outbox", "_registry", "_watches", "grant", "stay")

    def __init__(self, registry: Registry, outbox: Outbox, grant: Grant, on_complete: Callable[[], None]) -> None:
        """`on_complete` is called when the last event of every call went out and only bare callSids were asked for."""
        self._registry = registry
        self._outbox = outbox
        self._on_complete = on_complete
        self.grant = grant
        """What may be seen; see `narrow`."""
        self._followings: dict[str, Following] = {}
        """By callSid; also of calls that the hub has forgotten since."""
        self._numbers: dict[str, NumberWatch] = {}
        """Numbers whose calls are followed."""
        self._lists_all = False
        """Whether starts and ends of all calls are told."""
        self._watches = False
        """Whether the registry tells us about calls."""
        self.stay = False
        """Whether something was subscribed to by JSON, so that the end of a call is not the end of it all."""

    def close(self) -> None:
        """Follow nothing any more."""
        self._registry.unwatch(self._announced)
        for following in self._followings.values():
            following.audience.leave(following)
        self._followings.clear()

    def narrow(self, grant: Grant) -> None:
        """Take another grant, and follow no longer what it does not allow."""
        self.grant = grant
        for number in [number for number in self._numbers if not grant.allows_number(number)]:
            self.unsubscribe(Unsubscribe(number=number))
        for call_sid, following in list(self._followings.items()):
            record = self._registry.find(call_sid)
            if record is None or record.topic.audience is not following.audience or not self.allows(record):
                self.unsubscribe(Unsubscribe(call_sid=call_sid))

    def allows(self, record: Record) -> bool:
        """Return whether a call may be seen."""
        return self.grant.allows(record.call_sid, *record.numbers)

    def live(self) -> list[str]:
        """Return the callSids of live calls that may be seen, oldest first."""
        return [record.call_sid for record in self._registry if record.live and self.allows(record)]

    def follow_bare(self, call_sid: str) -> bool:
        """Follow one call by hand, from its start to its end; return False when there is no such call."""
        record = self._find(call_sid)
        if record is not None:
            following, _ = record.topic.audience.follow(self._outbox, on_complete=self._completed)
            self._followings[call_sid] = following
            self._outbox.news(following)
            return True
        known = self._registry.find(call_sid)
        return known is not None and self.allows(known)

    def subscribe(self, request: Subscribe) -> None:
        """Do what a program asks for."""
        match request:
            case Subscribe(call_sid=str() as call_sid):
                if (record := self._find(call_sid)) is not None:
                    self.stay = True
                    self._follow(record, request.after, interims=request.interims)
            case Subscribe(number=str() as number):
                self._subscribe_number(number, interims=request.interims)
            case _:
                self._subscribe_all()

    def unsubscribe(self, request: Unsubscribe) -> None:
        """Undo it. With a number go the calls it brought."""
        match request:
            case Unsubscribe(call_sid=str() as call_sid):
                known = self._leave(call_sid)
                for watch in self._numbers.values():
                    watch.brought.discard(call_sid)
            case Unsubscribe(number=str() as number):
                watched = self._numbers.pop(number, None)
                known = watched is not None
                for call_sid in watched.brought if watched is not None else ():
                    self._leave(call_sid)
            case _:
                known, self._lists_all = self._lists_all, False
        if known:
            self._answer(Unsubscribed(call_sid=request.call_sid, number=request.number, calls=request.calls, at=self._registry.now()))
        else:
            self.refuse("not-subscribed", "nothing to unsubscribe from", request.call_sid)

    def refuse(self, code: str, message: str, call_sid: str | None = None) -> None:
        """Say that something is not done, and why."""
        self._answer(Refusal(code=code, message=message, call_sid=call_sid, at=self._registry.now()))

    def _find(self, call_sid: str) -> Record | None:
        """Return the call if it may be followed now; otherwise say why not. Forbidden is answered as unknown is."""
        record = self._registry.find(call_sid)
        if record is None or not self.allows(record):
            self.refuse("unknown-call", NO_SUCH_CALL, call_sid)
            return None
        if self._follows(record):
            self.refuse("already-subscribed", "this socket follows that call already", call_sid)
            return None
        return record if self._has_room(call_sid) else None

    def _follows(self, record: Record) -> bool:
        """Return whether this call is followed: this one, not an earlier of the same callSid that the hub has forgotten."""
        following = self._followings.get(record.call_sid)
        return following is not None and following.audience is record.topic.audience

    def _has_room(self, call_sid: str) -> bool:
        if len(self._followings) >= MOST_CALLS:
            self._followings = {sid: each for sid, each in self._followings.items() if not each.left}
        if len(self._followings) < MOST_CALLS:
            return True
        self.refuse("too-many", f"a socket may follow {MOST_CALLS} calls", call_sid)
        return False

    def _follow(self, record: Record, after: Position | None, *, interims: bool, number: str | None = None) -> None:
        topic = record.topic
        self._leave(record.call_sid)  # an earlier one of the same callSid
        following, whole = topic.audience.follow(self._outbox, after=after, interims=interims)
        self._followings[record.call_sid] = following
        now = self._registry.now()
        self._answer(
            Subscribed(call_sid=record.call_sid, epoch=topic.log.epoch, offset=following.offset, whole=whole, number=number, at=now)
        )
        self._outbox.news(following)

    def _leave(self, call_sid: str) -> bool:
        following = self._followings.pop(call_sid, None)
        if following is None:
            return False
        following.audience.leave(following)
        return True

    def _subscribe_number(self, number: str, *, interims: bool) -> None:
        if not self.grant.allows_number(number):
            self.refuse("not-allowed", "the token does not name this number")
            return
        if number in self._numbers:
            self.refuse("already-subscribed", "this socket follows that number already")
            return
        if len(self._numbers) >= MOST_NUMBERS:
            self.refuse("too-many", f"a socket may follow {MOST_NUMBERS} numbers")
            return
        self.stay = True
        watch = self._numbers[number] = NumberWatch(interims)
        self._watch()
        self._answer(Watching(number=number, at=self._registry.now()))
        for record in self._registry:
            if record.live and number in record.numbers:
                self._follow_for(number, watch, record)

    def _follow_for(self, number: str, watch: NumberWatch, record: Record) -> None:
        """Follow a call because of a number, unless it is followed already."""
        if not self._follows(record) and self._has_room(record.call_sid):
            watch.brought.add(record.call_sid)
            self._follow(record, None, interims=watch.interims, number=number)

    def _subscribe_all(self) -> None:
        if self._lists_all:
            self.refuse("already-subscribed", "this socket follows the list of calls already")
            return
        self.stay = self._lists_all = True
        self._watch()
        self._answer(CallList(calls=[record.summary() for record in self._registry if self.allows(record)], at=self._registry.now()))

    def _watch(self) -> None:
        if not self._watches:
            self._watches = True
            self._registry.watch(self._announced)

    def _announced(self, record: Record, event: Durable) -> None:
        """Hear from the registry that something happened to a call as a whole."""
        if self._numbers and isinstance(event, CallStarted):
            for number in record.numbers:
                if number is not None and (watch := self._numbers.get(number)) is not None:
                    self._follow_for(number, watch, record)
        # Not twice on one socket: who follows the call is told there, in its order.
        if self._lists_all and self.allows(record) and not self._follows(record):
            self._answer(event)

    def _completed(self, _: Following) -> None:
        if not self.stay and all(each.complete for each in self._followings.values()):
            self._on_complete()

    def _answer(self, answer: Part) -> None:
        self._outbox.answer(encode(answer))
