"""Transcribes calls with Deepgram: both tracks as two channels of one session."""

from collections.abc import Mapping, Sequence

from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.blanks import joined
from hub.transcribers.session import Endpoint, Session, SessionContext, log
from hub.transcribers.utterances import Recognized, RecognizedWord
from hub.vendors.deepgram import wire

PAUSE_MS = 2000.0
"""Silence that ends an utterance even if Deepgram does not say so. After a reconnect Deepgram never does for words that were settled on
the connection before: the new connection did not receive their audio."""


PAUSE_SLACK_MS = 500.0
"""How far the last word's end may move until its words are settled. UtteranceEnd stands for a pause of a second, so what begins later than
this is a word after the pause."""

PRECISION_SECONDS = 0.1
"""How exact the duration in Deepgram's last message is taken to be: to one block of audio."""


class Deepgram(Session):
    """One call's Deepgram session. Implements `Transcriber`."""

    provider = "deepgram"
    TITLE = wire.PROVIDER
    END = wire.CLOSE_STREAM
    KEEP_ALIVE = wire.KEEP_ALIVE
    SPEAKS_IN_SILENCE = True

    def __init__(self, endpoint: Endpoint, context: SessionContext) -> None:
        """The endpoint's URL is a whole `address.listen_url()`."""
        super().__init__(endpoint, TRACKS, context)
        self._last_word_ms: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """Per track, where the newest settled word ended, in call time."""
        self._paused_ms: dict[Track, float | None] = dict.fromkeys(TRACKS)
        """Per track, where the word before a pause ended whose words are not settled yet, in call time. None if there is none."""

    def headers(self) -> Mapping[str, str]:
        """See Session."""
        return wire.headers(self.endpoint.key)

    def payload(self, block: Block) -> bytes:
        """See Session: interleaved mu-law, inbound first."""
        return block.stereo()

    def opened(self) -> None:
        """See Session. Deepgram sends nothing on open: its 101 accepts the session."""
        self.accepted()

    def while_silent(self) -> str:
        """See Session."""
        return wire.FINALIZE if any(self._unsettled.values()) else self.KEEP_ALIVE

    def disconnected(self) -> None:
        """See Session. The next connection receives the audio around an unsettled pause again."""
        self._paused_ms = dict.fromkeys(TRACKS)

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
                if end.channel < len(TRACKS) and end.last_word_end is not None and end.last_word_end >= 0:
                    self._pause(TRACKS[end.channel], self.call_ms(end.last_word_end * 1000, end=True))
            case wire.Metadata(duration=seconds):
                self.summed_up(seconds, PRECISION_SECONDS)
            case wire.DeepgramError() | wire.DeepgramWarning() as message:
                log.warning("Deepgram says: %s", message)
            case _:
                pass

    def _results(self, track: Track, results: wire.Results) -> None:
        if not results.is_final:
            self._interim(track, results)
            return
        end_ms = self.call_ms(results.end * 1000, end=True)
        all_words, ends = self._words(results), bool(results.speech_final or results.from_finalize)
        words = self.new_words(track, all_words)
        self.repeated(len(all_words) - len(words))
        if end_ms <= self.replay.settled_ms[track] and not words and not self._is_news(track, results, end_ms):
            if ends and not results.transcript:
                self.end_utterance(track)
            return
        text = results.transcript if len(words) == len(all_words) else joined(word.text for word in words)
        start, end = _span(words) or (self.call_ms(results.start * 1000) / 1000, end_ms / 1000)
        if text:
            self._last_word_ms[track] = end * 1000
        closes = self._closes(track, bool(text), end_ms) or ends
        self.recognized(
            Recognized(
                track,
                start=start,
                end=end,
                text=text,
                settled=True,
                closes=closes,
                confidence=results.confidence if text else None,
                words=words,
                language=results.languages[0] if results.languages else None,
            )
        )
        self.replay.settle(track, end_ms)

    def _is_news(self, track: Track, results: wire.Results, end_ms: float) -> bool:
        """Return whether a window of audio that is settled has text, without words of its own, that was not reported."""
        if results.words or not results.transcript:
            return False
        whole = RecognizedWord(results.transcript, self.call_ms(results.start * 1000) / 1000, end_ms / 1000)
        return bool(self.new_words(track, (whole,)))

    def _interim(self, track: Track, results: wire.Results) -> None:
        """Report words that may change. Interims carry no word times, and few are computed: most messages are interims."""
        text = results.transcript
        if not text:
            return  # nobody has spoken so far; if it stays so, the window's last result says it, too
        start, end = _span(results.words) or (results.start, results.end)
        start_ms, end_ms = self.call_ms(start * 1000), self.call_ms(end * 1000, end=True)
        if start_ms < self.replay.settled_ms[track] and results.words:
            all_words = self._words(results)
            words = self.new_words(track, all_words)
            if not words:
                return
            if len(words) < len(all_words):
                text, start_ms = joined(word.text for word in words), min(word.start for word in words) * 1000
        self.recognized(Recognized(track, start_ms / 1000, end_ms / 1000, text, settled=False, closes=False, confidence=results.confidence))

    def _pause(self, track: Track, last_word_ms: float) -> None:
        """End the utterance of a track: now, or with the final that settles its words."""
        if self._unsettled[track]:
            self._paused_ms[track] = last_word_ms
        else:
            self.end_utterance(track)

    def _closes(self, track: Track, said: bool, end_ms: float) -> bool:
        """Return whether a final up to there ends its utterance, though it does not say so itself."""
        paused_ms, last_ms = self._paused_ms[track], self._last_word_ms[track]
        if paused_ms is not None and end_ms >= paused_ms - PAUSE_SLACK_MS:
            self._paused_ms[track] = None
            if last_ms <= paused_ms + PAUSE_SLACK_MS:
                return True
        return not said and end_ms - last_ms >= PAUSE_MS

    def _words(self, results: wire.Results) -> tuple[RecognizedWord, ...]:
        """Return the window's words in call time."""
        call_ms = self.call_ms
        return tuple(
            RecognizedWord(word.text, call_ms(word.start * 1000) / 1000, call_ms(word.end * 1000, end=True) / 1000, word.confidence)
            for word in results.words
            if word.text.strip()
        )


def _span(words: Sequence[wire.DeepgramWord | RecognizedWord]) -> tuple[float, float] | None:
    """Return where the first word begins and the last one ends, whatever their order. None without words."""
    return (min(word.start for word in words), max(word.end for word in words)) if words else None
