"""What a caller has really heard of an agent: where Twilio's playback is, by its marks and its media clock. Pure; media time only.

The model generates faster than real time and Twilio buffers all of it, so what was sent says little about what was heard. A mark that
comes back says: played up to here. Between marks the clock of the caller's own frames goes on, never past the next mark or past what was
sent. `clear` makes Twilio send back every mark, heard or not: a mark's name holds the generation that it belongs to, and each clear begins
a new one. The position trails the truth by the way from Twilio to the hub.
"""

from collections import deque
from dataclasses import dataclass

from hub.audio.g711 import BYTES_PER_MS

LATE_MARK_MS = 2000.0
"""A mark that is this late does not come: Twilio sends each back, but not everything that speaks its protocol does. Then the clock alone
says what was played."""


@dataclass(slots=True)
class _Stretch:
    """One piece of audio that was sent and is not known to be played. Positions are bytes of this generation."""

    item_id: str
    start: int
    payload: bytes


@dataclass(slots=True)
class _SentItem:
    """What was sent of one item of the conversation."""

    sent_bytes: int = 0
    played_bytes: int = 0
    began_ms: float | None = None
    """When its first byte was played. None until then."""
    ended_ms: float = 0.0
    """When the newest byte known to be played was played."""


@dataclass(frozen=True, slots=True)
class PlayedAudio:
    """Mu-law of one item that has been played since the last look, from `start_ms` on."""

    item_id: str
    start_ms: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class CutItem:
    """An item that was silenced: `heard_ms` of the `sent_ms` that had been sent."""

    item_id: str
    heard_ms: float
    sent_ms: float


class Playback:
    """One stream's playback. All times are ms of the media clock. They may stand still and must not go back."""

    def __init__(self) -> None:
        self.generation = 0
        """How often the buffer was cleared."""
        self._sent = 0
        """Bytes sent in this generation."""
        self._position = 0
        """How many of them were played by `_at_ms`, as far as can be known."""
        self._at_ms = 0.0
        """The moment for which `_position` was worked out."""
        self._marks: deque[int] = deque()
        """Positions of the marks that have not come back."""
        self._held_ms: float | None = None
        """Since when the clock is past the next mark. None while it is not."""
        self._by_clock = False
        """Whether marks do not come back, so that the clock alone counts."""
        self._stretches: deque[_Stretch] = deque()
        """What is not played, oldest first. Of the first one a part may be."""
        self._items: dict[str, _SentItem] = {}
        """Items that were not forgotten, by item_id."""

    @property
    def unplayed_ms(self) -> float:
        """How much was sent and not played."""
        return (self._sent - self._position) / BYTES_PER_MS

    @property
    def quiet(self) -> bool:
        """Whether nothing is left to be played."""
        return self._position == self._sent

    def add(self, item_id: str, payload: bytes, now_ms: float) -> str:
        """Take note of audio that is sent now. Returns the name of the mark to send right after it."""
        if self.quiet:
            self._at_ms = now_ms
        self._stretches.append(_Stretch(item_id, self._sent, payload))
        self._items.setdefault(item_id, _SentItem()).sent_bytes += len(payload)
        self._sent += len(payload)
        self._marks.append(self._sent)
        return f"{self.generation}:{self._sent}"

    def marked(self, name: str, now_ms: float) -> list[PlayedAudio]:
        """Take a mark that came back. Returns what has been played. A name that is not of this generation changes nothing."""
        generation, colon, position = name.partition(":")
        if not colon or generation != str(self.generation) or not position.isdecimal() or int(position) not in self._marks:
            return []
        self._by_clock, self._held_ms, reached = False, None, int(position)
        while self._marks and self._marks[0] <= reached:
            self._marks.popleft()
        return self._advance(reached, now_ms)

    def tick(self, now_ms: float) -> list[PlayedAudio]:
        """Let the clock go on. Returns what has been played since the last look."""
        if self.quiet:
            return []
        reached = min(self._position + int(max(0.0, now_ms - self._at_ms) * BYTES_PER_MS), self._sent)
        if self._by_clock or not self._marks or reached <= self._marks[0]:
            return self._advance(reached, now_ms)
        if self._held_ms is None:
            self._held_ms = now_ms - (reached - self._marks[0]) / BYTES_PER_MS
        held_ms = now_ms - self._held_ms
        if held_ms < LATE_MARK_MS:
            return self._advance(self._marks[0], now_ms)
        self._by_clock = True
        return self._advance(min(self._position + int(held_ms * BYTES_PER_MS), self._sent), now_ms)

    def leap(self, by_ms: float) -> None:
        """Go on after the media clock jumped: nothing was played in the time that it jumped over."""
        self._at_ms += by_ms
        if self._held_ms is not None:
            self._held_ms += by_ms

    def _advance(self, position: int, now_ms: float) -> list[PlayedAudio]:
        if position <= self._position:
            self._at_ms = max(self._at_ms, now_ms)
            return []
        # A mark comes late: what it stands for was played before it came, at the pace of sound.
        at_ms = now_ms - (position - self._position) / BYTES_PER_MS
        played = []
        while self._stretches and self._stretches[0].start < position:
            stretch = self._stretches[0]
            begin = self._position - stretch.start if self._position > stretch.start else 0
            end = min(len(stretch.payload), position - stretch.start)
            item, heard = self._items[stretch.item_id], stretch.payload[begin:end]
            start_ms = at_ms + (stretch.start + begin - self._position) / BYTES_PER_MS
            item.began_ms = start_ms if item.began_ms is None else item.began_ms
            item.played_bytes += len(heard)
            item.ended_ms = start_ms + len(heard) / BYTES_PER_MS
            played.append(PlayedAudio(stretch.item_id, start_ms, heard))
            if end < len(stretch.payload):
                break
            self._stretches.popleft()
        self._position, self._at_ms = position, max(self._at_ms, now_ms)
        return played

    def clear(self, now_ms: float) -> tuple[list[PlayedAudio], list[CutItem]]:
        """Silence what is buffered. Returns what was still heard, and the items that were not heard to the end of what was sent.

        Twilio must be sent `clear` with it. Marks that come back for what was sent before mean nothing from here on.
        """
        played = self.tick(now_ms)
        cut = [
            CutItem(item_id, item.played_bytes / BYTES_PER_MS, item.sent_bytes / BYTES_PER_MS)
            for item_id, item in self._items.items()
            if item.played_bytes < item.sent_bytes
        ]
        self.generation += 1
        self._sent = self._position = 0
        self._marks.clear()
        self._held_ms = None
        self._stretches.clear()
        return played, cut

    def heard_ms(self, item_id: str) -> float:
        """Return how much of an item was heard."""
        item = self._items.get(item_id)
        return item.played_bytes / BYTES_PER_MS if item is not None else 0.0

    def sent_ms(self, item_id: str) -> float:
        """Return how much of an item was sent."""
        item = self._items.get(item_id)
        return item.sent_bytes / BYTES_PER_MS if item is not None else 0.0

    def span_ms(self, item_id: str) -> tuple[float, float] | None:
        """Return from when to when an item was heard so far. None while nothing of it was heard."""
        item = self._items.get(item_id)
        return (item.began_ms, item.ended_ms) if item is not None and item.began_ms is not None else None

    def forget(self, item_id: str) -> None:
        """Drop an item that is over. It must have been played or cleared."""
        self._items.pop(item_id, None)
