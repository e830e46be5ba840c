"""Transcribes calls with Deepgram: both tracks as two channels of one session."""

from collections.abc import Callable, Mapping

from hub.audio import TRACKS, Track
from hub.counters import ProviderCounters
from hub.errors import ProviderError
from hub.stereo import Block
from hub.transcribers.session import Session, log
from hub.transcript import Heard, HeardWord
from hub.wire import deepgram as wire

PAUSE_MS = 2000.0
"""Silence that ends an utterance even if Deepgram does not say so: a new connection never heard the words that the old one settled."""


class Deepgram(Session):
    """One call's Deepgram session. Implements `Transcriber`."""

    provider = "deepgram"
    END = wire.CLOSE_STREAM
    KEEP_ALIVE = wire.KEEP_ALIVE
    SPEAKS_IN_SILENCE = True

    def __init__(self, url: str, key: str, model: str, clock: Callable[[], float], counters: ProviderCounters) -> None:
        """`url` is a whole `wire.listen_url()`."""
        super().__init__(model, TRACKS, clock, counters)
        self._url = url
        self._key = key
        self._unsettled: dict[Track, bool] = dict.fromkeys(TRACKS, False)
        """Whether the newest words of a track may still change."""

        self._last_word_ms: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """Where the newest word of a track ended, in call time."""

    def address(self) -> tuple[str, Mapping[str, str]]:
        """See Session."""
        return self._url, wire.headers(self._key)

    def payload(self, block: Block) -> bytes:
        """See Session: interleaved mu-law, inbound first."""
        return block.stereo()

    def opened(self) -> None:
        """See Session. Deepgram says nothing on open; its 101 is its word."""
        self.accepted()

    def disconnected(self) -> None:
        """See Session."""
        self._unsettled = dict.fromkeys(TRACKS, False)

    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:
        """See Session."""
        return wire.refused(status, body, headers)

    def closed(self, code: int | None, reason: str) -> ProviderError:
        """See Session."""
        return wire.closed(code, reason)

    def receive(self, text: bytes) -> None:
        """See Session."""
        match wire.decode(text):
            case wire.Results() as results:
                if results.channel < len(TRACKS):
                    self._results(TRACKS[results.channel], results)
            case wire.UtteranceEnd() as end:
                if end.channel < len(TRACKS) and not self._unsettled[TRACKS[end.channel]]:
                    self._close(TRACKS[end.channel])
            case wire.Metadata():
                self.last_word()
                if self._done:
                    for track in TRACKS:
                        self._close(track)
            case wire.Error() | wire.Warning() as message:
                log.warning("Deepgram says: %s", message)
            case _:
                pass

    def _results(self, track: Track, results: wire.Results) -> None:
        end_ms = self.call_ms(results.end * 1000, end=True)
        if results.is_final and end_ms <= self.ring.settled_ms[track]:
            return  # the same window again
        if not results.is_final and results.words and self.call_ms(results.words[0].start * 1000) >= self.ring.settled_ms[track]:
            self._interim(track, results)
            return
        words = self._words(track, results)
        text = results.transcript if len(words) == len(results.words) else " ".join(word.text for word in words)
        if words:
            self._last_word_ms[track] = words[-1].end * 1000
        closes = bool(results.speech_final or results.from_finalize) or (not text and end_ms - self._last_word_ms[track] >= PAUSE_MS)
        if not text and not results.is_final:
            return
        self._unsettled[track] = not results.is_final
        self.report(
            Heard(
                track,
                start=words[0].start if words else self.call_ms(results.start * 1000) / 1000,
                end=words[-1].end if words else end_ms / 1000,
                text=text,
                settled=bool(results.is_final),
                closes=closes,
                confidence=results.confidence if text else None,
                words=words,
                language=results.languages[0] if results.languages else None,
            )
        )
        if results.is_final:
            self.ring.settle(track, end_ms)

    def _interim(self, track: Track, results: wire.Results) -> None:
        """Report words that may change. Nobody is told the times of each, so they are not worked out: most messages are these."""
        self._unsettled[track] = True
        start_ms, end_ms = self.call_ms(results.words[0].start * 1000), self.call_ms(results.words[-1].end * 1000, end=True)
        heard = Heard(track, start_ms / 1000, end_ms / 1000, results.transcript, settled=False, closes=False, confidence=results.confidence)
        self.report(heard)

    def _words(self, track: Track, results: wire.Results) -> tuple[HeardWord, ...]:
        """Return the window's words in call time, without those that were told already."""
        call_ms = self.call_ms
        return self.new_words(
            track,
            tuple(
                HeardWord(word.text, call_ms(word.start * 1000) / 1000, call_ms(word.end * 1000, end=True) / 1000, word.confidence)
                for word in results.words
            ),
        )

    def _close(self, track: Track) -> None:
        at = self.ring.settled_ms[track] / 1000
        self.report(Heard(track, at, at, "", settled=True, closes=True))
