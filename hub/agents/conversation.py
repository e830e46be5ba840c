"""One call's conversation with a voice model: what each event of either side means for the other. Pure; media time only.

`receive()` takes an event and returns commands, to be executed in order and at once. Audio passes through untouched in both directions.
Whose turn it is stands in `turn_taking`, what the caller has heard of the agent in `agent_speech`, the order of both sides' words in
`turns`. Knows no vendor, no socket, no task and no webhook.
"""

from collections import deque
from collections.abc import Iterable
from typing import assert_never

from hub.agents.agent_speech import AgentSpeech
from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    ClockLeapt,
    Command,
    ConversationEvent,
    GiveUp,
    KeyPressed,
    MarkReturned,
    Publish,
    ToModel,
    ToolDone,
    UseTool,
)
from hub.agents.keypad import Keypad
from hub.agents.model_clock import ModelClock
from hub.agents.turn_taking import CALLER_STATES, RESPONSE_STATES, TurnState, TurnTrigger, after
from hub.agents.turns import LATE_MS, Turns
from hub.agents.voice_model import (
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
    CancelResponse,
    CreateResponse,
    ModelActivity,
    ModelEvent,
    ModelRequest,
    ResponseEnded,
    ResponseRefused,
    ResponseStarted,
    SessionLost,
    SessionReady,
    ToolCall,
)
from hub.audio.g711 import BYTES_PER_MS
from hub.transcribers.utterances import NotTranscribed, Recognized

EARLY_MS = 10_000
"""Caller's audio kept while the model's session opens. Of more than that, the oldest is dropped."""

UNPLAYED_MS = 600_000
"""A model that is further ahead than ten minutes of speech is not answering a telephone: its audio would only fill memory."""

_OPENING, _LOST, _OVER = TurnState.OPENING, TurnState.LOST, TurnState.OVER
"""States that each frame is asked about: a name of this module is found several times faster than a member of an enum."""

TAKEN_UP_MS = 1000
"""A tool's output that was sent so long before the caller fell silent is surely known to the response that follows by itself."""


