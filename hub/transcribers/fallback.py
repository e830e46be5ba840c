"""The transcriber of a call, and what happens if no retry can help it: the fallback takes over, or the call is told that nobody does."""

import asyncio
import logging
from collections.abc import Callable

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.transcriber import Lost, OnReport, Switched, Transcriber
from hub.transcribers.utterances import NotTranscribed

log = logging.getLogger(__name__)

SILENCE = bytes([g711.SILENCE_BYTE])


class Refusing:
    """Stands for a provider that a call asked for and that this hub cannot use. Implements `Transcriber`: its `run` raises the reason."""

    def __init__(self, provider: str, problem: str) -> None:
        self.provider = provider
        self.model = ""
        self._problem = problem
        self._blocks: list[Block] = []

    def push(self, block: Block) -> None:
        """See Transcriber. Only blocks that come before `run` is called arrive here."""
        self._blocks.append(block)

    def finish(self) -> None:
        """See Transcriber."""

    async def run(self, report: OnReport) -> bool:  # noqa: ARG002
        """See Transcriber. Raises: ProviderError, always."""
        raise ProviderError(self.provider, self._problem, retryable=False)

    def unsettled(self) -> list[Block]:
        """See Transcriber."""
        return self._blocks


class Fallback:
    """A transcriber and its fallback. Implements `Transcriber`.

    If the first transcriber gives up, the second one receives the audio that is not settled, and goes on. Without a second one, the
    reason is reported at once, and at the end the audio that was not transcribed.
    """

    def __init__(self, first: Transcriber, second: Callable[[], Transcriber] | None) -> None:
        """`second` opens the fallback; None: there is none."""
        self._now: Transcriber | None = first
        """The transcriber that works now; None while nobody does."""
        self._second = second
        self.provider = first.provider
        self.model = first.model
        self._missed_from_ms: dict[Track, float] = {}
        """Per track, where the first sound is that nobody transcribes; empty while somebody does."""
        self._end_ms = 0.0
        """Call time up to which audio came."""
        self._finished = asyncio.Event()

    def push(self, block: Block) -> None:
        """See Transcriber."""
        self._end_ms = block.end_ms
        if self._now is not None:
            self._now.push(block)
        else:
            self._miss(block)

    def finish(self) -> None:
        """See Transcriber."""
        self._finished.set()
        if self._now is not None:
            self._now.finish()

    async def run(self, report: OnReport) -> bool:
        """See Transcriber. Raises no ProviderError."""
        while self._now is not None:
            try:
                return await self._now.run(report)
            except ProviderError as error:
                log.error("%s", error)
                report(Lost(self.provider, error.problem, 0))
                self._give_up(self._now, error, report)
        await self._finished.wait()
        for track, start_ms in self._missed_from_ms.items():
            report(NotTranscribed(track, start_ms / 1000, self._end_ms / 1000, "no transcriber"))
        return False

    def unsettled(self) -> list[Block]:
        """See Transcriber."""
        return self._now.unsettled() if self._now is not None else []

    def _give_up(self, failed: Transcriber, error: ProviderError, report: OnReport) -> None:
        unsettled = failed.unsettled()
        if self._second is None:
            self._now = None
            for block in unsettled:
                self._miss(block)
            return
        self._now, self._second = self._second(), None
        self.provider, self.model = self._now.provider, self._now.model
        for block in unsettled:
            self._now.push(block)
        if self._finished.is_set():
            self._now.finish()
        report(Switched(self.provider, error.problem, 0))

    def _miss(self, block: Block) -> None:
        """Note where the first sound of each track is that nobody transcribes. Silence is not missed, whether it was settled or masked."""
        for track in TRACKS:
            if track not in self._missed_from_ms and (sound := block.track(track).lstrip(SILENCE)):
                self._missed_from_ms[track] = block.end_ms - g711.ms(len(sound))
