"""Coded calls: sound whose every 20 ms say which word of which call they belong to, so that a lost, doubled or misplaced word is seen.

Both sides of a call speak in turns. Each says four words of 200 ms, then both are quiet for a while, as people are: 0.7 to 1.3 s in every
2.2 to 2.8 s. A frame of a word is sixteen cells of ten mu-law bytes, each with the number of the call, the number of the word, and which of
the word's ten frames it is. Whoever gets any part of the audio can tell what it is, without having received what was before.

Pure. Knows bytes and frame numbers. Does not know sockets, Twilio or providers.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from clients.audio.frames import FRAME_BYTES, FRAME_MS
from hub.audio.g711 import TRACKS, Track

CELL_BYTES = 10
WORD_FRAMES = 10
"""A word's frames: 200 ms."""
SPOKEN_WORDS = 4
"""What one side says at a time."""
TURN_FRAMES = 35
"""When the other side begins: it cuts in a little."""
SPEECH_FRAMES = TURN_FRAMES + SPOKEN_WORDS * WORD_FRAMES
QUIET = b"\xff" * FRAME_BYTES
WORD_SECONDS = WORD_FRAMES * FRAME_MS / 1000

CELLS = FRAME_BYTES // CELL_BYTES * WORD_FRAMES
"""Cells of a whole word."""

_MARK, _DIGIT = 0x00, 0x10
"""The first byte of a cell, and what is added to each digit. Both are loud, and neither is in silence."""

_CELL = re.compile(rb"\x00([\x10-\x1f]{9})")


def _cell(call: int, word: int, part: int) -> bytes:
    digits = [int(each, 16) for each in f"{call:03x}{word:04x}{part:x}"]
    return bytes([_MARK, *(_DIGIT + each for each in digits), _DIGIT + sum(digits) % 16])


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which word something is."""

    call: int
    word: int
    part: int


@functools.lru_cache(4096)
def place(digits: bytes) -> Place | None:
    """Read what follows a cell's first byte. None if it is damaged."""
    values = [each - _DIGIT for each in digits]
    if sum(values[:8]) % 16 != values[8]:
        return None
    number = "".join(f"{each:x}" for each in values[:8])
    return Place(int(number[:3], 16), int(number[3:7], 16), values[7])


@dataclass(frozen=True, slots=True)
class Script:
    """What is said on one call. Its sound runs from frame 0 on, whoever listens."""

    call: int
    """Below 4,096."""
    quiet_frames: int
    """How long both are quiet, between 35 and 65 frames."""

    @property
    def round_frames(self) -> int:
        return SPEECH_FRAMES + self.quiet_frames

    def frame(self, track: Track, number: int) -> bytes:
        """Return 20 ms of a track."""
        round_number, at = divmod(number, self.round_frames)
        at -= TRACKS.index(track) * TURN_FRAMES
        if not 0 <= at < SPOKEN_WORDS * WORD_FRAMES:
            return QUIET
        word, part = divmod(at, WORD_FRAMES)
        return _cell(self.call, self.word(track, round_number * SPOKEN_WORDS + word), part) * (FRAME_BYTES // CELL_BYTES)

    @staticmethod
    def word(track: Track, spoken: int) -> int:
        """Return the number of a track's nth word. The tracks' words have different numbers."""
        return 2 * spoken + TRACKS.index(track)

    def words(self, track: Track, first: int, last: int) -> Iterator[int]:
        """Yield the numbers of the words that lie wholly in the frames from `first` to before `last`."""
        spoken = max(0, first // self.round_frames * SPOKEN_WORDS - SPOKEN_WORDS)
        while (began := self.begins(self.word(track, spoken))) + WORD_FRAMES <= last:
            if began >= first:
                yield self.word(track, spoken)
            spoken += 1

    def begins(self, word: int) -> int:
        """Return the first frame of a word."""
        spoken, side = divmod(word, 2)
        round_number, at = divmod(spoken, SPOKEN_WORDS)
        return round_number * self.round_frames + side * TURN_FRAMES + at * WORD_FRAMES


def spelled(call: int, word: int, *, torn: str = "") -> str:
    """Return a word as text. `torn`: which parts of it were heard, if not all."""
    return f"{call:03x}.{word}" + (f"?{torn}" if torn else "")


_SPELLED = re.compile(r"([0-9a-f]{3,})\.(\d+)(\?[0-9a-f]+)?$")


@dataclass(frozen=True, slots=True)
class Read:
    """A word in a transcript."""

    call: int
    word: int
    torn: bool


def read(text: str) -> Read | None:
    """Read a word's text. None if it is no word of a coded call."""
    found = _SPELLED.match(text)
    return Read(int(found[1], 16), int(found[2]), found[3] is not None) if found else None


@dataclass(slots=True)
class Heard:
    """A word in one track's sound, so far."""

    call: int
    word: int
    start: int
    """Byte of the track at which it begins."""
    end: int
    cells: Counter[int] = field(default_factory=Counter)
    """How many cells of each part came."""

    @property
    def text(self) -> str:
        torn = "" if sum(self.cells.values()) == CELLS else "".join(f"{part:x}" for part in sorted(self.cells))
        return spelled(self.call, self.word, torn=torn)


class Ear:
    """Finds the words in one track's sound."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that were heard."""
        self.word: Heard | None = None
        """The word that is being spoken."""
        self._rest = b""

    def feed(self, sound: bytes) -> list[Heard]:
        """Hear some audio. Returns the words that are over."""
        data, base = self._rest + sound, self.size - len(self._rest)
        self.size += len(sound)
        over, end = [], 0
        for found in _CELL.finditer(data):
            end = found.end()
            here = place(found[1])
            if here is None:
                continue
            word = self.word
            if word is None or (word.call, word.word) != (here.call, here.word):
                over += self.settle()
                word = self.word = Heard(here.call, here.word, base + found.start(), 0)
            word.cells[here.part] += 1
            word.end = base + end
        self._rest = data[max(end, len(data) - CELL_BYTES + 1) :]
        if self.word is not None and (self.word.cells.total() >= CELLS or self.size - self.word.end > FRAME_BYTES):
            over += self.settle()
        return over

    def settle(self) -> list[Heard]:
        """End the word that is being spoken. Returns it, if there is one."""
        word, self.word = self.word, None
        return [word] if word is not None else []
