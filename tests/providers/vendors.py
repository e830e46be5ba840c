"""Each vendor's transcriber as the hub opens it, pointed at its fake; and the audio of calls whose words are known."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.audio import g711
from hub.audio.timeline import Block
from hub.backoff import Backoff
from hub.ops.counters import ProviderCounters
from hub.transcribers.limits import DEFAULT_LIMITS, SessionLimits
from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Transcriber
from hub.vendors.assemblyai import wire as assemblyai
from hub.vendors.assemblyai.tracks import AssemblyAITracks
from hub.vendors.assemblyai.transcriber import AssemblyAI
from hub.vendors.deepgram import address
from hub.vendors.deepgram.transcriber import Deepgram
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import FakeProvider, Word, spoken

BLOCK_BYTES = 800

Clock = Callable[[], float]

HURRY = replace(DEFAULT_LIMITS, backoff=Backoff(0.01, 0.02), tick_seconds=0.02)
"""Limits of a session without the waits that real providers are owed."""


def _deepgram(url: str, context: SessionContext) -> Transcriber:
    return Deepgram(Endpoint(address.listen_url(url, model="nova-3"), "k", "nova-3"), context)


def _assemblyai(url: str, model: str) -> Endpoint:
    return Endpoint(assemblyai.stream_url(url, model=model), "k", model)


def _separate(url: str, context: SessionContext) -> Transcriber:
    return AssemblyAITracks(_assemblyai(url, assemblyai.MODEL), context)


def _classic(url: str, context: SessionContext) -> Transcriber:
    """The family that ends a turn twice."""
    return AssemblyAITracks(_assemblyai(url, "universal-streaming-english"), context)


def _mixed(url: str, context: SessionContext) -> Transcriber:
    return AssemblyAI(_assemblyai(url, assemblyai.MODEL), None, context)


@dataclass(frozen=True)
class Vendor:
    """One way in which a vendor transcribes a call."""

    name: str
    fake: type[FakeProvider]
    _open: Callable[[str, SessionContext], Transcriber]
    sessions: int = 1
    """Connections per call."""
    mixes: bool = False
    """Whether both tracks travel as one, so that two people who speak at the same time cannot be told apart."""

    def open(
        self, url: str, counters: ProviderCounters | None = None, *, limits: SessionLimits = HURRY, clock: Clock = time.monotonic
    ) -> Transcriber:
        """Open a call's transcriber at the address of a fake."""
        return self._open(url, SessionContext(clock, counters or ProviderCounters(), limits))


DEEPGRAM = Vendor("deepgram", FakeDeepgram, _deepgram)
SEPARATE = Vendor("assemblyai separate", FakeAssemblyAI, _separate, sessions=2)
CLASSIC = Vendor("assemblyai classic", FakeAssemblyAI, _classic, sessions=2)
MIXED = Vendor("assemblyai mixed", FakeAssemblyAI, _mixed, mixes=True)


def sessions(transcriber: Transcriber) -> tuple[Any, ...]:
    """Return the sessions of one call's transcriber: one per connection."""
    return tuple(transcriber.sessions) if isinstance(transcriber, AssemblyAITracks) else (transcriber,)


def blocks(inbound: bytes, outbound: bytes, start_ms: float = 0.0) -> list[Block]:
    """Cut two tracks of one length into blocks of 100 ms; the last one may be shorter."""
    return [
        Block(start_ms + g711.ms(at), inbound[at : at + BLOCK_BYTES], outbound[at : at + BLOCK_BYTES])
        for at in range(0, len(inbound), BLOCK_BYTES)
    ]


def call_of(inbound: Iterable[Word], outbound: Iterable[Word], seconds: float, start_ms: float = 0.0) -> list[Block]:
    """Return a call in which these words are said; their times count from its start."""
    return blocks(spoken(inbound, seconds), spoken(outbound, seconds), start_ms)


def later(words: Sequence[Word], seconds: float) -> list[Word]:
    """Return the words said so much later."""
    return [Word(word.text, word.start + seconds, word.end + seconds) for word in words]
