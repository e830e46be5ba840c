"""The Transcriber seam: what every way to turn a call's audio into words promises, and what it reports.

A transcriber belongs to one call. It knows sockets, threads and retries. It does not know subscribers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.transcribers.utterances import NotTranscribed, Recognized


@dataclass(frozen=True, slots=True)
class Lost:
    """The provider stopped answering. `attempt` counts the attempts to reconnect so far; 0: there will be no other attempt."""

    provider: str
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The provider transcribes again, after `attempt` attempts."""

    provider: str
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Switched:
    """Another provider has taken over; `reason` says why."""

    provider: str
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Doubted:
    """The words of this track are probably wrong, those of the last finals and those to come. `reason` says why, as a sentence's end."""

    track: Track
    reason: str


Report: TypeAlias = Recognized | NotTranscribed | Lost | Restored | Switched | Doubted
OnReport: TypeAlias = Callable[[Report], None]
"""Takes one report. Never waits, never raises."""


class Transcriber(Protocol):
    """Turns one call's audio into reports.

    The call pushes blocks from the first chunk on, also while the provider still shakes hands, then calls `finish()`. Beside that, the
    call awaits `run()` in its TaskGroup. All times in reports are seconds of call time, taken from the blocks' own positions.
    """

    @property
    def provider(self) -> str:
        """Name of the provider, as a call chooses it and as events show it: deepgram, for example."""

    @property
    def model(self) -> str:
        """Name of the provider's model; empty if there is none."""

    def push(self, block: Block) -> None:
        """Take one block, in order. Never waits; what cannot be kept is reported as NotTranscribed."""

    def finish(self) -> None:
        """Say that no block follows. Safe to call twice."""

    async def run(self, report: OnReport) -> bool:
        """Transcribe until the audio is finished and the provider has sent its last words; call `report` with each fact.

        Returns whether the transcript is complete: False if the provider was lost before its last words. Cancelling `run` closes the
        provider's session at once. Raises: ProviderError if no retry can help, and nothing else that the call must catch.
        """

    def unsettled(self) -> list[Block]:
        """Return the blocks that are not settled, with silence where one track is: another transcriber takes them when `run` raised."""
