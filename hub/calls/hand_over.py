"""What two nodes say to each other when a call moves from one to the other while both live.

Twilio's stream of a call comes to a node that does not own the call. That node asks the owner. The owner transcribes the call up to a
*cut*, publishes its last words, and gives the call to the node that asked, which transcribes what lies behind the cut.
"""

import msgspec

from hub.audio.g711 import Track
from hub.audio.lost import Share

HAND_OVER = "hand-over"
"""The request. It is asked again until it is answered, or the owner's lease has ended: the same answer comes each time."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A node asks for a call."""

    call_sid: str
    since: float
    """Unix seconds, by the broker's clock, of the zero of the stream that has come: that node has the call's audio from there on."""
    stream_sid: str
    """Of the stream, or of the first one if there are several."""
    tracks: list[Track]
    """The tracks that they carry."""
    agent: bool = False
    """Whether an agent answers the stream: the caller talks to the agent already, so no pause is waited for."""


class HandedOver(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The owner has given the call."""

    generation: int
    offset: int
    """Of the call's newest event: the broker has it."""
    cut_ms: float
    """Call time of the cut: all before it is published."""
    at: float
    """Unix seconds, by the broker's clock, of the cut."""
    settled_ms: dict[Track, float] = {}
    """For a call that the owner had itself taken over and had no stream of: call time up to which each track's words were published."""
    lost: dict[Track, Share] = {}
    """How much of each track's audio was lost before the cut."""
    words_missing: bool = False
    """Whether words before the cut may be missing."""
    recorded: bool = False
    """Whether the owner has recorded the call, and stores that."""
    utterances: dict[Track, int] = {}
    """The number of each track's last utterance."""
    sample: dict[Track, bytes] = {}
    """The last second of each track before the cut; see `hub.audio.alignment`."""
