"""What a stream of all calls follows: every call that its token allows, from the reader's position on, live ones and those that come.

A call is followed as at `/client`. What is special is the position behind each message, which is one in all calls (`positions.py`). So
messages are framed for this reader alone, right before they are written. Knows what a grant allows. Does not know the connection.
"""

import asyncio

from aiohttp import web

from hub.archive.archive import ArchiveError
from hub.broker.broker import BrokerError
from hub.events import Durable, Position, Subscribed, Watching, encode, stamped
from hub.tokens import Grant
from hub.topics.audience import Following
from hub.topics.log import Log
from hub.topics.outbox import Frame
from hub.topics.record import Record
from hub.web.doors import protocol as wire
from hub.web.doors.archived_since import ArchivedSince
from hub.web.doors.bringing import reached
from hub.web.doors.event_stream import EventStream
from hub.web.doors.positions import MARGIN_SECONDS, MOST_BYTES, AllCallsPosition
from hub.web.doors.subscriptions import CALLS_PER_TURN
from hub.web.event_frames import block, chunk, stamp_of
from hub.web.state import State

LOOK_SECONDS = 0.05
"""How often it is looked whether the reader has taken one call, before the next is sent."""

JUST_BEFORE_SECONDS = 0.002
"""A call may begin in the millisecond in which a reader comes."""

LATE_SECONDS = 600.0
"""Events that come after the end of a call, when its recording is stored for example, come within this time of it, as good as always."""


