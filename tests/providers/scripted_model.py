"""Voice models that do what a test says, in place of a vendor: no network, the real rest of the hub.

`ScriptedModel` keeps what it is sent and says what the test has it say. `TalkingModel` holds a conversation by itself, one `Reply` for each
response, as the fakes of vendors do.
"""

import asyncio
from collections.abc import Sequence

from hub.agents.voice_model import (
    AddToolOutput,
    AgentAudio,
    AgentAudioDone,
    AgentText,
    AppendAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerText,
    CancelResponse,
    CreateResponse,
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
from tests.providers.openai_script import Reply, voiced

STOP_MS = 500
"""The silence that ends a caller's turn."""


class ScriptedModel:
    """Keeps every request. Says what the test has it `emit`."""

    provider = "scripted"
    model = "test"

    def __init__(self) -> None:
        self.sent: list[ModelRequest] = []
        self.settings: SessionSettings | None = None
        self.closed = False
        self.running = False
        self.opened = asyncio.Event()
        self._over = asyncio.Event()
        self._receive: OnModelEvent | None = None

    async def run(self, settings: SessionSettings, receive: OnModelEvent) -> None:
        self.settings, self._receive, self.running = settings, receive, True
        self.opened.set()
        try:
            if not self.closed:
                await self.attend()
        finally:
            self.running = False

    async def attend(self) -> None:
        await self._over.wait()

    def send(self, request: ModelRequest) -> None:
        if self.running and not self.closed:
            self.sent.append(request)

    def close(self) -> None:
        self.closed = True
        self._over.set()

    def emit(self, *events: ModelEvent) -> None:
        """Say something, as the connection's read would."""
        for event in events:
            if not self.closed:
                assert self._receive is not None
                self._receive(event)

    def lose(self, problem: str) -> None:
        """Break the session."""
        self.emit(SessionLost(problem))
        self.close()

    def audio(self) -> bytes:
        """All of the caller's audio."""
        return b"".join(request.mulaw for request in self.sent if isinstance(request, AppendAudio))


class TalkingModel(ScriptedModel):
    """Answers by a script. What is not silence is speech to it, and it writes down `hears` for each turn of the caller."""

    def __init__(self, replies: Sequence[Reply] = (), hears: str = "hello") -> None:
        super().__init__()
        self.outputs: dict[str, str] = {}
        self.truncated: dict[str, int] = {}
        self._replies = iter(replies)
        self._hears = hears
        self._requests: asyncio.Queue[ModelRequest | None] = asyncio.Queue()
        self._count = 0
        self._heard_ms = self._silence_ms = 0.0
        self._caller_item = ""  # while the caller speaks
        self._active = ""  # a response that does not end by itself

    async def attend(self) -> None:
        self.emit(SessionReady())
        while (request := await self._requests.get()) is not None:
            self._react(request)

    def send(self, request: ModelRequest) -> None:
        super().send(request)
        self._requests.put_nowait(request)

    def close(self) -> None:
        super().close()
        self._requests.put_nowait(None)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def _react(self, request: ModelRequest) -> None:
        match request:
            case AppendAudio(mulaw):
                self._listen(mulaw)
            case CreateResponse():
                self._respond()
            case CancelResponse(response_id) if response_id == self._active:
                self._cancel()
            case AddToolOutput(call_id, output):
                self.outputs[call_id] = output
            case TruncateItem(item_id, heard_ms):
                self.truncated[item_id] = heard_ms
            case _:
                pass

    def _listen(self, mulaw: bytes) -> None:
        began_ms, self._heard_ms = self._heard_ms, self._heard_ms + len(mulaw) / 8
        if set(mulaw) - {0xFF}:
            self._silence_ms = 0.0
            if not self._caller_item:
                self._caller_item = self._name("item")
                self.emit(CallerSpeechStarted(self._caller_item, began_ms))
                if self._active:
                    self._cancel()
            return
        self._silence_ms += len(mulaw) / 8
        if self._caller_item and self._silence_ms >= STOP_MS:
            item_id, self._caller_item = self._caller_item, ""
            self.emit(CallerSpeechStopped(item_id, self._heard_ms), CallerText(item_id, self._hears))
            self._respond()

    def _cancel(self) -> None:
        response_id, self._active = self._active, ""
        self.emit(ResponseEnded(response_id, "cancelled"))

    def _respond(self) -> None:
        if self._active:
            self.emit(ResponseRefused())
            return
        reply = next(self._replies, Reply("All right."))
        response_id, item_id = self._name("response"), self._name("item")
        self.emit(ResponseStarted(response_id))
        if reply.fails:
            self.emit(ResponseEnded(response_id, "failed", f"could not answer: {reply.fails}", True))
            return
        if reply.text:
            self.emit(AgentAudio(response_id, item_id, voiced(reply.text)), AgentAudioDone(response_id, item_id))
            self.emit(AgentText(response_id, item_id, reply.text))
        self.emit(*(ToolCall(response_id, self._name("call"), call.name, call.arguments) for call in reply.calls))
        if reply.silent_after:
            self._active = response_id
        else:
            self.emit(ResponseEnded(response_id, "completed"))
