"""One call's transcriber, for as long as this node is to transcribe the call: it gets the call's blocks, and is run to its last word.

While the call is on its way to another node, only what lies before the cut is this node's. Knows blocks and the transcriber. Does not know
streams, nor what is published.
"""

import asyncio
import logging
from collections.abc import Callable

from hub.audio.timeline import Block
from hub.calls.departure import LAST_WORDS_SECONDS, Departure
from hub.errors import ProviderError
from hub.events import TranscriberName
from hub.ops.logs import CallLog
from hub.transcribers.transcriber import Lost, OnReport, Transcriber

log = logging.getLogger(__name__)


class Transcription:
    """What a call's audio becomes words by. `push` each block; `run` is awaited beside that."""

    def __init__(self, call_sid: str, open_transcriber: Callable[[], Transcriber], report: OnReport) -> None:
        """`open_transcriber` may raise a HubError. It is called again if the call was on its way to another node and stays here."""
        self._open = open_transcriber
        self._transcriber = open_transcriber()
        self._report = report
        self.departure: Departure | None = None
        """The call's way to another node. None while it is on none."""
        self.failed = False
        """Whether nobody transcribes any more, since the transcriber failed for good."""
        self._log = CallLog(log, {"call": call_sid})

    @property
    def name(self) -> TranscriberName:
        """Who transcribes, as events have it."""
        return TranscriberName(provider=self._transcriber.provider, model=self._transcriber.model)

    def push(self, block: Block) -> None:
        """Take the call's next block. Never waits."""
        if self.departure is None:
            self._transcriber.push(block)
        else:
            self._push(self.departure.take(block))

    def cut(self, at_ms: float) -> None:
        """Cut the call behind all audio that was pushed: it ends at this call time. Only on its way to another node."""
        assert self.departure is not None
        self._push(self.departure.cut(at_ms))

    def finish(self) -> None:
        """Say that no further block is this node's to transcribe."""
        self._transcriber.finish()

    async def run(self) -> bool:
        """Run the transcriber to its last word; return whether it got there."""
        try:
            return await self._transcriber.run(self._report)
        except ProviderError as error:
            self._log.error("%s", error)
            problem = error.problem
        except Exception:  # noqa: BLE001  a bug in an adapter must not take the call's audio, log and end with it
            self._log.exception("the transcriber failed")
            problem = "the hub failed; its log says more"
        self.failed = True
        self._report(Lost(self._transcriber.provider, problem, 0))
        return False

    async def last_words(self, running: "asyncio.Task[bool]") -> bool:
        """Wait for the last words before the cut, which `run` brings, but not for long. Return whether they came."""
        self._transcriber.finish()
        await asyncio.wait([running], timeout=LAST_WORDS_SECONDS)
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
        return not running.cancelled() and running.result()

    def stay(self) -> None:
        """Go on here, with what was kept: the call does not move. `run` has to be called again if it had come to its end."""
        departure, self.departure = self.departure, None
        assert departure is not None
        if departure.words_over:
            self._transcriber, self.failed = self._open(), False
        self._push(departure.kept())

    def _push(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._transcriber.push(block)
