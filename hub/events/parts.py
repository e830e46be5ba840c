"""What events and answers are made of: their common fields, and the parts that several of them have."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import msgspec

from hub.audio.g711 import Track

SPEAKERS: dict[Track, str] = {"inbound": "caller", "outbound": "callee"}
"""Labels of who speaks on each track, unless they are known better."""


LAST_REVISION = 1_000_000
"""Revision of a final that ends an utterance of a node that is gone: nobody here has counted its interims, and nobody knows its words."""


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.title() for part in rest)


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_camel):
    """A part of an event, or an answer. Field names are in camel case on the wire."""


class Event(Part, frozen=True, kw_only=True, tag_field="type"):
    """A message about one call. The topic fills `at` when it publishes the event."""

    call_sid: str
    at: str = ""


class Durable(Event, frozen=True, kw_only=True):
    """A numbered event: kept in the call's log and delivered exactly once. The topic fills `epoch` and `offset`."""

    epoch: str = ""
    offset: int = 0


class Position(msgspec.Struct, frozen=True):
    """Where a subscriber is in a call's log: it has every durable event of this `epoch` up to and including `offset`.

    The epoch is needed because offsets start again at 1 when a hub has lost its log. A subscriber that is at offset 3 of the old log would
    otherwise skip the first three events of the new one.
    """

    epoch: str
    offset: int


class Word(Part, frozen=True, kw_only=True):
    """One word. `start` and `end` are seconds of call time."""

    text: str
    start: float
    end: float
    confidence: float | None = None


class TranscriberName(Part, frozen=True, kw_only=True):
    """The provider and the model that transcribe a call."""

    provider: str
    model: str


class TrackAudio(Part, frozen=True, kw_only=True, omit_defaults=False):
    """How complete one track's audio was, in milliseconds.

    `filled_ms`: silence in place of audio that did not arrive in time. `lost_ms`: the part of it that was lost, so not the time before the
    track's first audio, when the other side had not answered yet, and not what a `gap` tells; also what was discarded because the stream's
    clock was slow or stood still. `late_ms`: audio that arrived after silence
    had left in its place. `dropped_ms`: audio discarded because its timestamp could not be true. `max_skew_ms`: the furthest that this
    track's audio arrived behind the other track's; what was transcribed is in step all the same.
    """

    filled_ms: float
    lost_ms: float
    late_ms: float
    dropped_ms: float
    max_skew_ms: float


class Completeness(Part, frozen=True, kw_only=True, omit_defaults=False):
    """How whole the record of a call is: so far while the call lives, for good in `call-ended`.

    `summary` says it in words, the same words in every list, page, terminal and file. `untranscribed_seconds`: call time of the `gap`s,
    both tracks counted once. `lost_percent`: audio of the worse track that was lost, in all parts of the call. `unheard`: the side of
    which nothing was heard while the other one spoke. `words_missing`: words may be missing, mostly the last ones. `reason`: why nobody
    transcribed.
    """

    state: Literal["complete", "incomplete", "not-transcribed"]
    summary: str
    untranscribed_seconds: float
    lost_percent: float
    unheard: Track | None
    words_missing: bool
    reason: str | None


def stamped(unix_seconds: float) -> str:
    """Return a moment as events carry it, such as `2026-11-21T10:00:00.123Z`."""
    whole = int(unix_seconds)
    return f"{_second(whole)}.{int((unix_seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(unix_seconds: int) -> str:
    # Cached: all events of one second share this part, and formatting a date costs as much as encoding the event.
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
