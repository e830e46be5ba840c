"""What turns a call's audio into words. One file per provider; this one says what they all promise.

A transcriber belongs to one call. It knows sockets, threads and retries, not subscribers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hub.audio.timeline import Block
from hub.transcribers.utterances import NotTranscribed, Recognized


@dataclass(frozen=True, slots=True)
class Lost:
    """The provider stopped answering. `attempt` counts the reconnects so far; 0 means that it will not be tried again."""

    provider: str
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The provider transcribes again, after `attempt` tries."""

    provider: str
    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Switched:
    """Another provider has taken over; `reason` says why."""

    provider: str
    reason: str
    attempt: int


Report: TypeAlias = Recognized | NotTranscribed | Lost | Restored | Switched
OnReport: TypeAlias = Callable[[Report], None]


class Transcriber(Protocol):
    """One call's way to its words.

    The call pushes blocks from the first chunk on, also while the provider still shakes hands, then calls `finish()` once. `run()` is
    awaited beside that, in the call's TaskGroup, and reports each fact by calling `hear`, which never blocks and never raises. All times
    in reports are seconds of call time, taken from the blocks' own positions.
    """

    @property
    def provider(self) -> str:
        """Who transcribes: deepgram, assemblyai, local."""

    @property
    def model(self) -> str:
        """With which model of theirs."""

    def push(self, block: Block) -> None:
        """Take one block, in order. Never waits; what cannot be held is reported as NotTranscribed."""

    def finish(self) -> None:
        """Say that no block follows. Safe to call twice."""

    async def run(self, hear: OnReport) -> bool:
        """Transcribe until the audio is finished and the provider has said its last word.

        Returns whether the transcript is complete: False when the provider was lost before its last word. Cancelling it closes the
        provider's session at once. Raises nothing that the call must catch, except ProviderError when it could not start at all.
        """

    def unsettled(self) -> list[Block]:
        """Return what it was given and has not settled, with silence where a track was settled: for another to hear after `run` raised."""
