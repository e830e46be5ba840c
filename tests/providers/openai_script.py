"""What the fake Realtime API is told to do, and what it saw: replies, misbehaviour, voices."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.audio.files import read_call
from clients.sample import SAMPLE
from tests.providers.script import BYTES_PER_SECOND, Ear, said, spoken


def voiced(text: str) -> bytes:
    """A voice whose words an Ear finds again: 300 ms a word."""
    return spoken(said(text, 0.0, word_seconds=0.25, gap_seconds=0.05)) if text else b""


def recorded(_: str) -> bytes:
    """A real voice: the agent of the project's sample call says good morning, whatever the text."""
    sound = read_call(SAMPLE)
    assert sound.outbound is not None
    return sound.outbound[round(0.8 * BYTES_PER_SECOND) : round(3.6 * BYTES_PER_SECOND)]


def overheard(mulaw: bytes) -> str:
    """The words in a stretch of audio, as far as they are whole."""
    ear = Ear(pause_seconds=None, settle_words=1000)
    return " ".join(word.text for piece in [*ear.feed(mulaw), *ear.end()] if piece.settled for word in piece.words)


@dataclass(frozen=True, slots=True)
class Call:
    """A function call of the model."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One response: what is said, which functions are called after it, or how it fails (an error code)."""

    text: str = ""
    calls: Sequence[Call] = ()
    fails: str = ""
    written: bool = False  # the text has no voice
    stops: str = ""  # why it ends in the middle of its text: max_output_tokens or content_filter
    silent_after: bool = False  # nothing more comes of it, not even its end, until it is cancelled


@dataclass(kw_only=True)
class Model:
    """What the model does and how it misbehaves."""

    replies: Sequence[Reply] = ()  # in turn; after the last one: "All right."
    voice: Callable[[str], bytes] = voiced
    delta_ms: int = 200  # audio in one delta
    delta_seconds: float = 0.0  # between two of them
    transcription_seconds: float = 0.0  # after the caller fell silent
    transcription: str = "completed"  # completed, failed or never
    expire_after_ms: int | None = None  # of the caller's audio: the 60-minute limit
    drop_after_ms: int | None = None  # of the caller's audio: the connection breaks
    error_on_update: str = ""  # what is wrong with the session's settings
    never_stops: bool = False  # does not notice that the caller has finished, until it is told
    obeys: bool = True  # uses no tool in a response that is to do without
    mute: bool = False  # takes all and never begins a response
    unknown: bool = False  # an unknown type before each message, and an unknown field in it
    greets_late: asyncio.Event | None = None  # session.updated waits for it


@dataclass
class Utterance:
    """An assistant's item."""

    text: str
    audio_bytes: int = 0
    truncated_ms: int | None = None


@dataclass
class Talk:
    """One session, as the fake saw it."""

    session: dict[str, Any] = field(default_factory=dict)
    audio: bytearray = field(default_factory=bytearray)  # of the caller
    items: dict[str, Utterance] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)  # by call_id
    instructions: list[str] = field(default_factory=list)  # of each response asked for
    told: list[str] = field(default_factory=list)  # texts put into the conversation
    errors: list[str] = field(default_factory=list)  # codes sent
    responses: int = 0
    cancelled: int = 0
