"""What one subscriber has yet to take, and how it is handed over. Sans-I/O: given something to write to, and a way to be called later.

An outbox holds no copies. Events wait in their topics, which all subscribers share; a subscriber is a cursor into each topic it follows.
A socket with room is written to at once; one without is visited every ROUND_SECONDS and then gets everything due in one write. Its interims
merge by themselves, since a topic only keeps the newest of each utterance. Knows no events and no WebSocket.
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

IDLE_SECONDS = 10.0
"""A subscriber that takes nothing for so long while something waits is not slow but gone."""

ROUND_SECONDS = 0.01
"""How often those who are behind are visited: unnoticeable as delay, cheap as polling, and only while there are any."""


class Sink(Protocol):
    """Where bytes go: an asyncio.WriteTransport."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...


class Source(Protocol):
    """What a subscriber follows: one topic's cursor."""

    def take(self, room_bytes: int) -> bytes:
        """Return what is due next, whole frames in order, about `room_bytes` of it; empty when nothing is. Moves the cursor."""

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

    def add(self, outbox: "Outbox") -> None:
        """Visit this one from now on."""
        if not self._behind:
            self.after(ROUND_SECONDS, self._tick)
        self._behind[outbox] = None

    def discard(self, outbox: "Outbox") -> None:
        """Forget this one."""
        self._behind.pop(outbox, None)

    def __len__(self) -> int:
        return len(self._behind)

    def _tick(self) -> None:
        now = self.clock()
        for outbox in list(self._behind):
            if outbox.visited(now):
                self._behind.pop(outbox, None)
        if self._behind:
            self.after(ROUND_SECONDS, self._tick)


class Outbox:
    """One subscriber's way out. Nothing here awaits: order is the order of calls."""

    __slots__ = ("_answers", "_last_buffered", "_on_lagged", "_rounds", "_sink", "behind", "closed", "sources", "taken_at")

    def __init__(self, sink: Sink, rounds: Rounds, on_lagged: Callable[[Lagged], None]) -> None:
        self._sink = sink
        self._rounds = rounds
        self._on_lagged = on_lagged
        self.sources: list[Source] = []
        """What this subscriber follows."""
        self._answers: list[bytes] = []
        """Replies to the subscriber itself that found no room yet; they go out before events."""
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
        self._answers.append(frame)
        self.flush()

    def flush(self) -> None:
        """Hand over what is due, as far as there is room. Call it whenever a source has news."""
        if self.behind or self.closed:
            return
        if self._sink.get_write_buffer_size() <= FREE_BYTES and self._write():
            return
        self.behind = True
        self.taken_at = self._rounds.clock()
        self._last_buffered = self._sink.get_write_buffer_size()
        self._rounds.add(self)

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
        waiting = self.waiting_bytes()
        if waiting > LIMIT_BYTES or now - self.taken_at >= IDLE_SECONDS:
            self.close()
            self._on_lagged(Lagged(waiting, now - self.taken_at))
            return True
        return False

    def waiting_bytes(self) -> int:
        """Return what waits for this subscriber: answers, what its sources got since it came, and what its socket holds."""
        return sum(map(len, self._answers)) + sum(source.waiting_bytes() for source in self.sources) + self._sink.get_write_buffer_size()

    def close(self) -> None:
        """Write nothing from here on."""
        self.closed = True
        self._rounds.discard(self)

    def _write(self) -> bool:
        """Write one batch; return whether nothing is left."""
        room = BATCH_BYTES
        if self._answers:
            data = b"".join(self._answers)
            self._answers.clear()
            self._sink.write(data)
            room -= len(data)
        for source in self.sources:
            if room <= 0:
                return False
            data = source.take(room)
            if data:
                self._sink.write(data)
                room -= len(data)
                if room <= 0:
                    return False
        return True
