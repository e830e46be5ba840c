"""The vocabulary: every message that a subscriber can receive. Encodes events for the hub, decodes them for clients.

Every event has `type`, `callSid` and `at` (ISO 8601, UTC, ms). A durable event also carries the topic's `epoch` and a consecutive
`offset`, so that anyone can see a loss: a number is missing. Times of speech are seconds of call time. A decoder skips types and fields
that it does not know, so that an older client works with a newer hub. The AsyncAPI document takes its descriptions from the docstrings
here. Does not know topics, providers or sockets.
"""

from typing import Any, TypeAlias, TypeVar, get_args

import msgspec

from hub.events.alerts import Alert, AlertWithdrawn
from hub.events.answers import (
    AlertSummary,
    AttentionKind,
    AttentionReason,
    Authenticated,
    CallList,
    CallSummary,
    Listening,
    Pong,
    RecordingSummary,
    Refusal,
    Subscribed,
    Unlistened,
    Unsubscribed,
    Watching,
)
from hub.events.happenings import (
    AgentInterrupted,
    AgentTrouble,
    CallEnded,
    CallStarted,
    ConditionChanged,
    Dtmf,
    Final,
    Gap,
    Interim,
    StreamFailed,
    ToolCalled,
    ToolReturned,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
    WordsDoubted,
)
from hub.events.notes import Note, NoteSentence
from hub.events.parts import (
    LAST_REVISION,
    SPEAKERS,
    Completeness,
    Durable,
    Event,
    Part,
    Position,
    TrackAudio,
    TranscriberName,
    Word,
    stamped,
)
from hub.events.recording import (
    RecordingErased,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
)
from hub.events.statistics import CallStatistics, SideStatistics, Statistics
from hub.events.steering import Steered, Steering, SteeringAction, SteeringState

__all__ = [
    "KNOWN_TYPES",
    "LAST_REVISION",
    "SPEAKERS",
    "WHOLE_CALL",
    "AgentInterrupted",
    "AgentTrouble",
    "Alert",
    "AlertSummary",
    "AlertWithdrawn",
    "AttentionKind",
    "AttentionReason",
    "Authenticated",
    "CallEnded",
    "CallEvent",
    "CallList",
    "CallStarted",
    "CallStatistics",
    "CallSummary",
    "Completeness",
    "ConditionChanged",
    "D",
    "Dtmf",
    "Durable",
    "DurableEvent",
    "Event",
    "Final",
    "Gap",
    "Interim",
    "Listening",
    "Message",
    "Note",
    "NoteSentence",
    "Part",
    "Pong",
    "Position",
    "RecordingErased",
    "RecordingFailed",
    "RecordingPaused",
    "RecordingResumed",
    "RecordingStarted",
    "RecordingStored",
    "RecordingSummary",
    "Refusal",
    "SideStatistics",
    "Statistics",
    "Steered",
    "Steering",
    "SteeringAction",
    "SteeringState",
    "StreamFailed",
    "Subscribed",
    "ToolCalled",
    "ToolReturned",
    "TrackAudio",
    "TranscriberLost",
    "TranscriberName",
    "TranscriberRestored",
    "TranscriberSwitched",
    "Unlistened",
    "Unsubscribed",
    "Watching",
    "Word",
    "WordsDoubted",
    "decode",
    "decode_durable",
    "encode",
    "stamped",
]

DurableEvent: TypeAlias = (
    CallStarted | Final | Gap | TranscriberLost | TranscriberRestored | TranscriberSwitched | WordsDoubted | StreamFailed | Dtmf
    | ToolCalled | ToolReturned | AgentInterrupted | AgentTrouble | ConditionChanged | RecordingStarted | RecordingPaused
    | RecordingResumed | RecordingFailed | RecordingStored | RecordingErased | Alert | AlertWithdrawn | Steered | Statistics | CallEnded
    | Note
)  # fmt: skip
CallEvent: TypeAlias = DurableEvent | Interim
Message: TypeAlias = (
    CallEvent | Subscribed | Watching | CallList | Unsubscribed | Listening | Unlistened | Steering | Authenticated | Pong | Refusal
)

WHOLE_CALL = (
    CallStarted, TranscriberLost, TranscriberRestored, TranscriberSwitched, StreamFailed, ConditionChanged, RecordingStarted,
    RecordingPaused, RecordingResumed, RecordingFailed, RecordingStored, RecordingErased, Alert, AlertWithdrawn, Statistics, CallEnded,
    Note,
)  # fmt: skip
"""Events that concern a call as a whole: those who follow the list of all calls receive them, too."""

D = TypeVar("D", bound=Durable)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Message)
_tag = msgspec.json.Decoder(dict[str, Any])


def encode(event: Part) -> bytes:
    """Return an event as one JSON object in UTF-8."""
    return _encoder.encode(event)


def decode(text: str | bytes) -> Message | None:
    """Decode one message from the hub. Return None for a type that this version does not know.

    Raises: ValueError if it is not a JSON object with a `type`, or if a known type lacks a field.
    """
    try:
        message: Message = _decoder.decode(text)
    except msgspec.ValidationError:
        kind = _tag.decode(text).get("type")
        if isinstance(kind, str) and kind not in KNOWN_TYPES:
            return None
        raise
    return message


def decode_durable(payload: bytes) -> Durable | None:
    """Return an event of a log. None if this version does not know its type, or reads it otherwise."""
    try:
        event = decode(payload)
    except ValueError:
        return None
    return event if isinstance(event, Durable) else None


KNOWN_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Message))
"""The `type` of every message in the vocabulary."""
