"""The Call seam: what a live call is to the hub, however it is served, and what its streams are to Twilio's door.

Two kinds of call implement it: `TranscribedCall` (people talk, a transcriber recognizes) and `AnsweredCall` (an agent answers). `Calls`
knows this seam and neither of them.
"""

from collections import Counter
from typing import Literal, Protocol, TypeAlias

from hub.audio.g711 import Track
from hub.topics.record import Record
from hub.twilio.media import StartBody

EndReason: TypeAlias = Literal[
    "completed",
    "stream-lost",
    "hub-stopping",
    "failed",
    "agent-lost",
    "agent-limit",
    "agent-hung-up",
    "transferred",
    "supervisor-hung-up",
]
"""Why a call ended, as `call-ended` has it."""

STALLED_SECONDS = 5.0
"""Audio that ends so long before its stream was lost: Twilio sends 50 frames per second and track, silence included."""


class Peer(Protocol):
    """Twilio's end of one stream, as a call sees it: the socket that brought the stream."""

    def write(self, *messages: bytes) -> None:
        """Send JSON messages to Twilio, all in one write. Never waits, never raises. Only bidirectional streams may be written to."""

    def close(self, reason: str) -> None:
        """Close the socket with a sentence. Never waits. The stream gets `lost()` afterwards, which changes nothing then."""


class Stream(Protocol):
    """One Twilio stream's part in a call. No method waits or raises, and none has an effect after `stop()` or `lost()`."""

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """Take one chunk of mu-law, at `at_ms` of the stream's own time.

        Returns whether nobody needs more of this stream for the next 100 ms, so that its socket may rest.
        """

    def mark(self, name: str) -> None:
        """Take a mark that Twilio sent back: the audio before it was played, or cleared."""

    def dtmf(self, digit: str, track: Track) -> None:
        """Take a key press."""

    def stop(self) -> None:
        """Twilio said that the stream is over."""

    def lost(self) -> None:
        """The socket is gone without a `stop` message."""


class Call(Protocol):
    """One call, from its first stream to `call-ended`."""

    @property
    def record(self) -> Record:
        """What the hub knows of the call; other calls of the same callSid share it."""

    @property
    def accepts(self) -> bool:
        """Whether a stream may join now. False for a call that is ending, and for an agent's call, which has one stream."""

    @property
    def holds(self) -> bool:
        """Whether the callSid is still this call's, so that no other Call may take it over. False once the call is ending."""

    @property
    def superseded(self) -> bool:
        """Whether another Call has taken over this callSid and will publish `call-ended`."""

    @property
    def answered(self) -> bool:
        """Whether an agent is on the line now: such calls are limited in number."""

    @property
    def streams(self) -> int:
        """How many streams are live."""

    @property
    def awaits_stream(self) -> bool:
        """Whether another stream may come for this call: one broke, brings the other track, or follows an agent."""

    @property
    def call_ms(self) -> float:
        """Call time now, in ms: the media clock, carried on by the wall clock over the time in which no frame came."""

    def amiss_bytes(self) -> Counter[tuple[Track, str]]:
        """Return how much audio of each track was `filled`, `late` or `dropped` so far."""

    def join(self, start: StartBody, peer: Peer, base_ms: int | None = None) -> Stream:
        """Take in a stream and publish `call-started`. Only while `accepts`, or as the first stream. Never waits.

        `base_ms`: call time at the stream's own zero. None: now.
        """

    def give_way(self) -> None:
        """Let another Call go on with this callSid from here on, which will publish `call-ended`. Streams that are live are closed.

        Only while not `holds`, except that people's calls give way to an agent at any time.
        """

    def stop(self) -> None:
        """End the call because the hub stops: streams are closed, the transcript is finished. `run()` returns soon after."""

    async def run(self) -> None:
        """Live from the first stream until all words are published.

        Cancelling it closes provider sessions at once; it raises nothing else.
        """

    def end(self) -> None:
        """Publish `call-ended`, unless superseded. Called once, when `run()` is over, however that came about. Never waits."""
