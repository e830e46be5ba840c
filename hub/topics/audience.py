"""Who follows one call: cursors into its log, the newest interims, and how an event reaches everyone.

`published`, `revise` and `follow` never await. With `Log.append` that is the ordering proof: between appending an event and putting a
subscriber's cursor nothing else can run.

**Replay joined to live.** A subscriber that comes receives the log from its position on, then what is published from now on, without a
hole or a repeat between the two. There are not two sources to be joined: a subscriber is a cursor, and replay and live are the same log
read at two speeds. A subscriber that is behind (it replays, or its socket has no room) has a cursor of its own. One that is up to date
needs none: all of them stand at the same place, the end, so an event is framed once and written to each. For example, of 300 subscribers
299 are up to date and one has a bad line: an event costs 299 writes of the same bytes, and the one is visited when its socket has room.

A large audience is served in slices over several turns of the event loop, so that it never makes another call wait. An event that is
published meanwhile waits for the next pass, which hands over everything since the last one in one write.

Knows events' bytes. Does not know what an event means, nor what is on the other side of an outbox.
"""

import functools
from collections.abc import Callable, Generator
from typing import TypeAlias

import msgspec

from hub.events import Interim, Position, encode, stamped
from hub.topics.log import Log
from hub.topics.outbox import BATCH_BYTES, FREE_BYTES, Frame, Outbox

STATISTICS = "statistics"
"""The name under which a live call's newest figures stand among the open interims: whoever comes gets them, too."""

SLICE = 128
"""Subscribers served in one turn of the event loop: about a millisecond."""

Kind: TypeAlias = tuple[Frame, bool]
"""Subscribers of one kind receive the same bytes: how they are framed, and whether with interims."""


