"""What nodes send each other on a call's topic: durable events, interims, audio. One byte says which.

Knows bytes. Does not know what is done with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hub.errors import WireError

ROWS_TOPIC = "rows"
"""The topic on which nodes tell how their live calls go on: a list of rows in JSON. Who misses some has the next ones soon."""


def call_topic(call_sid: str) -> str:
    """Return the topic on which a call's events and interims are sent."""
    return f"call:{call_sid}"


def audio_topic(call_sid: str) -> str:
    """Return the topic on which a call's audio is sent, while a node listens to it."""
    return f"audio:{call_sid}"


def node_topic(node_id: str) -> str:
    """Return the topic on which a node is asked for something."""
    return f"node:{node_id}"


@dataclass(frozen=True, slots=True)
class Events:
    """Durable events with consecutive offsets."""

    generation: int
    first: int
    payloads: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Revised:
    """The newest interim of an utterance, and up to which offset events come before it."""

    generation: int
    after: int
    utterance: str
    payload: bytes


Body: TypeAlias = Events | Revised


def packed(body: Body) -> bytes:
    """Return a body as it is sent. JSON has no line breaks of its own, so one stands between two payloads."""
    match body:
        case Events(generation, first, payloads):
            return b"e %d %d\n%b" % (generation, first, b"\n".join(payloads))
        case Revised(generation, after, utterance, payload):
            return b"i %d %d %b\n%b" % (generation, after, utterance.encode(), payload)


def unpacked(body: bytes) -> Body:
    """Read a body. Raises: WireError."""
    head, _, rest = body.partition(b"\n")
    try:
        match head.split(b" "):
            case [b"e", generation, first]:
                return Events(int(generation), int(first), rest.split(b"\n"))
            case [b"i", generation, after, utterance]:
                return Revised(int(generation), int(after), utterance.decode(), rest)
    except ValueError:
        pass
    raise WireError("a node", "sent something that is no event of a call")
