"""One call's ordered events: offset, epoch, history, replay, cursors. Knows events, not their meaning.

`publish`, `revise` and `follow` never await. That is the ordering proof: between taking an offset, keeping the event and putting a
subscriber's cursor nothing else can run, so replay joins live without a hole or a repeat.
"""

import functools
import itertools
from collections.abc import Callable, Iterator

import msgspec

from hub.events import D, Interim, encode, stamped
from hub.topics.outbox import Outbox
from hub.web.protocol import Position, text_frame

HISTORY_BYTES = 16 * 1024 * 1024
"""A call of 24 hours of dense talk is about 10 MB of durable events; a call that exceeds this loses its oldest, and says so (`whole`)."""

SLICE = 128
"""Subscribers served in one go: about a millisecond, so that a large audience never makes another call wait."""


class Following:
    """One subscriber's cursor into one topic. An outbox.Source."""

    __slots__ = (
        "complete",
        "interims",
        "joined",
        "joined_bytes",
        "left",
        "offset",
        "on_complete",
        "outbox",
        "revision",
        "topic",
    )

    def __init__(
        self, topic: "Topic", outbox: Outbox, offset: int, *, interims: bool, on_complete: Callable[["Following"], None] | None
    ) -> None:
        self.topic = topic
        self.outbox = outbox
        self.offset = offset
        """The last durable event handed over."""
        self.interims = interims
        self.revision = 0
        """The topic's revision count up to which interims were handed over."""
        self.joined = (offset, topic.revision - topic.open_interims)
        """Offset and revision from which on it is served."""
        self.joined_bytes = topic.total_bytes
        """How much the topic had ever published when this subscriber came: older bytes are replay, not lag."""
        self.on_complete = on_complete
        self.left = False
        """Whether nothing more is to be handed over."""
        self.complete = False
        """Whether the topic's last event has been handed over."""

    def take(self, room_bytes: int) -> bytes:
        """Return the frames due next, durable ones in order and then the newest interims: all, or at least `room_bytes` of them."""
        topic = self.topic
        data = b""
        if self.offset < topic.offset:
            data = topic.frames_after(self, room_bytes)
        if self.offset == topic.offset:
            if self.revision != topic.revision:
                if self.interims:
                    if self.revision == topic.revision - 1 and not data:  # nearly always
                        data = topic.newest_interim
                    else:
                        data += topic.interims_after(self.revision)
                self.revision = topic.revision
            if topic.ended and not self.complete:
                self.complete = True
                if self.on_complete is not None:
                    topic.soon(functools.partial(self.on_complete, self))
        return data

    def waiting_bytes(self) -> int:
        """Return how many bytes of durable events wait that were published after this subscriber came."""
        return self.topic.total_bytes - max(self.joined_bytes, self.topic.bytes_up_to(self.offset))

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events were handed over, and how many interims it is up to date with, merged ones included."""
        offset, revision = self.joined
        return self.offset - offset, max(0, self.revision - revision) if self.interims else 0


class Topic:
    """The pub/sub stream of one call. One writer; any number of followings."""

    def __init__(self, call_sid: str, epoch: str, clock: Callable[[], float], soon: Callable[[Callable[[], None]], object]) -> None:
        """`clock` gives Unix seconds for `at`; `soon` runs a callback in a later turn of the event loop."""
        self.call_sid = call_sid
        self.epoch = epoch
        self.soon = soon
        self._clock = clock
        self.offset = 0
        """Of the newest durable event; 0 before the first."""
        self.revision = 0
        """How many interims and closings there were: what a cursor compares to know whether it saw the newest."""
        self.ended = False
        """Whether the newest event is the last, as far as anyone knows."""
        self.total_bytes = 0
        """Of all durable frames ever, also those no longer kept."""
        self._frames: list[bytes] = []
        """The history; `_frames[0]` has offset `_first`."""
        self._ends: list[int] = []
        """`total_bytes` after each of them."""
        self._first = 1
        self.newest_interim = b""
        """The frame of the newest interim, for the cursors that saw all before it."""
        self._open: dict[str, tuple[int, bytes]] = {}
        """Newest interim by utterance: its revision count and frame."""
        self.followings: dict[Following, None] = {}
        """In the order they came."""
        self._delivered = (0, 0)
        """What those got who left since, as `delivered`."""
        self._serving = False
        """Whether a slice of the audience is being served, so that news waits for its turn."""
        self._again = False

    def publish(self, event: D, *, closes: str | None = None, last: bool = False) -> D:
        """Give a durable event its offset, keep it, hand it to everyone. Never awaits.

        `closes` names an utterance whose interims this event ends; `last` that nothing is expected to follow. Returns the event as sent.
        """
        self.offset += 1
        event = msgspec.structs.replace(event, at=stamped(self._clock()), epoch=self.epoch, offset=self.offset)
        frame = text_frame(encode(event))
        self.total_bytes += len(frame)
        self._frames.append(frame)
        self._ends.append(self.total_bytes)
        if self.kept_bytes > HISTORY_BYTES:
            self._forget()
        if closes is not None and (closed := self._open.pop(closes, None)) is not None and closed[1] is self.newest_interim:
            self.newest_interim = b""  # an interim must not come after its final
        self.ended = last
        self._serve()
        return event

    def revise(self, interim: Interim) -> None:
        """Hand the newest state of an open utterance to everyone. Never awaits."""
        frame = text_frame(encode(msgspec.structs.replace(interim, at=stamped(self._clock()))))
        self.revision += 1
        self._open[interim.utterance] = (self.revision, frame)
        self.newest_interim = frame
        self._serve()

    def follow(
        self,
        outbox: Outbox,
        *,
        after: Position | None = None,
        interims: bool = True,
        on_complete: Callable[[Following], None] | None = None,
    ) -> tuple[Following, bool]:
        """Put a cursor behind a position, or before everything. Never awaits. What is due goes out with `outbox.news(following)`.

        Returns the following and whether it is whole: False when events after the position are gone or the epoch is another, in which
        case it starts at the oldest event kept. `on_complete` is called, in a later turn, once the topic's last event went out.
        """
        offset, whole = 0, True
        if after is not None:
            if after.epoch == self.epoch and 0 <= after.offset <= self.offset:
                offset = after.offset
            else:
                whole = False
        if offset < self._first - 1:
            offset, whole = self._first - 1, False
        following = Following(self, outbox, offset, interims=interims, on_complete=on_complete)
        self.followings[following] = None
        return following, whole

    def leave(self, following: Following) -> None:
        """Take a cursor away; safe to call twice."""
        if self.followings.pop(following, following) is None:
            following.left = True
            durable, interims = following.delivered
            self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
            following.outbox.discard(following)

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events and interims all followings were handed. Read from the cursors, so it costs no delivery."""
        durable, interims = self._delivered
        for following in self.followings:
            more_durable, more_interims = following.delivered
            durable += more_durable
            interims += more_interims
        return durable, interims

    @property
    def open_interims(self) -> int:
        """How many utterances are open."""
        return len(self._open)

    @property
    def kept_bytes(self) -> int:
        """The size of the history."""
        return self.total_bytes - self._kept_from()

    def clear(self) -> None:
        """Let go of the history: nobody can ask for it any more."""
        self._frames.clear()
        self._ends.clear()
        self._first = self.offset + 1

    def frames_after(self, following: Following, room_bytes: int) -> bytes:
        """Return frames behind a cursor, about `room_bytes` of them and at least one, and move it."""
        if following.offset == self.offset - 1:
            following.offset = self.offset
            return self._frames[-1]
        at = following.offset + 1 - self._first
        size, end = 0, at
        while end < len(self._frames) and (size < room_bytes or end == at):
            size += len(self._frames[end])
            end += 1
        following.offset = self._first + end - 1
        return b"".join(self._frames[at:end])

    def interims_after(self, revision: int) -> bytes:
        """Return the newest interim of each open utterance that was revised since."""
        return b"".join(frame for revised, frame in self._open.values() if revised > revision)

    def bytes_up_to(self, offset: int) -> int:
        """Return the size of all frames up to and including an offset."""
        at = offset - self._first
        return self._ends[at] if at >= 0 else self._kept_from()

    def _kept_from(self) -> int:
        return self._ends[0] - len(self._frames[0]) if self._ends else self.total_bytes

    def _forget(self) -> None:
        """Drop the oldest tenth, not one by one: a list's front is costly to cut."""
        count = max(1, len(self._frames) // 10)
        del self._frames[:count], self._ends[:count]
        self._first += count
        # Who was still reading that, a long replay on a slow line, must not skip it unawares: it comes back and is told `whole: false`.
        for following in list(self.followings):
            if following.offset < self._first - 1:
                following.outbox.cut_off()

    def _serve(self) -> None:
        """Tell every following that there is news: at once to a small audience, in slices over several turns to a large one."""
        if self._serving:
            self._again = True
            return
        if len(self.followings) <= SLICE:
            for following in list(self.followings):
                following.outbox.news(following)
            return
        self._serving = True
        self._serve_slice(iter(list(self.followings)))

    def _serve_slice(self, audience: Iterator[Following]) -> None:
        served = 0
        for following in itertools.islice(audience, SLICE):
            if not following.left:  # since the slices began
                following.outbox.news(following)
            served += 1
        if served == SLICE:
            self.soon(lambda: self._serve_slice(audience))
            return
        self._serving = False
        if self._again:
            self._again = False
            self._serve()