class Following:
    """One subscriber's cursor into one call. An outbox.Source."""

    __slots__ = (
        "_offset",
        "_revision",
        "alone",
        "apart",
        "audience",
        "complete",
        "interims",
        "joined_at",
        "joined_bytes",
        "left",
        "on_complete",
        "outbox",
    )

    def __init__(
        self, audience: "Audience", outbox: Outbox, offset: int, *, interims: bool, on_complete: Callable[["Following"], None] | None
    ) -> None:
        self.audience = audience
        self.outbox = outbox
        self.interims = interims
        self.on_complete = on_complete
        self.alone = False
        """Whether this cursor stays its own, also while the subscriber is up to date."""
        self.apart = True
        """Whether this cursor is its own; False while the subscriber is up to date with all the others that are."""
        self._offset = offset
        """The last durable event handed over. Only meaningful while apart."""
        self._revision = 0
        """The audience's revision up to which interims were handed over. Only meaningful while apart."""
        self.joined_at = (offset, audience.revision - audience.open_interims)
        """Offset and revision from which on the subscriber is served: what the counts of deliveries begin at."""
        self.joined_bytes = audience.log.total_bytes
        """How much the log had ever received when the subscriber came: older bytes are replay, not lag."""
        self.left = False
        """Whether nothing more is to be handed over."""
        self.complete = False
        """Whether the call's last event was handed over."""

    @property
    def offset(self) -> int:
        """The last durable event handed over."""
        return self._offset if self.apart else self.audience.current_offset

    @property
    def revision(self) -> int:
        """The audience's revision up to which interims were handed over."""
        return self._revision if self.apart else self.audience.current_revision

    def take(self, room_bytes: int) -> bytes:
        """Return the messages due next, durable ones in order and then the newest interims: all, or at least `room_bytes` of them."""
        audience, frame = self.audience, self.outbox.frame
        data = b""
        if self._offset < audience.log.offset:
            payloads = audience.log.after(self._offset, room_bytes)
            self._offset += len(payloads)
            data = b"".join(map(frame, payloads))
        if self._offset == audience.log.offset:
            if self.interims and self._revision != audience.revision:
                data += b"".join(map(frame, audience.interims_after(self._revision)))
            self._revision = audience.revision
            if audience.ended:
                self.finish()
        return data

    def finish(self) -> None:
        """The call's last event was handed over: say so once, in a later turn."""
        if not self.complete:
            self.complete = True
            if self.on_complete is not None:
                self.audience.soon(functools.partial(self.on_complete, self))

    def waiting_bytes(self) -> int:
        """Return how many bytes of durable events wait that were published after this subscriber came."""
        log = self.audience.log
        return log.total_bytes - max(self.joined_bytes, log.bytes_up_to(self.offset))

    def part(self, offset: int, revision: int) -> None:
        """Take a cursor of one's own, behind this event."""
        self.apart, self._offset, self._revision = True, offset, revision

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events were handed over, and how many interims the subscriber is up to date with, merged ones included."""
        offset, revision = self.joined_at
        return self.offset - offset, max(0, self.revision - revision) if self.interims else 0


class Audience:
    """Everyone who follows one call, and the interims that are open."""

    def __init__(self, log: Log, clock: Callable[[], float], soon: Callable[[Callable[[], None]], object], slice_size: int = SLICE) -> None:
        """`clock` gives Unix seconds for interims' `at`; `soon` runs a callback in a later turn of the event loop."""
        self.log = log
        self.soon = soon
        self._clock = clock
        self._slice_size = slice_size
        self.revision = 0
        """How many interims there were: what a cursor compares to know whether it saw the newest."""
        self.ended = False
        """Whether the newest event is the last, as far as anyone knows."""
        self._first = log.first
        """The oldest offset in the log when it was last looked at."""
        self._open: dict[str, tuple[int, bytes]] = {}
        """Newest interim by utterance: its revision and payload."""
        self.current_offset = 0
        """The last durable event that every subscriber who is up to date was handed."""
        self.current_revision = 0
        """And the newest interim."""
        self._current: dict[Kind, dict[Following, None]] = {}
        """Subscribers who are up to date, by kind, in the order in which they came to be."""
        self._apart: dict[Following, None] = {}
        """Subscribers with a cursor of their own."""
        self._delivered = (0, 0)
        """Deliveries to followings that have since left."""
        self._pass: Generator[None, None, None] | None = None
        """The pass that is being made, when it takes several turns. None between passes."""
        self._again = False
        """Whether there is news for another pass."""
        self.relay: Callable[[str, bytes], None] | None = None
        """Takes each interim, by its utterance, for readers on other nodes. None while no other node wants them. Must not raise."""

    def restored(self, *, ended: bool) -> None:
        """The log was filled with what an earlier process published. `ended`: nothing is expected to follow."""
        self._first = self.log.first
        self.current_offset, self.ended = self.log.offset, ended

    def published(self, *, closes: str | None, last: bool) -> None:
        """Hand everyone the event that was just appended to the log. Never awaits.

        `closes` names an utterance whose interims the event ends. `last`: nothing is expected to follow.
        """
        if closes is not None:
            self._open.pop(closes, None)  # an interim must not come after its final
        self.ended = last
        if self.log.first != self._first:
            self._first = self.log.first
            self._cut_off_overtaken()
        self._serve()

    def revise(self, interim: Interim) -> None:
        """Hand everyone the newest state of an open utterance. Never awaits."""
        payload = encode(msgspec.structs.replace(interim, at=stamped(self._clock())))
        self.revise_by(interim.utterance, payload)
        if self.relay is not None:
            self.relay(interim.utterance, payload)

    def revise_by(self, utterance: str, payload: bytes) -> None:
        """Hand everyone the newest state of an open utterance, or of the statistics, as it is sent. Never awaits."""
        self.revision += 1
        self._open[utterance] = (self.revision, payload)
        self._serve()

    def follow(
        self,
        outbox: Outbox,
        *,
        after: Position | None = None,
        interims: bool = True,
        on_complete: Callable[[Following], None] | None = None,
        alone: bool = False,
    ) -> tuple[Following, bool]:
        """Put a cursor behind a position, or before everything. Never awaits. What is due goes out with `outbox.news(following)`.

        Returns the following and whether it is whole; see Log.resolve. `on_complete` is called, in a later turn, once the call's last
        event went out.
        """
        offset, whole = self.log.resolve(after)
        following = Following(self, outbox, offset, interims=interims, on_complete=on_complete)
        following.alone = alone
        self._apart[following] = None
        return following, whole

    def leave(self, following: Following) -> None:
        """Take a cursor away; safe to call twice."""
        if following.left:
            return
        durable, interims = following.delivered
        self._delivered = self._delivered[0] + durable, self._delivered[1] + interims
        following.left = True
        self._apart.pop(following, None)
        kind = (following.outbox.frame, following.interims)
        if (group := self._current.get(kind)) is not None:
            group.pop(following, None)
            if not group:
                del self._current[kind]
        following.outbox.discard(following)

    @property
    def followings(self) -> list[Following]:
        """Everyone who follows the call."""
        return [*self._apart, *(following for group in self._current.values() for following in group)]

    def __len__(self) -> int:
        return len(self._apart) + sum(map(len, self._current.values()))

    @property
    def delivered(self) -> tuple[int, int]:
        """How many durable events and interims all subscribers were handed. Read from the cursors, so it costs no delivery."""
        counts = [self._delivered, *(following.delivered for following in self.followings)]
        return sum(durable for durable, _ in counts), sum(interims for _, interims in counts)

    @property
    def open_interims(self) -> int:
        """How many utterances are open."""
        return len(self._open)

    @property
    def newest_interims(self) -> list[tuple[str, bytes]]:
        """The newest interim of each open utterance."""
        return [(utterance, payload) for utterance, (_, payload) in self._open.items() if utterance != STATISTICS]

    def forget_interims(self) -> None:
        """Let go of the open interims: whoever revised them is gone. Who has received them is not told."""
        self._open.clear()

    def interims_after(self, revision: int) -> list[bytes]:
        """Return the newest interim of each open utterance that was revised since."""
        return [payload for revised, payload in self._open.values() if revised > revision]

    def _serve(self) -> None:
        """Hand everyone what is new: a small audience at once, a large one in slices over several turns."""
        if not self._current and not self._apart:  # most calls, most of the time
            self.current_offset, self.current_revision = self.log.offset, self.revision
            return
        if self._pass is not None:
            self._again = True
            return
        self._pass = self._serve_all()
        self._go_on()

    def _go_on(self) -> None:
        """Serve the next slice, and then the next pass if there is news by then."""
        assert self._pass is not None
        over = True
        try:
            for _ in self._pass:
                over = False
                break
        finally:
            if over:  # whatever happened in it: the audience must be served again
                self._pass = None
        if not over:
            self.soon(self._go_on)
        elif self._again:
            self._again = False
            self._serve()

    def _serve_all(self) -> Generator[None, None, None]:
        """Make one pass over the audience; yield after each slice. Nothing that one subscriber does keeps another from being served."""
        log, served = self.log, 0
        offset, revision = self.current_offset, self.current_revision
        new_offset, new_revision, ended = log.offset, self.revision, self.ended
        payloads = log.after(offset) if offset < new_offset else []
        interims = self.interims_after(revision)
        batches = [(kind, list(group)) for kind, group in self._current.items()]
        apart = list(self._apart)
        for (frame, wants_interims), group in batches:
            try:
                data = b"".join(map(frame, [*payloads, *interims] if wants_interims else payloads))
            except Exception as error:  # noqa: BLE001  the subscribers whose door cannot frame an event are given up, the others are served
                for following in group:
                    following.outbox.fail(error)
                continue
            if not data and not ended:
                continue
            fits = len(data) <= BATCH_BYTES or len(payloads) <= 1
            for following in group:
                outbox = following.outbox
                if following.left:  # since the pass began
                    continue
                if fits and outbox.open and outbox.sink.get_write_buffer_size() <= FREE_BYTES:
                    try:
                        outbox.sink.write(data)
                    except RuntimeError:  # see Outbox._put
                        outbox.close()
                    except Exception as error:  # noqa: BLE001  a subscriber is a unit: the others are served
                        outbox.fail(error)
                    if ended:
                        following.finish()
                else:
                    self._part(following, offset, revision)
                    outbox.news(following)
                served += 1
                if served == self._slice_size:
                    served = 0
                    yield
        for following in apart:
            if not following.left:
                following.outbox.news(following)
                served += 1
                if served == self._slice_size:
                    served = 0
                    yield
        self.current_offset, self.current_revision = new_offset, new_revision
        for following in apart:
            if following.alone or not following.apart or following.left:
                continue
            if (following.offset, following.revision) == (new_offset, new_revision):
                following.apart = False
                del self._apart[following]
                self._current.setdefault((following.outbox.frame, following.interims), {})[following] = None

    def _part(self, following: Following, offset: int, revision: int) -> None:
        """Give a subscriber who cannot take an event now a cursor of its own."""
        kind = (following.outbox.frame, following.interims)
        group = self._current[kind]
        del group[following]
        if not group:
            del self._current[kind]
        following.part(offset, revision)
        self._apart[following] = None
        if offset < self.log.first - 1:
            following.outbox.cut_off()

    def _cut_off_overtaken(self) -> None:
        """Cut off whoever was still reading what the log has forgotten.

        A long replay on a slow line must not skip events unawares: the subscriber comes back, and is told that it is not whole.
        """
        oldest = self.log.first - 1
        for following in [each for each in self._apart if each.offset < oldest]:
            following.outbox.cut_off()
