"""What one subscriber has yet to take, and how it is handed over. Sans-I/O: given something to write to, and a way to be called later.

An outbox holds no copies. Events wait in their topics, which all subscribers share; a subscriber is a cursor into each topic it follows.
A socket with room is written to at once; one without is visited every ROUND_SECONDS and then gets everything due in one write. Its interims
merge by themselves, since a topic only keeps the newest of each utterance. Only topics with news are looked at, so that following a
thousand calls costs no more than following one. Knows no events and no WebSocket.
"""

from collections.abc import Callable
from typing import Protocol

from hub.errors import Lagged

FREE_BYTES = 16 * 1024
"""A socket's buffer below this counts as free: event loops flush at the end of a turn, so a few events of one turn are no congestion."""

BATCH_BYTES = 64 * 1024
"""At most so much is handed to a socket at once: with the kernel's own buffer it bounds what one subscriber can make us hold."""

LIMIT_BYTES = 256 * 1024
"""A subscriber further behind than this comes back with its position: hundreds of events, minutes of a call."""

IDLE_SECONDS = 9.0
"""Who takes nothing for so long while something waits is not slow but gone. It is promised 10 s; the last is for its goodbye."""

ROUND_SECONDS = 0.01
"""How often those who are behind are visited: unnoticeable as delay, cheap as polling, and only while there are any."""


class Sink(Protocol):
    """Where bytes go: an asyncio.WriteTransport. `write` raises RuntimeError, or drops the bytes, when the connection is gone."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...


class Source(Protocol):
    """What a subscriber follows: one topic's cursor."""

    def take(self, room_bytes: int) -> bytes:
        """Return what is due next, whole frames in order: all of it, or at least `room_bytes` of it. Moves the cursor."""

    def waiting_bytes(self) -> int:
        """Return how many bytes wait that were not yet there when the subscriber came."""


class Rounds:
    """Visits the outboxes that are behind until they are not. One for all subscribers; ticks only while there is somebody to visit."""

    def __init__(self, later: Callable[[float, Callable[[], None]], object], clock: Callable[[], float]) -> None:
        self.after = later
        """Runs a callback so many seconds later."""
        self.clock = clock
        self._behind: dict[Outbox, None] = {}
        """In the order they fell behind."""
        self._ticking = False

    def add(self, outbox: "Outbox") -> None:
        """Visit this one from now on."""
        self._behind[outbox] = None
        if not self._ticking:
            self._ticking = True
            self.after(ROUND_SECONDS, self._tick)

    def discard(self, outbox: "Outbox") -> None:
        """Forget this one."""
        self._behind.pop(outbox, None)

    def __len__(self) -> int:
        return len(self._behind)

    def waiting_bytes(self) -> int:
        """Return what waits for all who are behind."""
        return sum(outbox.waiting_bytes() for outbox in self._behind)

    def longest_seconds(self) -> float:
        """Return for how long the slowest of them has taken nothing."""
        now = self.clock()
        return max((now - outbox.taken_at for outbox in self._behind), default=0.0)

    def _tick(self) -> None:
        now = self.clock()
        for outbox in list(self._behind):
            if outbox.visited(now):
                self._behind.pop(outbox, None)
        self._ticking = bool(self._behind)
        if self._ticking:
            self.after(ROUND_SECONDS, self._tick)


class Outbox:
    """One subscriber's way out. Nothing here awaits: order is the order of calls."""

    __slots__ = (
        "_answers",
        "_answers_bytes",
        "_due",
        "_excused_bytes",
        "_last_buffered",
        "_on_lagged",
        "_rounds",
        "_sink",
        "behind",
        "closed",
        "taken_at",
    )

    def __init__(self, sink: Sink, rounds: Rounds, on_lagged: Callable[[Lagged], None]) -> None:
        self._sink = sink
        self._rounds = rounds
        self._on_lagged = on_lagged
        self._due: dict[Source, None] = {}
        """Sources with news that found no room yet, longest waiting first. Empty unless behind."""
        self._answers: list[bytes] = []
        """Replies to the subscriber itself that found no room yet; they go out before events. Empty unless behind."""
        self._answers_bytes = 0
        """Their size."""
        self._excused_bytes = 0
        """The largest answer under way: what a subscriber asked for is no lag, a list of thousands of calls for instance."""
        self.behind = False
        """Whether something waits for room."""
        self.closed = False
        self.taken_at = 0.0
        """When the socket last took something, while behind."""
        self._last_buffered = 0

    def answer(self, frame: bytes) -> None:
        """Send a reply, ahead of events that still wait."""
        if self.closed:
            return
        if not self.behind and self._sink.get_write_buffer_size() <= FREE_BYTES:
            self._excused_bytes = len(frame)
            self._put(frame)
            return
        self._answers.append(frame)
        self._excused_bytes = max(self._excused_bytes, len(frame))
        self._fall_behind()
        self._answers_bytes += len(frame)
        # Not left to the next visit: thousands of requests can be answered before it.
        if self._answers_bytes + self._sink.get_write_buffer_size() > LIMIT_BYTES + self._excused_bytes:
            self.cut_off()

    def offer(self, frame: bytes) -> bool:
        """Write what is worth something only now, if there is room; return whether there was. It never waits and makes nothing wait."""
        if self.closed or self.behind or self._sink.get_write_buffer_size() > FREE_BYTES:
            return False
        self._put(frame)
        return True

    def news(self, source: Source) -> None:
        """Hand over what a source has, as far as there is room. Call it whenever it has something new."""
        if self.behind:
            self._due[source] = None
            return
        if self.closed:
            return
        sink = self._sink
        if sink.get_write_buffer_size() <= FREE_BYTES:
            data = source.take(BATCH_BYTES)
            if data:
                try:
                    sink.write(data)
                except RuntimeError:  # see _put, which is not called for what every delivery passes
                    self.close()
            if len(data) < BATCH_BYTES:
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
        buffered = self._sink.get_write_buffer_size()
        if buffered < self._last_buffered or buffered <= FREE_BYTES:
            self.taken_at = now
        if buffered <= FREE_BYTES and self._write():
            self.behind = False
            return True
        self._last_buffered = self._sink.get_write_buffer_size()
        if self.waiting_bytes() > LIMIT_BYTES + self._excused_bytes or now - self.taken_at >= IDLE_SECONDS:
            self.cut_off()
            return True
        return False

    def waiting_bytes(self) -> int:
        """Return what waits for this subscriber: answers, what its sources got since it came, and what its socket holds."""
        return self._answers_bytes + sum(source.waiting_bytes() for source in self._due) + self._sink.get_write_buffer_size()

    def cut_off(self) -> None:
        """Give the subscriber up: it is to come back with its position."""
        if self.closed:
            return
        lagged = Lagged(self.waiting_bytes(), max(0.0, self._rounds.clock() - self.taken_at) if self.behind else 0.0)
        self.close()
        self._on_lagged(lagged)

    def close(self) -> None:
        """Write nothing from here on."""
        self.closed, self.behind = True, False
        self._answers.clear()
        self._due.clear()
        self._rounds.discard(self)

    def _fall_behind(self) -> None:
        if self.behind or self.closed:
            return
        self.behind = True
        self.taken_at = self._rounds.clock()
        self._last_buffered = self._sink.get_write_buffer_size()
        self._rounds.add(self)

    def _put(self, data: bytes) -> None:
        try:
            self._sink.write(data)
        except RuntimeError:
            # uvloop, between losing a connection and telling whoever waits on it. Nobody else's event may fail for that.
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
                self._due[source] = None  # there may be more; the others first
            room -= len(data)
        return True
