"""A transcriber that reports what a test says, in place of a provider: no network, no engine, and the rest of the hub real."""

import asyncio
from collections.abc import Callable

from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.transcribers.transcriber import OnReport, Report
from hub.transcribers.utterances import Recognized

Script = Callable[["ScriptedTranscriber", OnReport], None]


class ScriptedTranscriber:
    """Keeps every block; reports what the test tells it to report."""

    provider = "scripted"
    model = "test"

    def __init__(self, on_block: Callable[["ScriptedTranscriber", Block], None] | None = None) -> None:
        self.blocks: list[Block] = []
        self.finished = asyncio.Event()
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.complete = True
        self.cancelled = False
        self._unheard: list[Report] = []
        self.hear: OnReport = self._unheard.append
        self._on_block = on_block

    def push(self, block: Block) -> None:
        self.blocks.append(block)
        if self._on_block is not None:
            self._on_block(self, block)

    def finish(self) -> None:
        self.finished.set()

    async def run(self, hear: OnReport) -> bool:
        self.hear = hear
        for report in self._unheard:
            hear(report)
        self.started.set()
        try:
            await self.finished.wait()
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.complete

    def unsettled(self) -> list[Block]:
        return self.blocks

    def audio(self, track: Track) -> bytes:
        """Everything pushed for one track."""
        return b"".join(block.track(track) for block in self.blocks)

    def interim(self, text: str, track: Track = "inbound", start: float = 0.0, end: float = 1.0) -> None:
        self.hear(Recognized(track, start, end, text, settled=False, closes=False))

    def final(self, text: str, track: Track = "inbound", start: float = 0.0, end: float = 1.0) -> None:
        self.hear(Recognized(track, start, end, text, settled=True, closes=True))


def talking(script: "ScriptedTranscriber", block: Block) -> None:
    """An `on_block` that says a word of each track every second: an interim at the half, a final at the full second."""
    tenth = round(block.start_ms / 100)
    for track in ("inbound", "outbound"):
        if tenth % 10 == 5:
            script.interim(f"{track} word", track, tenth / 10, tenth / 10 + 0.1)
        elif tenth % 10 == 9:
            script.final(f"{track} word {tenth // 10}", track, tenth / 10 - 0.5, tenth / 10)
