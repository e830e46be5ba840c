"""Transcribes calls with AssemblyAI. A session takes one channel: either one session per track, or one session of both tracks mixed."""

from collections.abc import Mapping

from msgspec.structs import replace

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.onset import onset
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.blanks import joined
from hub.transcribers.session import Endpoint, Session, SessionContext, log
from hub.transcribers.utterances import Recognized, RecognizedWord
from hub.vendors.assemblyai import wire

LEAST_BYTES = 50 * g711.BYTES_PER_MS
"""AssemblyAI ends a session whose frames are shorter than 50 ms."""

SILENT_SECONDS = 20.0
"""Audio this old, with no turn open, had no speech in it: the first message of a turn comes within a second or two."""


PRECISION_SECONDS = 1.0
"""How exact the duration in AssemblyAI's last message is: whole seconds."""


class AssemblyAI(Session):
    """One AssemblyAI session: of one track, or of both mixed if `track` is None. Implements `Transcriber`."""

    provider = "assemblyai"
    TITLE = wire.PROVIDER
    END = wire.TERMINATE
    KEEP_ALIVE = wire.KEEP_ALIVE
    SPEAKS_IN_SILENCE = False

    def __init__(self, endpoint: Endpoint, track: Track | None, context: SessionContext) -> None:
        """The endpoint's URL is a whole `wire.stream_url()`."""
        super().__init__(endpoint, TRACKS if track is None else (track,), context)
        self._track = track
        self._formatted = not wire.always_formats(endpoint.model) and "format_turns=false" not in endpoint.url.lower()
        self._turn: wire.AssemblyAITurn | None = None
        """The turn that is open; None between turns."""
        self._turn_track: Track = track or "inbound"
        """The track of that turn."""
        self._ended_turn = -1
        """`turn_order` of the newest turn that is over, on the present connection."""
        self._onset: tuple[tuple[Track, float, float], float] | None = None
        """The newest first word of a turn, as its track and times, and where its sound begins; None before the first."""
        self._spoke_ms: float | None = None
        """Session time of the newest SpeechStarted that no turn has followed; None if there is none."""
        self._levels: dict[Track, list[tuple[float, int]]] = {"inbound": [], "outbound": []}
        """Per track, if mixed: call time in ms and loudness of each block. The louder track is the one that spoke."""

    def headers(self) -> Mapping[str, str]:
        """See Session."""
        return wire.headers(self.endpoint.key)

    def payload(self, block: Block) -> bytes:
        """See Session."""
        if self._track is not None:
            return block.track(self._track)
        for track in TRACKS:
            levels = self._levels[track]
            levels.append((block.start_ms, g711.level(block.track(track))))
            del levels[:-600]  # a minute of blocks: no turn is longer
        return g711.mixed(block.inbound, block.outbound)

    def padding(self, size_bytes: int) -> int:
        """See Session."""
        return max(0, LEAST_BYTES - size_bytes)

    def opened(self) -> None:
        """See Session. A refusal comes after the 101, so nothing is accepted before Begin."""

    def while_silent(self) -> str:
        """See Session."""
        return wire.FORCE_ENDPOINT if self._turn is not None else self.KEEP_ALIVE

    def disconnected(self) -> None:
        """See Session."""
        self._turn, self._ended_turn, self._spoke_ms = None, -1, None

    def concluding(self) -> None:
        """See Session. A turn whose formatted end did not come is over, too."""
        self._close_turn()

    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> ProviderError:  # noqa: ARG002
        """See Session."""
        return wire.refused(status, body.decode(errors="replace"))

    def closed(self, code: int | None, reason: str) -> ProviderError:
        """See Session."""
        return wire.closed(code, reason)

    def receive(self, text: bytes) -> None:
        """See Session."""
        match wire.decode(text):
            case wire.Begin() as begin:
                if (other := begin.other_model(self.model)) is not None:
                    log.warning("AssemblyAI uses the model %s instead of %s; check ASSEMBLYAI_MODEL", other, self.model)
                self.accepted()
            case wire.AssemblyAITurn() as turn:
                self._take(turn)
            case wire.AssemblyAISpeechStarted(timestamp_ms=at_ms):
                self._spoke_ms = at_ms
            case wire.Termination(audio_duration_seconds=seconds):
                self.summed_up(seconds, PRECISION_SECONDS)
            case wire.AssemblyAIError(error=error, error_code=code):
                raise wire.refused(code, error)
            case wire.AssemblyAIWarning() as warning:
                log.warning("AssemblyAI says: %s", warning)
            case _:
                pass

    def settle_silence(self, processed_ms: float) -> None:
        """See Session. In silence AssemblyAI sends nothing, so audio without a turn counts as settled after a while."""
        if self._turn is not None and self._turn.words:
            return
        silent_ms = processed_ms - SILENT_SECONDS * 1000
        if silent_ms > 0 and (self._spoke_ms is None or self._spoke_ms < silent_ms):
            for track in self.tracks:
                self.replay.settle(track, self.call_ms(silent_ms, end=True))

    def _take(self, turn: wire.AssemblyAITurn) -> None:
        if turn.turn_order <= self._ended_turn:
            if wire.is_last(turn, self.model, self._formatted):
                self._add(turn)
            return  # reported already
        if self._turn is not None and self._turn.turn_order < turn.turn_order:
            self._close_turn()  # its formatted end never came
        if turn.is_empty and self._turn is not None and (settled := self._turn.settled) is not None:
            turn = replace(settled, end_of_turn=turn.end_of_turn, turn_is_formatted=turn.turn_is_formatted)
        if self._track is None and turn.words and not (self._turn and self._turn.words):
            self._turn_track = self._louder(turn)
        self._turn = turn
        if wire.is_last(turn, self.model, self._formatted):
            self._close_turn()
        elif not turn.is_empty:
            self._report_turn(turn, last=False)

    def _add(self, turn: wire.AssemblyAITurn) -> None:
        """Report the words of a turn that ended once more, as far as they follow what was reported. The others may be in another form."""
        end_ms = self.replay.settled_ms[self._turn_track]
        more = tuple(word for word in turn.words or () if self.call_ms(word.start_ms) >= end_ms)
        self.repeated(len(turn.words or ()) - len(more))
        if more:
            self._report_turn(replace(turn, transcript=joined(word.text for word in more), words=more), last=True)

    def _close_turn(self) -> None:
        """Report the open turn as its final."""
        turn, self._turn, self._spoke_ms = self._turn, None, None
        if turn is None:
            return
        if not turn.is_empty:  # a turn that ended without a word may still get its words
            self._ended_turn = turn.turn_order
        self._report_turn(turn, last=True)

    def _report_turn(self, turn: wire.AssemblyAITurn, *, last: bool) -> None:
        track = self._turn_track
        for other in self.tracks:
            if other != track and self._unsettled[other]:
                self.withdraw(other)  # before the connection broke, these words were counted as the other speaker's
        words = self._words(turn, track)
        new = self.new_words(track, words)
        text = turn.text if len(new) == len(words) else joined(word.text for word in new)
        settled = self.replay.settled_ms[track] / 1000
        start, end = (min(word.start for word in new), max(word.end for word in new)) if new else (settled, settled)
        confidences = [word.confidence for word in new if word.confidence is not None]
        self.recognized(
            Recognized(
                track,
                start=start,
                end=end,
                text=text,
                settled=last,
                closes=last,
                confidence=sum(confidences) / len(confidences) if confidences else None,
                words=new,
                language=turn.language_code,
            )
        )
        if last:
            self.repeated(len(words) - len(new))
            for each in self.tracks if new else ():
                self.replay.settle(each, end * 1000)

    def _words(self, turn: wire.AssemblyAITurn, track: Track) -> tuple[RecognizedWord, ...]:
        """Return the turn's words in call time. The first one begins where its sound does."""
        call_ms = self.call_ms
        words = [
            RecognizedWord(word.text, call_ms(word.start_ms) / 1000, call_ms(word.end_ms, end=True) / 1000, word.confidence)
            for word in turn.words or ()
            if word.text.strip()
        ]
        if words:
            first = words[0]
            words[0] = RecognizedWord(first.text, self._first_sound(track, first), first.end, first.confidence)
        return tuple(words)

    def _first_sound(self, track: Track, word: RecognizedWord) -> float:
        """Return where a turn's first word begins, seconds of call time: not before its sound.

        On telephone audio AssemblyAI has it begin up to a second early, which would put a short answer before its question. The audio is in
        the replay buffer, because it is not settled. It is looked at once per turn, and again if AssemblyAI moves the word.
        """
        span = (track, word.start, word.end)
        if self._onset is None or self._onset[0] != span:
            audio = self.replay.audio(track, word.start * 1000, word.end * 1000)
            whole = bool(audio) and audio[0][0] <= word.start * 1000  # else its first part was dropped from the buffer
            onset_ms = onset(audio) if whole else None
            self._onset = span, word.start if onset_ms is None else max(word.start, min(onset_ms / 1000, word.end))
        return self._onset[1]

    def _louder(self, turn: wire.AssemblyAITurn) -> Track:
        """Return the track with more sound where the turn's first words were spoken."""
        if not turn.words:
            return self._turn_track
        start = self.call_ms(min(word.start_ms for word in turn.words))
        end = self.call_ms(max(word.end_ms for word in turn.words), end=True)
        sums = {track: sum(level for at, level in self._levels[track] if start - 100 < at < end) for track in TRACKS}
        return "inbound" if sums["inbound"] >= sums["outbound"] else "outbound"
