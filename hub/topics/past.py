"""What the events of a call say that an earlier process, or nobody any more, has published: read once, to go on with it or to show it.

Pure: it may run in a thread of its own, for the log of a day takes a tenth of a second.
"""

from collections.abc import Sequence

from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.lost import Share
from hub.events import CallEnded, Durable, Final, Gap, decode_durable
from hub.insight.watched import Watched
from hub.transcript.outline import Outline


class Past:
    """A call's events so far, and what they say."""

    def __init__(self, payloads: Sequence[bytes], first: int = 1) -> None:
        """`payloads`: of the call, with offsets from `first` on. An event of an unknown type is kept and not read."""
        self.payloads = payloads
        self.first = first
        self.outline = Outline()
        self.watched = Watched()
        """What the rules of the watchwords have to know."""
        self.utterances: dict[Track, int] = dict.fromkeys(TRACKS, 0)
        """The highest number in the id of an utterance of each track."""
        self.words_missing = False
        """Whether words may be missing in a part of the call that ended."""
        self.reached_seconds = 0.0
        """The latest second of call time that is told."""
        self.lost: dict[Track, Share] = {}
        """How much of each track's audio was lost, in the parts of the call that ended."""
        self._part_began_seconds = 0.0
        """Call time at which the newest part began, or earlier where nothing says it."""
        self.at = ""
        """When the newest event was published, as events carry it."""
        for payload in payloads:
            if (event := decode_durable(payload)) is not None:
                self.read(event)

    def go_on_from(self, outline: Outline, offset: int) -> None:
        """Let the outline be one that has events up to an offset in it, some of which are lost: those behind it are added."""
        for payload in self.payloads[max(0, offset + 1 - self.first) :]:
            if (event := decode_durable(payload)) is not None:
                outline.apply(event)
        self.outline = outline

    def read(self, event: Durable) -> None:
        """Take the next event. It is not added to `payloads`."""
        self.outline.apply(event)
        self.watched.apply(event)
        self.at = event.at
        match event:
            case Final(track=track, utterance=utterance, end=end):
                self.reached_seconds = max(self.reached_seconds, end)
                number = utterance.rpartition("-")[2]
                if number.isascii() and number.isdigit():
                    self.utterances[track] = max(self.utterances[track], int(number))
            case Gap(end=end):
                self.reached_seconds = max(self.reached_seconds, end)
            case CallEnded():
                self._end(event)
            case _:
                pass

    def _end(self, event: CallEnded) -> None:
        self.reached_seconds = max(self.reached_seconds, event.duration)
        self.words_missing = self.words_missing or event.completeness.words_missing
        due = round((event.duration - self._part_began_seconds) * 1000 * BYTES_PER_MS)
        for track, audio in event.audio.items():
            part = Share(round(audio.lost_ms * BYTES_PER_MS), max(0, due))
            self.lost[track] = self.lost.get(track, Share()).plus(part)
        self._part_began_seconds = event.duration
