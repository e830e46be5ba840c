"""One call's conversation with a voice model: what each event of either side means for the other. Pure; media time only.

`receive()` takes an event and returns commands, to be executed in order and at once. Audio passes through untouched in both directions.
Whose turn it is stands in `turn_taking`, what the caller has heard of the agent in `agent_speech`, the order of both sides' words in
`turns`. Knows no vendor, no socket, no task and no webhook.
"""

from collections import deque
from collections.abc import Iterable
from typing import assert_never

import msgspec

from hub.agents.agent_speech import AgentSpeech
from hub.agents.answering import Answering
from hub.agents.commands import (
    Answered,
    CallerFrame,
    CallOver,
    ClockLeapt,
    Command,
    ConversationEvent,
    KeyPressed,
    MarkReturned,
    Publish,
    Say,
    ToModel,
    ToolDone,
)
from hub.agents.keypad import Keypad
from hub.agents.model_clock import ModelClock
from hub.agents.patience import LOOK_MS, ModelPatience, Waiting
from hub.agents.saying import Saying
from hub.agents.turn_taking import CALLER_STATES, TurnState, TurnTrigger
from hub.agents.turns import Turns
from hub.agents.voice_model import (
    AddCallerText,
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

_PATIENCE = ModelPatience()


class Before(msgspec.Struct, frozen=True):
    """What happened in the call before this conversation."""

    told: str = ""
    """What the model is told of it. Empty: nothing."""
    goes_on: bool = False
    """Whether the agent goes on with what it was saying, instead of greeting the caller."""


class Conversation:
    """One conversation, from the opening of the session to `CallOver`. Times are ms of call time."""

    def __init__(
        self, greeting: str = "", now_ms: float = 0.0, patience: ModelPatience = _PATIENCE, before: "Before | None" = None
    ) -> None:
        """`greeting` is what the agent says first. Empty: it waits for the caller, or goes on with what was said `before`."""
        self._before = before or Before()
        self._greeting = greeting
        self.now_ms = now_ms
        """The end of the newest frame of the caller."""
        self.complete = True
        """Whether no words are missing, and every sentence of the agent was said to its end. Only meaningful after `CallOver`."""
        self._commands: list[Command] = []
        """What the event that is being received asks for."""
        self._turns = Turns(patience.late_ms)
        self._speech = AgentSpeech(self._turns)
        self._waiting = Waiting(patience, now_ms)
        self._look_ms = now_ms
        """When to look again whether anybody waits too long."""
        self._answering = Answering(self._speech, self._waiting)
        self._saying: Saying | None = None
        """What the agent is to say for somebody who steers the call. None when there is nothing."""
        self._keypad = Keypad()
        self._clock = ModelClock()
        self._early: deque[CallerFrame] = deque()
        """The caller's frames while the session opens."""
        self._early_bytes = 0
        self._turn_id = ""
        """The caller's turn that is going on. Empty while there is none."""
        self._ended_turn_id = ""
        """The newest one that has ended: a model may say so twice."""
        self._silent_ms: float | None = None
        """Since when the caller waits for the first sound of an answer. None while they do not."""

    @property
    def state(self) -> TurnState:
        """Whose turn it is."""
        return self._answering.state

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
        return self._speech.quiet and self.state is TurnState.LISTENING and not self._answering.wanted and self._saying is None

    @property
    def says(self) -> bool:
        """Whether a text is to be said, or is being said, for somebody who steers the call. There is one at a time."""
        return self._saying is not None

    def receive(self, event: ConversationEvent) -> list[Command]:
        """Take one event and return what is to be done because of it. After `CallOver` no event has an effect."""
        state = self._answering.state
        if state is _OVER or (state is _LOST and type(event) is not CallOver):
            return []
        commands: list[Command] = []
        self._commands = self._answering.commands = commands
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
                self._answering.tool_returned(call_id, output, self.now_ms)
            case Say():
                self._saying = Saying(event, self._speech, self._answering, self.now_ms)
            case CallOver():
                self._finish()
            case _:
                self._waiting.alive(self.now_ms)
                self._model_event(event)
        if self._saying is not None and (said := self._saying.look(self.now_ms)) is not None:
            self._saying = None
            commands.append(said)
        return commands

    def _ask(self, request: ModelRequest) -> None:
        self._commands.append(ToModel(request))

    def _publish(self, reports: Iterable[Recognized | NotTranscribed]) -> None:
        self._commands += map(Publish, reports)

    # The caller's side.

    def _frame(self, frame: CallerFrame) -> None:
        end_ms = frame.at_ms + len(frame.mulaw) / BYTES_PER_MS
        if end_ms > self.now_ms:
            self.now_ms = end_ms
        ready = self._answering.state is not _OPENING
        if ready:
            self._clock.sent(frame.at_ms, len(frame.mulaw))
            self._commands.append(ToModel(AppendAudio(frame.mulaw)))
        else:
            self._keep(frame)
        if not self._speech.quiet:
            self._waiting.sounded(self.now_ms)
            self._commands += self._speech.tick(self.now_ms)
        if self._turns:
            self._publish(self._turns.due(self.now_ms))
        if self._keypad.keys and ready and (typed := self._keypad.typed(self.now_ms)):
            # The model answers when it has said what it is saying.
            self._ask(AddCallerText(f"[The caller pressed on the keypad: {typed}]"))
            self._answering.told(self.now_ms)
        if self._turn_id:
            self._waiting.listen(frame.mulaw, self.now_ms)
        if self.now_ms >= self._look_ms:
            self._look()

    def _look(self) -> None:
        """See whether anybody waits too long."""
        self._look_ms = self.now_ms + LOOK_MS
        if not self._turn_id:
            self._answering.look(self.now_ms)
        elif self._answering.turn_overdue(self.now_ms):
            self._turn_ended(self._turn_id, self.now_ms)
            self._answering.end_turn(self.now_ms)

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
        self._answering.leap(by_ms)
        if self._silent_ms is not None:
            self._silent_ms += by_ms
        self._speech.leap(by_ms)
        self._turns.leap(by_ms)
        self._keypad.leap(by_ms)
        if self._saying is not None:
            self._saying.leap(by_ms)

    # The model's side.

    def _model_event(self, event: ModelEvent) -> None:
        match event:
            case AgentAudio():
                self._say(event)
            case AgentTextDelta() | AgentText() | AgentAudioDone():
                self._commands += self._speech.receive(event, self.now_ms)
            case CallerSpeechStarted(item_id, start_ms):
                self._caller_started(item_id, self._call_ms(start_ms))
            case CallerSpeechStopped(item_id, end_ms):
                self._caller_stopped(item_id, self._call_ms(end_ms))
            case CallerTextDelta(item_id, delta):
                self._ensure_turn(item_id)
                self._publish(self._turns.extend(item_id, delta, self.now_ms))
            case CallerTextRevised(item_id, text):
                self._ensure_turn(item_id)
                self._publish(self._turns.revise(item_id, text, self.now_ms))
            case CallerText(item_id, text):
                self._ensure_turn(item_id)
                self._transcribed(item_id)
                self._publish(self._turns.settle(item_id, text, self.now_ms))
            case CallerTextFailed(item_id, reason):
                self._transcribed(item_id)
                self._publish(self._turns.fail(item_id, f"it could not be transcribed: {reason}", self.now_ms))
            case ResponseStarted(response_id):
                self._answering.response_started(response_id, self.now_ms)
            case ResponseEnded():
                self._answering.response_ended(event, self.now_ms)
            case ResponseRefused():
                self._answering.response_refused()
            case ToolCall():
                self._answering.tool_called(event, self.now_ms)
            case SessionReady():
                self._session_ready()
            case SessionLost(problem):
                self._answering.give_up(problem)
            case ModelActivity():
                pass
            case _:
                assert_never(event)

    def _session_ready(self) -> None:
        if self.state is not TurnState.OPENING:
            return
        self._answering.step(TurnTrigger.SESSION_READY)
        self._waiting.sounded(self.now_ms)
        if self._before.told:
            self._ask(AddCallerText(self._before.told))
        if self._before.goes_on:
            self._answering.ask_for_response(self.now_ms)
        elif self._greeting:
            self._answering.ask_for_response(self.now_ms, f"Greet the caller. Say exactly this, and nothing else: {self._greeting}")
        for frame in self._early:
            self._clock.sent(frame.at_ms, len(frame.mulaw))
            self._ask(AppendAudio(frame.mulaw))
        self._early.clear()

    def _call_ms(self, model_ms: float | None) -> float:
        """Return a moment of the model's clock in call time: now, where the model does not say."""
        return self.now_ms if model_ms is None else min(self._clock.call_ms(model_ms), self.now_ms)

    def _caller_started(self, item_id: str, start_ms: float) -> None:
        if not self._turn_id:
            self._waiting.turn_began(self.now_ms)
        elif self._turn_id != item_id:  # nothing said that the turn before was over
            self._turns.end(self._turn_id, self.now_ms)
        self._turn_id, self._silent_ms = item_id, None
        self._turns.begin(item_id, "inbound", start_ms)
        self._answering.caller_started()
        self._commands += self._speech.interrupt(self.now_ms)

    def _caller_stopped(self, item_id: str, end_ms: float) -> None:
        if item_id == self._ended_turn_id:
            return
        if self._turn_id and item_id != self._turn_id:  # an earlier turn
            self._turns.end(item_id, end_ms)
        else:
            self._turn_ended(item_id, end_ms)
            self._answering.caller_stopped(self.now_ms)

    def _turn_ended(self, item_id: str, end_ms: float) -> None:
        self._turns.end(item_id, end_ms)
        self._turn_id, self._ended_turn_id, self._silent_ms = "", item_id, end_ms

    def _transcribed(self, item_id: str) -> None:
        """All words of a turn are there, so it is over, whether anything said so or not."""
        if item_id == self._turn_id:
            self._caller_stopped(item_id, self.now_ms)

    def _ensure_turn(self, item_id: str) -> None:
        """Have a turn for a caller's words. Words whose beginning no event announced are words all the same."""
        if item_id not in self._turns:
            self._turns.begin(item_id, "inbound", self.now_ms)
            self._turns.end(item_id, self.now_ms)

    def _say(self, audio: AgentAudio) -> None:
        if self._speech.unplayed_ms > UNPLAYED_MS:
            self._answering.give_up("speaks further ahead than anyone could hear")
            return
        if audio.mulaw:
            self._answering.sounded(audio.response_id, self.now_ms)
        said = self._speech.receive(audio, self.now_ms)
        self._commands += said
        if said and self._silent_ms is not None:
            self._commands.append(Answered(self.now_ms - self._silent_ms))
            self._silent_ms = None

    # The end.

    def _finish(self) -> None:
        """Publish what is left, in order, with what was heard of it."""
        self._commands += self._speech.close(self.now_ms)
        self.complete = self._speech.whole and not self._answering.silent
        for report in self._turns.close(self.now_ms):
            self.complete = self.complete and not isinstance(report, NotTranscribed)
            self._commands.append(Publish(report))
        self._answering.step(TurnTrigger.CALL_OVER)
