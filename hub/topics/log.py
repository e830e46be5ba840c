"""A call's log: its durable events in order, each with an offset, encoded once. Sans-I/O.

`enter` and `release` never await. That is half of the ordering proof: between taking an offset and keeping the event nothing else can run.

**Entered and released.** An event gets its offset and its bytes when it enters. Readers see it once it is released. Without an archive that
is the same moment. With one an event is released when it is stored, so that what a reader has seen outlives the process.

**Why an epoch.** Offsets start at 1 in every log. When a log is lost (a hub without an archive restarted, for example), another log takes
its place, and its events 1, 2, 3 are not the events 1, 2, 3 that a subscriber has. A subscriber that came back with "I have
everything up to 3" would silently miss what the new log calls 1 to 3. So each log has an epoch, a random word, and a position is the epoch
and an offset: a position of another epoch cannot be resumed, and the subscriber is told so (`whole: false`).

Knows offsets and bytes. Does not know subscribers, nor what an event means.
"""

from array import array
from collections.abc import Callable, Sequence

import msgspec

from hub.events import D, Position, encode, stamped

LOG_BYTES = 16 * 1024 * 1024
"""A call of 24 hours of dense talk makes about 10 MB of durable events. A log that exceeds the bound loses its oldest events."""


class Log:
    """One call's durable events. One writer, any number of readers.

    A payload costs its bytes and about 50 more: the events are kept as they are sent, and nowhere else.
    """

    __slots__ = (
        "_bound_bytes", "_clock", "_ends", "_entered_bytes", "_payloads", "_watchers", "entered", "epoch", "first", "offset", "total_bytes",
    )  # fmt: skip

    def __init__(self, epoch: str, clock: Callable[[], float], bound_bytes: int = LOG_BYTES) -> None:
        """`clock` gives Unix seconds for the events' `at`; `bound_bytes` is how much the log keeps at most."""
        self.epoch = epoch
        self.offset = 0
        """Of the newest event that is released; 0 before the first. Readers know no other."""
        self.entered = 0
        """Of the newest event, released or not."""
        self.first = 1
        """Offset of the oldest event that is kept; `offset + 1` when none is."""
        self.total_bytes = 0
        """Size of all payloads ever released, also of those no longer kept."""
        self._entered_bytes = 0
        """Size of all payloads ever."""
        self._clock = clock
        self._bound_bytes = bound_bytes
        self._payloads: list[bytes] = []
        """`_payloads[0]` has offset `first`."""
        self._ends = array("Q")
        """`_entered_bytes` after each of them."""
        self._watchers: dict[Callable[[], None], None] = {}

    def restore(self, payloads: Sequence[bytes], first: int = 1) -> None:
        """Fill a new log with the events of an earlier process, from offset `first` on, however large they are. They count as released."""
        self.first = first
        for payload in payloads:
            self._entered_bytes += len(payload)
            self._payloads.append(payload)
            self._ends.append(self._entered_bytes)
        self._bound_bytes = max(self._bound_bytes, 2 * self._entered_bytes)
        self.offset = self.entered = first - 1 + len(payloads)
        self.total_bytes = self._entered_bytes

    def enter(self, event: D) -> D:
        """Give an event its offset and keep it, unseen. Returns the event as it is sent, with `at`, `epoch` and `offset`. Never awaits."""
        self.entered += 1
        event = msgspec.structs.replace(event, at=stamped(self._clock()), epoch=self.epoch, offset=self.entered)
        self._keep(encode(event))
        return event

    def enter_payload(self, payload: bytes) -> None:
        """Keep an event that another node has numbered with the next offset, unseen. Never awaits."""
        self.entered += 1
        self._keep(payload)

    def _keep(self, payload: bytes) -> None:
        self._entered_bytes += len(payload)
        self._payloads.append(payload)
        self._ends.append(self._entered_bytes)

    def release(self, offset: int) -> None:
        """Let readers see the events up to this offset. Never awaits."""
        self.offset = offset
        self.total_bytes = self._ends[offset - self.first]
        if self.kept_bytes > self._bound_bytes:
            self._forget_oldest()
        for watcher in list(self._watchers):
            watcher()

    def append(self, event: D) -> D:
        """Enter an event and release it at once."""
        event = self.enter(event)
        self.release(event.offset)
        return event

    def entered_after(self, offset: int) -> list[bytes]:
        """Return all payloads behind an offset, released or not. `offset` must not be older than `first - 1`."""
        return self._payloads[offset + 1 - self.first :]

    def resolve(self, position: Position | None) -> tuple[int, bool]:
        """Return the offset behind which a reader goes on, and whether the reader is whole.

        None asks for everything. A reader is not whole when events after its position are gone, or its position is of another epoch; then
        it goes on at the oldest event kept.
        """
        offset, whole = 0, True
        if position is not None:
            if position.epoch == self.epoch and 0 <= position.offset <= self.offset:
                offset = position.offset
            else:
                whole = False
        if offset < self.first - 1:
            offset, whole = self.first - 1, False
        return offset, whole

    def after(self, offset: int, room_bytes: int = LOG_BYTES) -> list[bytes]:
        """Return payloads behind an offset, in order: all, or as many as reach `room_bytes`, and at least one if there is one.

        `offset` must not be older than `first - 1`.
        """
        at, behind = offset + 1 - self.first, self.offset + 1 - self.first
        payloads = self._payloads
        if at == behind - 1:  # nearly always
            return payloads[at:behind]
        size, end = 0, at
        while end < behind and (size < room_bytes or end == at):
            size += len(payloads[end])
            end += 1
        return payloads[at:end]

    def between(self, after: int, until: int) -> list[bytes]:
        """Return the payloads behind an offset, up to and including `until`. They stay with the caller when the log forgets them.

        `after` must not be older than `first - 1`.
        """
        return self._payloads[after + 1 - self.first : until + 1 - self.first]

    @property
    def kept_bytes(self) -> int:
        """The size of the payloads that are kept and released."""
        return self.total_bytes - self._kept_from()

    def bytes_up_to(self, offset: int) -> int:
        """Return the size of all payloads up to and including an offset."""
        at = offset - self.first
        return self._ends[at] if at >= 0 else self._kept_from()

    def clear(self) -> None:
        """Let go of all events: nobody can ask for them any more."""
        self._payloads.clear()
        del self._ends[:]
        self.offset, self.total_bytes = self.entered, self._entered_bytes
        self.first = self.offset + 1

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after each event that is appended. It must neither wait nor raise."""
        self._watchers[watcher] = None

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call it no longer; safe to call twice."""
        self._watchers.pop(watcher, None)

    def _kept_from(self) -> int:
        return self._ends[0] - len(self._payloads[0]) if self._ends else self.total_bytes

    def _forget_oldest(self) -> None:
        """Drop the oldest tenth, not one by one: cutting the front of a list costs as much as the list is long."""
        count = min(max(1, len(self._payloads) // 10), self.offset + 1 - self.first)
        del self._payloads[:count], self._ends[:count]
        self.first += count
