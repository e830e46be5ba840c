"""What one subscriber has yet to receive, and how it is handed over. Sans-I/O: given something to write to, and a way to be called later.

**Slow consumers.** A subscriber that reads too slowly must neither delay the others nor make the hub hold its events without bound. So an
outbox holds no copies. Events wait in their topics' logs, which all subscribers share; a subscriber is a cursor into each topic that it
follows. A socket with room is written to at once. A socket without room is visited every ROUND_SECONDS, and then receives everything that
is due in one write; its interims merge by themselves, since a topic keeps only the newest of each utterance. A subscriber that is more
than LIMIT_BYTES behind, or takes nothing for IDLE_SECONDS, is cut off: it reconnects with its position and has lost nothing.

Only topics with news are looked at, so that following a thousand calls costs no more than following one. Knows no events and no
WebSocket: payloads are framed by the function that the door gives.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from hub.errors import Lagged

FREE_BYTES = 16 * 1024
"""A socket whose buffer holds less has room: event loops flush at the end of a turn, so a few events of one turn are no congestion."""

BATCH_BYTES = 64 * 1024
"""The most that is handed to a socket at once. With the kernel's own buffer it bounds what one subscriber can make the hub hold."""

LIMIT_BYTES = 256 * 1024
"""A subscriber further behind is cut off and comes back with its position: this is hundreds of events, minutes of a call."""

IDLE_SECONDS = 9.0
"""A subscriber that takes nothing for so long, while something waits, is gone. It is promised 10 s; the last is for the close frame."""

ROUND_SECONDS = 0.01
"""How often subscribers that are behind are visited: unnoticeable as delay, cheap as polling, and only while there are any."""

Frame: TypeAlias = Callable[[bytes], bytes]
"""Turns a payload into what goes on the socket, such as a WebSocket text message."""


class Sink(Protocol):
    """Where bytes go: an asyncio.WriteTransport. `write` raises RuntimeError, or drops the bytes, when the connection is gone."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...


class Source(Protocol):
    """What a subscriber follows: a cursor into one topic."""

    def take(self, room_bytes: int) -> bytes:
        """Return what is due next, whole frames in order: all of it, or at least `room_bytes` of it. Moves the cursor."""

    def waiting_bytes(self) -> int:
        """Return how many bytes wait that were not yet there when the subscriber came."""


class Rounds:
    """Visits the outboxes that are behind until none is. One for all subscribers; it ticks only while there is somebody to visit."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object], clock: Callable[[], float]) -> None:
        self.after = later
        """Runs a callback a number of seconds later."""
        self.clock = clock
        """Monotonic seconds."""
        self._behind: dict[Outbox, None] = {}
        """In the order in which they fell behind."""
        self._ticking = False

    def add(self, outbox: "Outbox") -> None:
        """Visit this outbox from now on."""
        self._behind[outbox] = None
        if not self._ticking:
            self._ticking = True
            self.after(ROUND_SECONDS, self._tick)

    def discard(self, outbox: "Outbox") -> None:
        """Visit this outbox no longer."""
        self._behind.pop(outbox, None)

    def __len__(self) -> int:
        return len(self._behind)

    def waiting_bytes(self) -> int:
        """Return how many bytes wait for all subscribers that are behind."""
        return sum(outbox.waiting_bytes() for outbox in self._behind)

    def longest_seconds(self) -> float:
        """Return for how long the slowest of them has taken nothing."""
        now = self.clock()
        return max((now - outbox.taken_at for outbox in self._behind), default=0.0)

    def _tick(self) -> None:
        self._ticking = False
        try:
            now = self.clock()
            for outbox in list(self._behind):
                if outbox.visited(now):
                    self._behind.pop(outbox, None)
        finally:  # whatever one of them does, the others are visited again
            if self._behind and not self._ticking:
                self._ticking = True
                self.after(ROUND_SECONDS, self._tick)


