"""What was said in a call, as a model is given it: its utterances, numbered by their offsets, in portions that the model can take.

Pure: it may run in a thread of its own, for the log of a day takes a tenth of a second. Knows events as bytes. Does not know what is asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from hub.text.foreign_text import line
from hub.transcript.wording import clock

PARAMETER = "notes"
"""The <Parameter> of a stream that says whether its call gets a note."""

OFF = "off"

UTTERANCE_CHARACTERS = 4000
"""More of one utterance is cut off: nobody speaks for so long without a pause."""

BYTES_PER_TOKEN = 3
"""How many bytes of text make a token. English has four and more, Chinese about three: rather too many tokens are counted than too few."""

PORTIONS_MOST = 16
"""Portions of one call that a model is asked about. With the default of HUB_NOTES_TOKENS that is six hours of dense talk."""

_FINAL, _STARTED, _ENDED, _NOTE = (f'{{"type":"{kind}"'.encode() for kind in ("final", "call-started", "call-ended", "note"))
"""How the payloads begin that are read: the encoder writes the tag first."""


class SpokenLine(msgspec.Struct, frozen=True):
    """An utterance as the model is given it. `at`: call time, for people."""

    offset: int
    at: str
    speaker: str
    text: str


class _Final(msgspec.Struct):
    """What is read of a final: its words are most of the log, and are skipped."""

    offset: int
    start: float
    speaker: str
    text: str
    unspoken: bool = False


class _Started(msgspec.Struct):
    parameters: dict[str, str]


class _Ended(msgspec.Struct):
    offset: int


class _Noted(msgspec.Struct):
    ended: int


_final, _started = msgspec.json.Decoder(_Final), msgspec.json.Decoder(_Started)
_ended, _noted = msgspec.json.Decoder(_Ended), msgspec.json.Decoder(_Noted)


@dataclass(frozen=True, slots=True)
class Portion:
    """So much of a call as a model is given at once."""

    lines: tuple[SpokenLine, ...]

    @property
    def offsets(self) -> frozenset[int]:
        """The offsets of its utterances."""
        return frozenset(each.offset for each in self.lines)


@dataclass(slots=True)
class CallWords:
    """What a call's log says, as far as a note needs it."""

    lines: list[SpokenLine]
    ended: int = 0
    """Offset of the newest `call-ended`. 0 while the call is live."""
    noted: int = 0
    """Offset of the `call-ended` that the newest note is about. 0 where there is no note."""
    refused: bool = False
    """Whether a stream of the call wants no note."""

    @classmethod
    def read(cls, payloads: Iterable[bytes]) -> "CallWords":
        """Read a call's log. Raises: ValueError for one that cannot be read."""
        words = cls([])
        for payload in payloads:
            words._take(payload)
        return words

    def _take(self, payload: bytes) -> None:
        if payload.startswith(_FINAL):
            final = _final.decode(payload)
            text = line(final.text)[:UTTERANCE_CHARACTERS]
            if text and not final.unspoken:
                self.lines.append(SpokenLine(final.offset, clock(final.start), line(final.speaker), text))
        elif payload.startswith(_STARTED):
            self.ended = 0
            parameters = _started.decode(payload).parameters
            self.refused = self.refused or parameters.get(PARAMETER, "").strip().lower() == OFF
        elif payload.startswith(_ENDED):
            self.ended = _ended.decode(payload).offset
        elif payload.startswith(_NOTE):
            self.noted = _noted.decode(payload).ended

    @property
    def due(self) -> bool:
        """Whether the call has ended and something was said in it of which there is no note."""
        return self.ended > self.noted and bool(self.lines) and not self.refused

    def portions(self, tokens: int) -> tuple[list[Portion], bool]:
        """Return the call in portions of so many tokens, and whether that is all of it.

        Of a call with too many, the first and the newest are returned: what it is about, and how it ends.
        """
        portions: list[Portion] = []
        lines: list[SpokenLine] = []
        room = tokens * BYTES_PER_TOKEN
        for each in self.lines:
            size = len(msgspec.json.encode(each)) + 1
            if lines and size > room:
                portions.append(Portion(tuple(lines)))
                lines, room = [], tokens * BYTES_PER_TOKEN
            lines.append(each)
            room -= size
        if lines:
            portions.append(Portion(tuple(lines)))
        if len(portions) <= PORTIONS_MOST:
            return portions, True
        return [portions[0], *portions[1 - PORTIONS_MOST :]], False
