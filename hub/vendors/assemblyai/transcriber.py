"""Transcribes calls with AssemblyAI, which hears one channel a session: one for each track, or one for both mixed."""

import asyncio
import functools
from collections.abc import Callable, Mapping

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.replay import REPLAY_MS
from hub.transcribers.session import Session, log
from hub.transcribers.transcriber import Lost, OnReport, Report, Restored
from hub.transcribers.utterances import Recognized, RecognizedWord
from hub.vendors.assemblyai import wire

LEAST_BYTES = 50 * g711.BYTES_PER_MS
"""AssemblyAI ends a session whose frames are shorter than 50 ms."""

HEARD_SECONDS = 20.0
"""Audio this old, with no turn open, had no speech in it: a turn shows itself within a second or two."""


class AssemblyAI(Session):
    """One AssemblyAI session: of one track, or of both mixed when `track` is None. Implements `Transcriber`."""

    provider = "assemblyai"
    NAME = wire.PROVIDER
    END = wire.TERMINATE
    KEEP_ALIVE = wire.KEEP_ALIVE
    SPEAKS_IN_SILENCE = False

    def __init__(
        self,
        url: str,
        key: str,
        model: str,
        track: Track | None,
        clock: Callable[[], float],
        counters: ProviderCounters,
        *,
        replay_ms: float = REPLAY_MS,
    ) -> None:
        """`url` is a whole `wire.stream_url()`; `replay_ms` as in Session."""
        super().__init__(url, model, TRACKS if track is None else (track,), clock, counters, replay_ms)
        self._key = key
        self._track = track
        self._formatted = not wire.always_formats(model) and "format_turns=false" not in url.lower()
        self._turn: wire.Turn | None = None
        """The turn that is open; None between turns."""
        self._turn_track: Track = track or "inbound"
        """Whose turn it is."""
        self._ended_turn = -1
        """The newest turn that is over, of the present connection."""
        self._spoke_ms: float | None = None
        """Where the provider told that somebody began to speak, in its session's time, with no turn so far; None when it did not."""
        self._levels: dict[Track, list[tuple[float, int]]] = {"inbound": [], "outbound": []}
        """Loudness by block of call time in ms, when mixed: it tells who spoke."""

    def headers(self) -> Mapping[str, str]:
        """See Session."""
        return wire.headers(self._key)

    def payload(self, block: Block) -> bytes:
        """See Session."""
        if self._track is not None:
            return block.track(self._track)
        for track in TRACKS:
            levels = self._levels[track]
            levels.append((block.start_ms, g711.level(block.track(track))))
            del levels[:-600]  # a minute of blocks: the longest turn
        return g711.mixed(block.inbound, block.outbound)

    def padding(self, size_bytes: int) -> int:
        """See Session."""
        return max(0, LEAST_BYTES - size_bytes)

    def opened(self) -> None:
        """See Session. A refusal comes after the 101, so nothing is accepted before Begin."""

    def disconnected(self) -> None:
        """See Session."""
        self._turn, self._ended_turn, self._spoke_ms = None, -1, None

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
            case wire.Turn() as turn:
                self._take(turn)
            case wire.SpeechStarted(timestamp_ms=at_ms):
                self._spoke_ms = at_ms
            case wire.Termination():
                self._close_turn()
                self.last_word()
            case wire.ErrorMessage(error=error, error_code=code):
                raise wire.refused(code, error)
            case wire.WarningMessage() as warning:
                log.warning("AssemblyAI says: %s", warning)
            case _:
                pass

    def calm(self, heard_ms: float) -> None:
        """See Session: in silence AssemblyAI settles nothing, so time does."""
        if self._turn is not None and self._turn.words:
            return
        silent_ms = heard_ms - HEARD_SECONDS * 1000
        if silent_ms > 0 and (self._spoke_ms is None or self._spoke_ms < silent_ms):
            for track in self.tracks:
                self.replay.settle(track, self.call_ms(silent_ms, end=True))

    def _take(self, turn: wire.Turn) -> None:
        if turn.turn_order <= self._ended_turn:
            if wire.is_last(turn, self.model, self._formatted):
                self.repeated(len(turn.words))
            return  # told already
        if self._turn is not None and self._turn.turn_order < turn.turn_order:
            self._close_turn()  # its formatted end never came
        if self._track is None and turn.words and not (self._turn and self._turn.words):
            self._turn_track = self._louder(turn)
        self._turn = turn
        if wire.is_last(turn, self.model, self._formatted):
            self._close_turn()
        elif turn.so_far:
            self._report(turn, last=False)

    def _close_turn(self) -> None:
        """Tell the open turn as its final."""
        turn, self._turn, self._spoke_ms = self._turn, None, None
        if turn is not None:
            self._ended_turn = turn.turn_order
            self._report(turn, last=True)

    def _report(self, turn: wire.Turn, *, last: bool) -> None:
        track = self._turn_track
        for other in self.tracks:
            if other != track and self._unsettled[other]:
                self.take_back(other)  # before the connection broke, these words were thought to be the other speaker's
        words = tuple(
            RecognizedWord(word.text, self.call_ms(word.start_ms) / 1000, self.call_ms(word.end_ms, end=True) / 1000, word.confidence)
            for word in turn.words
        )
        new = self.new_words(track, words)
        text = (turn.transcript if last and turn.transcript else turn.so_far) if len(new) == len(words) else " ".join(w.text for w in new)
        start, end = (new[0].start, new[-1].end) if new else (self.replay.settled_ms[track] / 1000,) * 2
        confidences = [word.confidence for word in new if word.confidence is not None]
        self.report(
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

    def _louder(self, turn: wire.Turn) -> Track:
        """Return the track with more sound where the turn's first words were spoken."""
        if not turn.words:
            return self._turn_track
        start, end = self.call_ms(turn.words[0].start_ms), self.call_ms(turn.words[-1].end_ms, end=True)
        sums = {track: sum(level for at, level in self._levels[track] if start - 100 < at < end) for track in TRACKS}
        return "inbound" if sums["inbound"] >= sums["outbound"] else "outbound"


class AssemblyAITracks:
    """A call's two tracks, each by a session of its own (and a bill of its own). Implements `Transcriber`."""

    provider = AssemblyAI.provider

    def __init__(self, inbound: AssemblyAI, outbound: AssemblyAI) -> None:
        self.model = inbound.model
        self.sessions = (inbound, outbound)

    def push(self, block: Block) -> None:
        """See Transcriber."""
        for session in self.sessions:
            session.push(block)

    def finish(self) -> None:
        """See Transcriber."""
        for session in self.sessions:
            session.finish()

    async def run(self, hear: OnReport) -> bool:
        """See Transcriber. Raises: ProviderError of the first session that no retry can help; the other one is closed then."""
        away: set[AssemblyAI] = set()

        def hear_of(session: AssemblyAI, report: Report) -> None:
            """Pass on what one session tells; that the provider is away, or back, is told once for both."""
            match report:
                case Lost():
                    away.add(session)
                    if len(away) > 1:
                        return
                case Restored():
                    away.discard(session)
                    if away:
                        return
                case _:
                    pass
            hear(report)

        try:
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(session.run(functools.partial(hear_of, session))) for session in self.sessions]
        except BaseExceptionGroup as errors:
            for session in self.sessions:
                session.leave()
            raise errors.exceptions[0] from None
        return all(run.result() for run in runs)

    def unsettled(self) -> list[Block]:
        """See Transcriber: the two sessions' blocks are the same ones, each settled in its own track."""
        left, right = ({block.start_ms: block for block in session.unsettled()} for session in self.sessions)
        both = []
        for start_ms in sorted(left.keys() | right.keys()):
            size = len((left.get(start_ms) or right[start_ms]).inbound)
            inbound = left[start_ms].inbound if start_ms in left else g711.silence(size)
            outbound = right[start_ms].outbound if start_ms in right else g711.silence(size)
            both.append(Block(start_ms, inbound, outbound))
        return both