class Conversation:
    """One conversation, from the opening of the session to `CallOver`. Times are ms of call time."""

    def __init__(self, greeting: str = "", now_ms: float = 0.0, late_ms: float = LATE_MS) -> None:
        """`greeting` is what the agent says first. Empty: it waits for the caller. `late_ms` as in Turns."""
        self._greeting = greeting
        self.now_ms = now_ms
        """The end of the newest frame of the caller."""
        self.state = TurnState.OPENING
        self.complete = True
        """Whether no words were missing at the end. Only meaningful after `CallOver`."""
        self._commands: list[Command] = []
        """What the event that is being received asks for."""
        self._turns = Turns(late_ms)
        self._speech = AgentSpeech(self._turns)
        self._keypad = Keypad()
        self._clock = ModelClock()
        self._early: deque[CallerFrame] = deque()
        """The caller's frames while the session opens."""
        self._early_bytes = 0
        self._response_id = ""
        """The response that is being made. Only meaningful in RESPONSE_STATES."""
        self._wanted = False
        """Whether a response is to be asked for as soon as that is possible."""
        self._due_ms = 0.0
        """Since when a response is due. Only meaningful in RESPONSE_DUE."""
        self._alive_ms = 0.0
        """When the newest event of the model came, or the agent was last heard."""
        self._silent_ms: float | None = None
        """Since when the caller waits for the first sound of an answer. None while they do not."""
        self._returned_ms = 0.0
        """When a tool's output, or a number that was typed, was last sent to the model."""
        self._running_tools: dict[str, str] = {}
        """The call_id of each tool call that runs, and the response that made the call."""
        self._failures = 0
        """Responses that failed since one did not."""

    @property
    def seconds(self) -> float:
        """Call time now, as events have it."""
        return round(self.now_ms / 1000, 3)

    @property
    def caller_speaks(self) -> bool:
        """Whether the caller is speaking, as far as the model has noticed."""
        return self.state in CALLER_STATES

    @property
    def quiet(self) -> bool:
        """Whether the agent has said all it has to say, the caller has heard it, and the caller has nothing to say to it."""
        return self._speech.quiet and self.state is TurnState.LISTENING and not self._wanted

    @property
    def unanswered_ms(self) -> float:
        """How long a response that is due has not begun, or nothing more has come of one that has. 0 while nothing is waited for."""
        if self.state is TurnState.RESPONSE_DUE:
            return self.now_ms - self._due_ms
        return self.now_ms - self._alive_ms if self.state in RESPONSE_STATES else 0.0

    def receive(self, event: ConversationEvent) -> list[Command]:
        """Take one event and return what is to be done because of it. After `CallOver` no event has an effect."""
        state = self.state
        if state is _OVER or (state is _LOST and type(event) is not CallOver):
            return []
        commands: list[Command] = []
        self._commands = commands
        match event:
            case CallerFrame():  # first, for there are 50 per second
                self._frame(event)
            case MarkReturned(name):
                commands += self._speech.marked(name, self.now_ms)
            case KeyPressed(key):
                self._keypad.press(key, self.now_ms)
            case ClockLeapt(by_ms):
                self._leap(by_ms)
            case ToolDone(call_id, output):
                self._returned(call_id, output)
            case CallOver():
                self._finish()
            case _:
                self._alive_ms = self.now_ms
                self._model_event(event)
        return commands

    def _step(self, trigger: TurnTrigger) -> None:
        self.state = after(self.state, trigger)

    def _ask(self, request: ModelRequest) -> None:
        self._commands.append(ToModel(request))

    def _publish(self, reports: Iterable[Recognized | NotTranscribed]) -> None:
        self._commands += map(Publish, reports)

    def _give_up(self, problem: str) -> None:
        self._step(TurnTrigger.GIVEN_UP)
        self._commands.append(GiveUp(problem))

    # The caller's side.

    def _frame(self, frame: CallerFrame) -> None:
        end_ms = frame.at_ms + len(frame.mulaw) / BYTES_PER_MS
        if end_ms > self.now_ms:
            self.now_ms = end_ms
        ready = self.state is not _OPENING
        if ready:
            self._clock.sent(frame.at_ms, len(frame.mulaw))
            self._commands.append(ToModel(AppendAudio(frame.mulaw)))
        else:
            self._keep(frame)
        if not self._speech.quiet:
            self._alive_ms = self.now_ms
            self._commands += self._speech.tick(self.now_ms)
        if self._turns:
            self._publish(self._turns.due(self.now_ms))
        if self._keypad.keys and ready and (typed := self._keypad.typed(self.now_ms)):
            # The model answers when it has said what it is saying.
            self._ask(AddCallerText(f"[The caller pressed on the keypad: {typed}]"))
            self._wanted, self._returned_ms = True, self.now_ms
            self._respond()

    def _keep(self, frame: CallerFrame) -> None:
        self._early.append(frame)
        self._early_bytes += len(frame.mulaw)
        while self._early_bytes > EARLY_MS * BYTES_PER_MS:
            self._early_bytes -= len(self._early.popleft().mulaw)

    def _leap(self, by_ms: float) -> None:
        """Move every moment that is waited from: nothing was said, played or waited for in the time that the clock jumped over.

        Without this, a clock that leaps by a minute would have the hub give up a model that was asked a second ago, and take all that the
        agent has still to say for heard.
        """
        self.now_ms += by_ms
        self._due_ms += by_ms
        self._alive_ms += by_ms
        self._returned_ms += by_ms
        if self._silent_ms is not None:
            self._silent_ms += by_ms
        self._speech.leap(by_ms)
        self._turns.leap(by_ms)
        self._keypad.leap(by_ms)

    # The model's side.

    def _model_event(self, event: ModelEvent) -> None:
        match event:
            case AgentAudio():
                self._say(event)
            case AgentTextDelta() | AgentText() | AgentAudioDone():
                self._commands += self._speech.receive(event, self.now_ms)
            case CallerSpeechStarted(item_id, start_ms):
                self._caller_started(item_id, min(self._clock.call_ms(start_ms), self.now_ms))
            case CallerSpeechStopped(item_id, end_ms):
                self._caller_stopped(item_id, min(self._clock.call_ms(end_ms), self.now_ms))
            case CallerTextDelta(item_id, delta):
                self._ensure_turn(item_id)
                self._publish(self._turns.extend(item_id, delta, self.now_ms))
            case CallerText(item_id, text):
                self._ensure_turn(item_id)
                self._publish(self._turns.settle(item_id, text, self.now_ms))
            case CallerTextFailed(item_id, reason):
                self._publish(self._turns.fail(item_id, f"it could not be transcribed: {reason}", self.now_ms))
            case ResponseStarted(response_id):
                self._response_started(response_id)
            case ResponseEnded():
                self._response_ended(event)
            case ResponseRefused():
                self._step(TurnTrigger.RESPONSE_REFUSED)
                self._wanted = True
            case ToolCall():
                self._tool_called(event)
            case SessionReady():
                self._session_ready()
            case SessionLost(problem):
                self._give_up(problem)
            case ModelActivity():
                pass
            case _:
                assert_never(event)

    def _session_ready(self) -> None:
        if self.state is not TurnState.OPENING:
            return
        self._step(TurnTrigger.SESSION_READY)
        if self._greeting:
            self._ask_for_response(f"Greet the caller. Say exactly this, and nothing else: {self._greeting}")
        for frame in self._early:
            self._clock.sent(frame.at_ms, len(frame.mulaw))
            self._ask(AppendAudio(frame.mulaw))
        self._early.clear()

    def _caller_started(self, item_id: str, start_ms: float) -> None:
        self._step(TurnTrigger.CALLER_STARTED)
        self._silent_ms = None
        self._turns.begin(item_id, "inbound", start_ms)
        if self.state is TurnState.INTERRUPTED:
            self._speech.mute(self._response_id)
        self._commands += self._speech.interrupt(self.now_ms)

    def _caller_stopped(self, item_id: str, end_ms: float) -> None:
        self._silent_ms = end_ms
        self._turns.end(item_id, end_ms)
        if self._wanted and self.now_ms - self._returned_ms >= TAKEN_UP_MS:
            self._wanted = False
        self._step(TurnTrigger.CALLER_STOPPED)
        if self.state is TurnState.RESPONSE_DUE:
            self._due_ms = self.now_ms

    def _ensure_turn(self, item_id: str) -> None:
        """Have a turn for a caller's words. Words whose beginning no event announced are words all the same."""
        if item_id not in self._turns:
            self._turns.begin(item_id, "inbound", self.now_ms)
            self._turns.end(item_id, self.now_ms)

    def _say(self, audio: AgentAudio) -> None:
        if self._speech.unplayed_ms > UNPLAYED_MS:
            self._give_up("speaks further ahead than anyone could hear")
            return
        said = self._speech.receive(audio, self.now_ms)
        self._commands += said
        if said and self._silent_ms is not None:
            self._commands.append(Answered(self.now_ms - self._silent_ms))
            self._silent_ms = None

    # Responses and tools.

    def _response_started(self, response_id: str) -> None:
        self._response_id = response_id
        self._step(TurnTrigger.RESPONSE_STARTED)
        if self.state is TurnState.INTERRUPTED:  # it was asked for before the caller spoke, and what they say is answered anyway
            self._speech.mute(response_id)
            self._ask(CancelResponse(response_id))

    def _response_ended(self, ended: ResponseEnded) -> None:
        self._step(TurnTrigger.RESPONSE_ENDED)
        self._commands += self._speech.response_ended(ended.response_id, self.now_ms)
        if ended.status == "failed":
            self._failures += 1
            if self._failures > 1 or not ended.retryable:
                self._give_up(ended.problem)
                return
            self._wanted = True
        elif ended.status == "completed":
            self._failures = 0
        self._respond()

    def _tool_called(self, call: ToolCall) -> None:
        if call.call_id not in self._running_tools:
            self._running_tools[call.call_id] = call.response_id
            self._commands.append(UseTool(call))

    def _returned(self, call_id: str, output: str) -> None:
        """Give the model a tool's output. A response is asked for once every tool call of the same response has come to something."""
        response_id = self._running_tools.pop(call_id, "")
        self._ask(AddToolOutput(call_id, output))
        self._returned_ms = self.now_ms
        if response_id not in self._running_tools.values():
            self._wanted = True
            self._respond()

    def _respond(self) -> None:
        """Ask for a response that is wanted, if it can be asked for now. While the caller speaks it cannot: a response follows anyway."""
        if self._wanted and self.state is TurnState.LISTENING:
            self._wanted = False
            self._ask_for_response()

    def _ask_for_response(self, instructions: str = "") -> None:
        self._step(TurnTrigger.RESPONSE_ASKED)
        self._due_ms = self.now_ms
        self._ask(CreateResponse(instructions))

    # The end.

    def _finish(self) -> None:
        """Publish what is left, in order, with what was heard of it."""
        self._commands += self._speech.close(self.now_ms)
        for report in self._turns.close(self.now_ms):
            self.complete = self.complete and not isinstance(report, NotTranscribed)
            self._commands.append(Publish(report))
        self._step(TurnTrigger.CALL_OVER)
