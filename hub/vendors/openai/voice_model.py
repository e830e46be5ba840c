"""OpenAI's Realtime API as a `VoiceModel`: its messages translated into neutral events, neutral requests into its messages.

Knows the two vocabularies. Does not know the connection, which is the session's, nor what a conversation makes of the events.
"""

from typing import Final, assert_never

from hub.agents import Agent
from hub.agents.voice_model import (
    MODEL_ACTIVITY,
    AddCallerText,
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AgentTextDelta,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CallerTextDelta,
    CallerTextFailed,
    CallerTextRevised,
    CancelResponse,
    CreateResponse,
    EndCallerTurn,
    ModelEvent,
    ModelRequest,
    OnModelEvent,
    ResponseEnded,
    ResponseRefused,
    ResponseStarted,
    SessionLost,
    SessionReady,
    SessionSettings,
    ToolCall,
    TruncateItem,
)
from hub.errors import ProviderError
from hub.vendors.openai import requests, wire
from hub.vendors.openai.refusals import failed, is_active_response, stopped_early
from hub.vendors.openai.requests import Dialect
from hub.vendors.openai.session import RealtimeEndpoint, RealtimeLimits, RealtimeSession
from hub.vendors.openai.settings import OpenAISettings
from hub.vendors.voice_model_provider import ModelContext

REASON_CHARS: Final = 100
"""Characters of OpenAI's own words that a subscriber reads in a gap: enough for a sentence."""


def translated(message: wire.OpenAIMessage | ProviderError | None) -> ModelEvent:
    """Return what a message of a session means. None is a message of a type that the hub does not know."""
    match message:
        case wire.OutputAudioDelta():  # most messages are this one, and a pattern with names in it costs several times as much
            return AgentAudio(message.response_id, message.item_id, message.delta)
        case wire.OutputTranscriptDelta(response_id, item_id, text) | wire.OutputTextDelta(response_id, item_id, text):
            return AgentTextDelta(response_id, item_id, text or "")
        case wire.OutputTranscriptDone(response_id, item_id, text) | wire.OutputTextDone(response_id, item_id, text):
            return AgentText(response_id, item_id, text)
        case wire.OutputAudioDone(response_id, item_id):
            return AgentAudioDone(response_id, item_id)
        case wire.ResponseCreated(response):
            return ResponseStarted(response.id or "" if response is not None else "")
        case wire.ResponseDone(response):
            return _ended(response or wire.OpenAIResponse())
        case wire.OutputItemDone(response_id, item):
            return _item_done(response_id, item)
        case wire.SessionUpdated():
            return SessionReady()
        case wire.OpenAIError():
            return ResponseRefused() if is_active_response(message.body) else MODEL_ACTIVITY
        case ProviderError():
            return SessionLost(message.problem)
        case wire.SessionCreated() | wire.ServerPing() | None:
            return MODEL_ACTIVITY
        case _:
            return _caller_said(message)


def _caller_said(message: wire.CallersMessage) -> ModelEvent:
    match message:
        case wire.InputTranscriptDelta(item_id, more):
            return CallerTextDelta(item_id, more or "")
        case wire.InputTranscriptUpdated(item_id, text):
            return CallerTextRevised(item_id, text or "")
        case wire.InputTranscriptDone(item_id, text):
            return CallerText(item_id, text)
        case wire.InputTranscriptFailed(item_id):
            return CallerTextFailed(item_id, (message.body.message or "OpenAI does not say why")[:REASON_CHARS])
        case wire.OpenAISpeechStarted(item_id, audio_start_ms):
            return CallerSpeechStarted(item_id, audio_start_ms)
        case wire.OpenAISpeechStopped(item_id, audio_end_ms):
            return CallerSpeechStopped(item_id, audio_end_ms)
        case wire.InputCommitted(item_id):
            return CallerSpeechStopped(item_id, None)
        case _:
            assert_never(message)


def _ended(response: wire.OpenAIResponse) -> ResponseEnded:
    response_id = response.id or ""
    match response.status:
        case "failed":
            error = failed(response)
            return ResponseEnded(response_id, "failed", error.problem, error.retryable)
        case "completed" | "cancelled" as status:
            return ResponseEnded(response_id, status)
        case None:  # a server that does not say has nothing to say against it
            return ResponseEnded(response_id, "completed")
        case _:
            return ResponseEnded(response_id, "incomplete", stopped_early(response))


def _item_done(response_id: str, item: wire.OpenAIItem) -> ModelEvent:
    # A function call that was cut off while it was written is marked incomplete, and its arguments may be half a JSON text.
    if item.type != "function_call" or not item.call_id or item.status == "incomplete":
        return MODEL_ACTIVITY
    return ToolCall(response_id, item.call_id, item.name or "", item.arguments or "")


def encoded(request: ModelRequest) -> bytes:
    """Return the message that asks for this."""
    match request:
        case AppendAudio(mulaw):
            return requests.append(mulaw)
        case CreateResponse(instructions, tools):
            return requests.response_create(instructions, tools=tools)
        case EndCallerTurn():
            return requests.commit()
        case CancelResponse(response_id):
            return requests.response_cancel(response_id)
        case TruncateItem(item_id, heard_ms):
            return requests.truncate(item_id, heard_ms)
        case AddToolOutput(call_id, output):
            return requests.function_output(call_id, output)
        case AddCallerText(text):
            return requests.caller_typed(text)
        case _:
            assert_never(request)


class OpenAIModel:
    """One call's session with one of OpenAI's models. Implements `VoiceModel`."""

    provider: Final = "openai"

    def __init__(self, model: str, session: RealtimeSession, dialect: Dialect = "openai") -> None:
        self.model: Final = model
        self._session = session
        self._dialect = dialect

    async def run(self, settings: SessionSettings, receive: OnModelEvent) -> None:
        """Open the session and hold it until it is over; see VoiceModel."""
        await self._session.run(requests.session_update(settings, self._dialect), lambda message: receive(translated(message)))

    def send(self, request: ModelRequest) -> None:
        """Send a request; see VoiceModel."""
        # Nearly always it is audio: 50 times per second and call.
        self._session.send(requests.append(request.mulaw) if type(request) is AppendAudio else encoded(request))

    def close(self) -> None:
        """Close the session now; see VoiceModel."""
        self._session.close()


class OpenAIModels:
    """Opens a model for each call, by the hub's settings. Implements `VoiceModelFactory`."""

    def __init__(self, settings: OpenAISettings, context: ModelContext) -> None:
        self._settings = settings
        self._context = context
        self.limits = RealtimeLimits()
        """Of the sessions that are opened from now on."""

    def open(self, agent: Agent, call_sid: str) -> OpenAIModel:
        """Return the model that speaks for an agent on one call; see VoiceModelFactory."""
        dialect = self._settings.spoken
        endpoint = RealtimeEndpoint(requests.realtime_url(self._settings.url, agent.model), self._settings.key, dialect)
        session = RealtimeSession(endpoint, self._context.counters, self._context.clock, call_sid, self.limits)
        return OpenAIModel(agent.model, session, dialect)
