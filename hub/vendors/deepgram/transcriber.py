"""Transcribes calls with Deepgram: both tracks as two channels of one session."""

from collections.abc import Mapping

from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.session import Endpoint, Session, SessionContext, log
from hub.transcribers.utterances import Recognized, RecognizedWord
from hub.vendors.deepgram import wire

PAUSE_MS = 2000.0
"""Silence that ends an utterance even if Deepgram does not say so. After a reconnect Deepgram never does for words that were settled on
the connection before: the new connection did not receive their audio."""


class Deepgram(Session):
    """One call's Deepgram session. Implements `Transcriber`."""

    provider = "deepgram"
    TITLE = wire.PROVIDER
    END = wire.CLOSE_STREAM
    KEEP_ALIVE = wire.KEEP_ALIVE
    SPEAKS_IN_SILENCE = True

    def __init__(self, endpoint: Endpoint, context: SessionContext) -> None:
        """The endpoint's URL is a whole `wire.listen_url()`."""
        super().__init__(endpoint, TRACKS, context)
        self._last_word_ms: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """Per track, where the newest word ended, in call time."""

    def headers(self) -> Mapping[str, str]:
        """See Session."""
        return wire.headers(self.endpoint.key)

    def payload(self, block: Block) -> bytes:
        """See Session: interleaved mu-law, inbound first."""
        return block.stereo()

    def opened(self) -> None:
        """See Session. Deepgram sends nothing on open: its 101 accepts the session."""
        self.accepted()

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
                if end.channel < len(TRACKS):
                    self.end_utterance(TRACKS[end.channel])
            case wire.Metadata():
                self.terminated()
            case wire.DeepgramError() | wire.DeepgramWarning() as message:
                log.warning("Deepgram says: %s", message)
            case _:
                pass

    def _results(self, track: Track, results: wire.Results) -> None:
        all_words = results.words
        if not results.is_final:
            if all_words and self.call_ms(all_words[0].start * 1000) >= self.replay.settled_ms[track]:
                self._interim(track, results)
                return
            if not results.transcript:
                return  # nobody has spoken so far; if it stays so, the window's last result says it, too
        end_ms = self.call_ms(results.end * 1000, end=True)
        if results.is_final and end_ms <= self.replay.settled_ms[track]:
            self.repeated(len(all_words))  # the same window again
            return
        words = self._words(track, results)
        text = results.transcript if len(words) == len(all_words) else " ".join(word.text for word in words)
        if results.is_final:
            self.repeated(len(all_words) - len(words))
        elif not text:
            return
        if words:
            self._last_word_ms[track] = words[-1].end * 1000
        closes = bool(results.speech_final or results.from_finalize) or (not text and end_ms - self._last_word_ms[track] >= PAUSE_MS)
        self.recognized(
            Recognized(
                track,
                start=words[0].start if words else self.call_ms(results.start * 1000) / 1000,
                end=words[-1].end if words else end_ms / 1000,
                text=text,
                settled=bool(results.is_final),
                closes=closes and bool(results.is_final),
                confidence=results.confidence if text else None,
                words=words,
                language=results.languages[0] if results.languages else None,
            )
        )
        if results.is_final:
            self.replay.settle(track, end_ms)

    def _interim(self, track: Track, results: wire.Results) -> None:
        """Report words that may change. Interims carry no word times, so none are computed: most messages are interims."""
        start_ms, end_ms = self.call_ms(results.words[0].start * 1000), self.call_ms(results.words[-1].end * 1000, end=True)
        self.recognized(
            Recognized(
                track, start_ms / 1000, end_ms / 1000, results.transcript, settled=False, closes=False, confidence=results.confidence
            )
        )

    def _words(self, track: Track, results: wire.Results) -> tuple[RecognizedWord, ...]:
        """Return the window's words in call time, without those that were reported already."""
        call_ms = self.call_ms
        return self.new_words(
            track,
            tuple(
                RecognizedWord(word.text, call_ms(word.start * 1000) / 1000, call_ms(word.end * 1000, end=True) / 1000, word.confidence)
                for word in results.words
            ),
        )