class Outbox:
    """One subscriber's way out. Nothing here awaits: the order of events is the order of calls."""

    __slots__ = (
        "_answers",
        "_answers_bytes",
        "_due",
        "_excused_bytes",
        "_last_buffered",
        "_on_cut_off",
        "_rounds",
        "behind",
        "closed",
        "frame",
        "open",
        "sink",
        "taken_at",
    )

    def __init__(self, sink: Sink, rounds: Rounds, frame: Frame, on_cut_off: Callable[[Lagged | Exception], None]) -> None:
        """`frame` turns a payload into a message of this socket.

        `on_cut_off` is called once if the subscriber is given up, with the reason: Lagged, or whatever was raised while events were
        handed over. Such a failure is this subscriber's own.
        """
        self.sink = sink
        self.frame = frame
        self._rounds = rounds
        self._on_cut_off = on_cut_off
        self._due: dict[Source, None] = {}
        """Sources with news that found no room yet, longest waiting first. Empty unless behind."""
        self._answers: list[bytes] = []
        """Replies to the subscriber itself that found no room yet. They go out before events. Empty unless behind."""
        self._answers_bytes = 0
        """Their size."""
        self._excused_bytes = 0
        """The largest reply on its way: what a subscriber asked for is no lag, a list of thousands of calls for instance."""
        self.open = True
        """Whether events may be written at once, if the socket has room: neither behind nor closed."""
        self.behind = False
        """Whether something waits for room."""
        self.closed = False
        """Whether nothing is written any more."""
        self.taken_at = 0.0
        """When the socket last took something, while behind. Monotonic seconds."""
        self._last_buffered = 0

    def answer(self, payload: bytes) -> None:
        """Send a reply, ahead of events that still wait."""
        if self.closed:
            return
        message = self.frame(payload)
        if self.open and self.sink.get_write_buffer_size() <= FREE_BYTES:
            self._excused_bytes = len(message)
            self._put(message)
            return
        self._answers.append(message)
        self._excused_bytes = max(self._excused_bytes, len(message))
        self._fall_behind()
        self._answers_bytes += len(message)
        # Not left to the next visit: thousands of requests can be answered before it.
        if self._answers_bytes + self.sink.get_write_buffer_size() > LIMIT_BYTES + self._excused_bytes:
            self.cut_off()

    def offer(self, message: bytes) -> bool:
        """Write a framed message that is worth something only now, if there is room. Returns whether there was."""
        if not self.open or self.sink.get_write_buffer_size() > FREE_BYTES:
            return False
        self._put(message)
        return True

    def news(self, source: Source) -> None:
        """Hand over what a source has, as far as there is room. Call it whenever the source has something new."""
        if not self.open:
            if self.behind:
                self._due[source] = None
            return
        try:
            if self.sink.get_write_buffer_size() <= FREE_BYTES:
                data = source.take(BATCH_BYTES)
                if data:
                    self._put(data)
                if len(data) < BATCH_BYTES:
                    return
        except Exception as error:  # noqa: BLE001  a subscriber is a unit: the others are served
            self.fail(error)
            return
        self._due[source] = None
        self._fall_behind()

    def discard(self, source: Source) -> None:
        """Hand over nothing more of a source."""
        self._due.pop(source, None)

    def visited(self, now: float) -> bool:
        """Try again; return whether this outbox needs no more visits."""
        if self.closed:
            return True
        try:
            buffered = self.sink.get_write_buffer_size()
            if buffered < self._last_buffered or buffered <= FREE_BYTES:
                self.taken_at = now
            if buffered <= FREE_BYTES and self._write():
                self.behind, self.open = False, not self.closed
                return True
            self._last_buffered = self.sink.get_write_buffer_size()
            if self.waiting_bytes() > LIMIT_BYTES + self._excused_bytes or now - self.taken_at >= IDLE_SECONDS:
                self.cut_off()
                return True
        except Exception as error:  # noqa: BLE001  a subscriber is a unit: the others are visited
            self.fail(error)
            return True
        return False

    def waiting_bytes(self) -> int:
        """Return what waits for this subscriber: replies, what its sources received since it came, and what its socket holds."""
        return self._answers_bytes + sum(source.waiting_bytes() for source in self._due) + self.sink.get_write_buffer_size()

    @property
    def unsent_bytes(self) -> int:
        """How much of the replies, and of what the socket was given, is still to be sent."""
        return self._answers_bytes + self.sink.get_write_buffer_size()

    def cut_off(self) -> None:
        """Give the subscriber up: it is to come back with its position."""
        if not self.closed:
            idle_seconds = max(0.0, self._rounds.clock() - self.taken_at) if self.behind else 0.0
            self.fail(Lagged(self.waiting_bytes(), idle_seconds))

    def fail(self, reason: Lagged | Exception) -> None:
        """Give the subscriber up for this reason."""
        if not self.closed:
            self.close()
            self._on_cut_off(reason)

    def close(self) -> None:
        """Write nothing from here on."""
        self.closed, self.behind, self.open = True, False, False
        self._answers.clear()
        self._due.clear()
        self._rounds.discard(self)

    def _fall_behind(self) -> None:
        if self.behind or self.closed:
            return
        self.behind, self.open = True, False
        self.taken_at = self._rounds.clock()
        self._last_buffered = self.sink.get_write_buffer_size()
        self._rounds.add(self)

    def _put(self, data: bytes) -> None:
        try:
            self.sink.write(data)
        except RuntimeError:
            # uvloop raises it between losing a connection and telling whoever waits on it. No other subscriber's event may fail for that.
            self.close()

    def _write(self) -> bool:
        """Write one batch; return whether nothing is left."""
        room = BATCH_BYTES
        if self._answers:
            data = b"".join(self._answers)
            self._answers.clear()
            self._answers_bytes = 0
            self._put(data)
            room -= len(data)
        while self._due:
            if room <= 0:
                return False
            source = next(iter(self._due))
            data = source.take(room)
            if data:
                self._put(data)
            if self.closed:
                return True
            del self._due[source]
            if len(data) >= room:
                self._due[source] = None  # there may be more; the other sources first
            room -= len(data)
        return True
