"""What happens in a call, as subscribers are told. All but `Interim` is durable: numbered, kept, and delivered exactly once."""

from typing import Any, Literal

from hub.audio.g711 import Track
from hub.events.parts import Completeness, Durable, Event, TrackAudio, TranscriberName, Word


class CallStarted(Durable, frozen=True, kw_only=True, tag="call-started"):
    """A stream of the call has started. A further stream, or what becomes known of the call later, is published as another `call-started`.

    `agent`: the voice agent that answers the call, if one does. `transcriber` is then the agent's model.
    """

    from_: str | None = None
    to: str | None = None
    direction: str | None = None
    tracks: list[Track]
    speakers: dict[Track, str]
    parameters: dict[str, str]
    stream_sid: str
    transcriber: TranscriberName
    agent: str | None = None


class Interim(Event, frozen=True, kw_only=True, tag="interim"):
    """The newest state of an utterance that is still open. The next revision or the final replaces it."""

    utterance: str
    revision: int
    track: Track
    speaker: str
    text: str
    start: float
    end: float
    confidence: float | None = None


class Final(Durable, frozen=True, kw_only=True, tag="final"):
    """The last state of an utterance. The text is empty if the provider took its interims back.

    `interrupted`: the caller interrupted the agent, or somebody who steers the call did, and the text is the part that the caller had
    heard by then. `cut`: the agent's model stopped in the middle, and more was to come. `unspoken`: the agent's model wrote this and gave
    it no voice, so nobody heard it.
    """

    utterance: str
    revision: int
    track: Track
    speaker: str
    text: str
    start: float
    end: float
    confidence: float | None = None
    words: list[Word]
    language: str | None = None
    interrupted: bool = False
    cut: bool = False
    unspoken: bool = False

    def marked(self) -> str:
        """Return the text as people read it: with a mark if there was more to say, or if nobody heard it."""
        text = f"{self.text} … (the model stopped here)" if self.cut else f"{self.text} —" if self.interrupted else self.text
        return f"(not spoken) {text}" if self.unspoken else text


class Gap(Durable, frozen=True, kw_only=True, tag="gap"):
    """A stretch of audio that was not transcribed, and why."""

    track: Track
    start: float
    end: float
    reason: str


class TranscriberLost(Durable, frozen=True, kw_only=True, tag="transcriber-lost"):
    """The connection to the provider broke. `attempt` counts the reconnects; 0 means that the provider refused for good."""

    provider: str
    reason: str
    attempt: int


class TranscriberRestored(Durable, frozen=True, kw_only=True, tag="transcriber-restored"):
    """The provider transcribes again, after `attempt` attempts."""

    provider: str
    reason: str
    attempt: int


class TranscriberSwitched(Durable, frozen=True, kw_only=True, tag="transcriber-switched"):
    """From here on, `provider` transcribes. `reason` says why the previous provider stopped."""

    provider: str
    reason: str
    attempt: int


class WordsDoubted(Durable, frozen=True, kw_only=True, tag="words-doubted"):
    """What stands in this track's finals is probably not what was said: another language, for example. Published once per track."""

    track: Track
    reason: str


class StreamFailed(Durable, frozen=True, kw_only=True, tag="stream-error"):
    """A stream of the call failed: as Twilio reports, in its own words, or because it came to a node that cannot take it."""

    stream_sid: str
    reason: str


class Dtmf(Durable, frozen=True, kw_only=True, tag="dtmf"):
    """A key was pressed on a phone."""

    digit: str
    track: Track


class ToolCalled(Durable, frozen=True, kw_only=True, tag="tool-called"):
    """An agent calls a tool. The matching `tool-returned` has the same `invocation`. `time`: seconds of call time."""

    invocation: str
    tool: str
    arguments: Any
    time: float


class ToolReturned(Durable, frozen=True, kw_only=True, tag="tool-returned"):
    """The outcome of a tool call, as the agent got it. `detail`: the result, or why there is none.

    `refused`: the arguments do not fit, or the tool refused. `seconds`: how long the tool took.
    """

    invocation: str
    tool: str
    outcome: Literal["result", "refused", "failed", "timeout"]
    detail: str
    time: float
    seconds: float


class AgentInterrupted(Durable, frozen=True, kw_only=True, tag="agent-interrupted"):
    """The caller interrupted the agent. Of `generated` seconds of speech, `heard` had been played. `time`: seconds of call time."""

    time: float
    heard: float
    generated: float


class ConditionChanged(Durable, frozen=True, kw_only=True, tag="condition-changed"):
    """What is wrong with a live call's record has changed: nobody transcribes, audio is lost, one side is silent. Or all is well again."""

    completeness: Completeness


class AgentTrouble(Durable, frozen=True, kw_only=True, tag="agent-trouble"):
    """Something was wrong with the agent's model, and the conversation goes on. `time`: seconds of call time.

    An example: a response had no sound and was asked for once more, or used more tools than the hub runs.
    """

    reason: str
    time: float


class CallEnded(Durable, frozen=True, kw_only=True, tag="call-ended"):
    """The call has ended. Nothing follows but what becomes of its recording, unless a new stream of the same call starts.

    `duration`: seconds of call time.
    """

    reason: str
    duration: float
    completeness: Completeness
    audio: dict[Track, TrackAudio]