class AllCalls:
    """The calls that one stream follows."""

    def __init__(self, state: State, grant: Grant, stream: EventStream, *, interims: bool) -> None:
        self._state = state
        self._registry = state.registry
        self._grant = grant
        self._stream = stream
        self._interims = interims
        self._position = AllCallsPosition(0.0)
        self._followings: dict[str, Following] = {}
        """By callSid."""
        self._coming: set[str] = set()
        """Calls of other nodes that are followed as soon as their events are here."""
        self._is_joining = True
        """Whether calls that are known have still to be followed."""
        self._troubled_at = float("-inf")
        """When the broker was away, in Unix seconds: what other nodes publish may come late."""
        self._chunks = True
        self._known: list[Record] = []
        """Calls that were known when the reader came, and have still to be followed."""
        self._archived = ArchivedSince()

    def frame_for(self, *, chunks: bool) -> Frame:
        """Return what makes a message a block, with the position behind it. `chunks`: as a chunk of HTTP/1.1."""
        self._chunks = chunks
        return self._frame

    def begin(self, after: AllCallsPosition | None, archived: ArchivedSince) -> None:
        """Follow all calls from a position on. `archived`: those that are in memory no longer. Never waits."""
        self._archived = archived
        self._registry.watch(self._announced)
        now, known = self._registry.wall(), [record for record in self._registry.allowed(self._grant) if self._allows(record)]
        whole = archived.whole
        if after is None:
            self._position = AllCallsPosition(now - JUST_BEFORE_SECONDS)
            for record in known:
                if record.live:
                    self._position.reach(record.topic.log.epoch, 0, now)
        else:
            self._position = after
            gone = after.epochs - {record.topic.log.epoch for record in known} - archived.epochs.keys()
            for epoch in gone:
                after.drop(epoch)
            after.settle(self._done(known))
            whole = whole and not gone
        if len(self._position.text()) > MOST_BYTES:
            self._crowded()
            return
        self._stream.outbox.answer(encode(Watching(whole=whole, at=self._registry.now())))
        self._known = known

    async def run(self) -> web.StreamResponse:
        """Send the calls until one side has enough."""
        async with asyncio.TaskGroup() as group:
            joining = group.create_task(self._join_or_end())
            answer = await self._stream.run()
            joining.cancel()
        return answer

    def close(self) -> None:
        """Follow nothing any more."""
        self._registry.unwatch(self._announced)
        for following in self._followings.values():
            following.audience.leave(following)
        self._followings.clear()

    async def _join_or_end(self) -> None:
        """Follow the calls that were known when the reader came. Where one cannot be read now, end the stream: the reader comes back."""
        try:
            await self._join_all()
        except ArchiveError as error:
            self._stream.refuse(error.code, str(error), wire.FAILED)
        except BrokerError:
            self._stream.end(wire.FAILED)

    async def _join_all(self) -> None:
        """Follow the calls that were known when the reader came."""
        for at, record in enumerate(self._known, 1):
            await self._join(record)
            if at % CALLS_PER_TURN == 0:
                await self._state.turns.next()
        self._known = []
        for call_sid in self._archived.call_sids:
            found = await self._state.recall.find(self._grant, call_sid)
            if isinstance(found, Record):
                await self._join(found)
        self._is_joining = False

    async def _taken(self) -> None:
        """Return once the reader has taken what it was sent so far."""
        while self._stream.outbox.behind:  # noqa: ASYNC110  an outbox tells nobody
            await asyncio.sleep(LOOK_SECONDS)

    def _announced(self, record: Record, event: Durable, payload: bytes) -> None:  # noqa: ARG002  the registry's watch
        """Follow a call that has news, and is not followed yet. The registry calls this."""
        if not self._follows(record) and self._allows(record):
            self._bring(record)

    async def _join(self, record: Record) -> None:
        """Follow a call from where the reader is. One of another node is brought so far first. Raises: BrokerError."""
        if self._follows(record) or not (record.loaded or self._lacks(record)):
            return
        await self._taken()  # so that answers do not pile up, and one call after the other is in memory
        epoch = record.topic.log.epoch
        offset = self._position.offset(epoch)
        await reached(self._state, record.call_sid, Position(epoch, offset) if offset is not None else None)
        found = self._registry.find(record.call_sid)
        if found is not None:
            self._follow_here(found)

    def _bring(self, record: Record) -> None:
        if record.call_sid not in self._coming:
            self._coming.add(record.call_sid)
            self._state.recall.soon(record, self._came)

    def _came(self, record: Record) -> None:
        """The events of a call are here. At once, if it is this node's."""
        self._coming.discard(record.call_sid)
        offset = self._position.offset(record.topic.log.epoch)
        if offset is None or offset <= record.topic.log.offset:  # otherwise it is still to be joined
            self._follow_here(record)

    def _follow_here(self, record: Record) -> None:
        """Follow a call whose events are here, unless it is followed."""
        if record.loaded and not self._stream.outbox.closed and not self._follows(record) and self._allows(record):
            self._follow(record)

    def _lacks(self, record: Record) -> bool:
        """Return whether a call of another node may have something that the reader has not."""
        summary = record.summary()
        reached = self._position.offset(summary.epoch)
        if record.live:
            return True
        return summary.offset > reached if reached is not None else (summary.ended_at or "") > self._position.latest

    def _follow(self, record: Record) -> None:
        topic = record.topic
        if (earlier := self._followings.pop(record.call_sid, None)) is not None:  # a call of the same callSid that the hub has forgotten
            earlier.audience.leave(earlier)
        reached = self._position.offset(topic.log.epoch)
        offset, is_kept = (reached, True) if reached is not None else offset_at(topic.log, self._position.latest)
        following, whole = topic.audience.follow(
            self._stream.outbox, after=Position(topic.log.epoch, offset), interims=self._interims, alone=True
        )
        self._followings[record.call_sid] = following
        if len(self._followings) % CALLS_PER_TURN == 0:
            self._followings = {call_sid: each for call_sid, each in self._followings.items() if not each.left}
        if record.live or following.offset < topic.log.offset:
            self._state.access_log.note(self._grant.subject, "watch" if record.live else "replay", record.call_sid, "among all calls")
            answer = Subscribed(
                call_sid=record.call_sid, epoch=topic.log.epoch, offset=following.offset, whole=whole and is_kept, newest=topic.log.offset,
                at=self._registry.now(),
            )  # fmt: skip
            self._stream.outbox.answer(encode(answer))
        self._stream.outbox.news(following)

    def _done(self, known: list[Record]) -> dict[str, str]:
        """Return the calls that are over and of which the reader has all, by epoch, and when their newest events were published (`at`)."""
        done = dict(self._archived.epochs)
        for record in known:
            done.pop(record.topic.log.epoch, None)
            if (at := self._done_at(record)) is not None:
                done[record.topic.log.epoch] = at
        return done

    def _done_at(self, record: Record) -> str | None:
        log, offset = record.topic.log, record.summary().offset
        if record.live or self._position.offset(log.epoch) != offset:
            return None
        if record.loaded and log.first <= offset:
            (payload,) = log.between(offset - 1, offset)
            return stamp_of(payload).at
        ended_at = record.summary().ended_at
        return ended_at if ended_at is not None and ended_at < stamped(self._registry.wall() - LATE_SECONDS) else None

    def _follows(self, record: Record) -> bool:
        """Return whether this very call is followed, not an earlier one of the same callSid."""
        following = self._followings.get(record.call_sid)
        return following is not None and following.audience is record.topic.audience

    def _allows(self, record: Record) -> bool:
        return self._state.recall.allows(self._grant, record)

    def _frame(self, payload: bytes) -> bytes:
        """Return a message as it is about to be written: the reader then is where the block's `id` says."""
        stamp, text = stamp_of(payload), ""
        if stamp.epoch:
            now = self._registry.wall()
            self._position.reach(stamp.epoch, stamp.offset, now)
            if self._is_up_to_date(now):
                self._position.advance(now - MARGIN_SECONDS)
            if stamp.type == "subscribed" and stamp.whole:
                return self._made(payload)  # the reader is where it was
            text = self._position.text()
            if len(text) > MOST_BYTES:
                asyncio.get_running_loop().call_soon(self._crowded)
        return self._made(payload, text)

    def _made(self, payload: bytes, text: str = "") -> bytes:
        made = block(payload, text)
        return chunk(made) if self._chunks else made

    def _is_up_to_date(self, now: float) -> bool:
        """Return whether everything that was published a while ago was handed over, so that the position's moment may move on."""
        cluster = self._state.cluster
        if cluster is not None and cluster.broker.trouble:
            self._troubled_at = now
        return not (self._is_joining or self._coming or self._stream.outbox.behind or now - self._troubled_at < MARGIN_SECONDS)

    def _crowded(self) -> None:
        self._stream.refuse(
            "too-many", "too many calls speak at once for one position: follow them one by one, or at /client", wire.FORBIDDEN
        )


def offset_at(log: Log, latest: str) -> tuple[int, bool]:
    """Return the offset of the newest event that was published up to a moment (`at`), and whether all later ones are kept."""
    offset = log.offset
    while offset >= log.first:
        (payload,) = log.between(offset - 1, offset)
        if stamp_of(payload).at <= latest:
            return offset, True
        offset -= 1
    return offset, log.first == 1
