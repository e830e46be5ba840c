"""The agent's part of one conversation: when a response is asked for, what follows from how it went, and when the agent is given up. Pure.

A response is waited for at each step, and asked for once more where none comes, or one that is no answer. Whatever the model does, the
caller hears something within a bounded time, or what the TwiML has after the agent. Does not know what the caller says, nor what the agent
says: only whose turn it is, and whether there is a sound.
"""

import msgspec

from hub.agents.agent_speech import AgentSpeech
from hub.agents.commands import Command, GiveUp, ToModel, Trouble, UseTool
from hub.agents.patience import Waiting
from hub.agents.responses import Responses
from hub.agents.tool_calls import ToolCalls
from hub.agents.turn_taking import RESPONSE_STATES, TurnState, TurnTrigger, after
from hub.agents.voice_model import (
    AddCallerText,
    AddToolOutput,
    CancelResponse,
    CreateResponse,
    EndCallerTurn,
    ModelRequest,
    ResponseEnded,
    ToolCall,
)

TAKEN_UP_MS = 1000
"""A tool's output that was sent so long before the caller fell silent is surely known to the response that follows by itself."""

WRITTEN = "[The caller did not hear your last answer: it was written, and not said. Say it now.]"
"""What the model is told after an answer that has text and no sound. Without it, it takes the answer for given."""

_LISTENING = TurnState.LISTENING
"""A name of this module is found several times faster than a member of an enum, and this state is asked about five times a second."""

_UNANNOUNCED = frozenset({TurnState.LISTENING, TurnState.RESPONSE_DUE})
"""States in which the agent's voice says that a response has begun."""


class Answering:
    """Whose turn it is, and the responses and tools of one conversation. `now_ms` is call time."""

    def __init__(self, speech: AgentSpeech, waiting: Waiting) -> None:
        self.state = TurnState.OPENING
        self.commands: list[Command] = []
        """What the event that is being received asks for."""
        self.wanted = False
        """Whether a response is to be asked for as soon as that is possible."""
        self._owed = False
        """Whether the model will not answer the caller's turn by itself: it must be asked to, once its interrupted response has ended."""
        self.silent = False
        """Whether the agent was given up because it owed the caller an answer."""
        self._speech = speech
        self._waiting = waiting
        self._responses = Responses()
        self._tools = ToolCalls()
        self._due_ms = 0.0
        """Since when a response is due, or was asked for last."""
        self._told_ms = 0.0
        """When a tool's output, or a number that was typed, was last sent to the model."""
        self._refused_in = ""
        """The newest response of which a tool call was refused: it is published once for each."""

    def leap(self, by_ms: float) -> None:
        """Go on after the stream's clock jumped: nobody has waited in the time that it jumped over."""
        self._due_ms += by_ms
        self._told_ms += by_ms
        self._waiting.leap(by_ms)

    def step(self, trigger: TurnTrigger) -> None:
        """Go to the state that follows."""
        self.state = after(self.state, trigger)

    def give_up(self, problem: str) -> None:
        """End the agent's part."""
        self.step(TurnTrigger.GIVEN_UP)
        self.commands.append(GiveUp(problem))

    def _give_up_silent(self, problem: str) -> None:
        self.silent = True
        self.give_up(problem)

    def _ask(self, request: ModelRequest) -> None:
        self.commands.append(ToModel(request))

    # The caller's turns.

    def caller_started(self) -> None:
        """The caller began to speak: what is still being said to them is muted."""
        self._tools.answered()
        self._responses.instructions = ""
        self.step(TurnTrigger.CALLER_STARTED)
        if self.state is TurnState.INTERRUPTED:
            self._speech.mute(self._responses.id)

    def caller_stopped(self, now_ms: float) -> None:
        """The caller has finished: a response follows without being asked for."""
        self._waiting.sounded(now_ms)
        if self.wanted and now_ms - self._told_ms >= TAKEN_UP_MS:
            self.wanted = False
        self.step(TurnTrigger.CALLER_STOPPED)
        if self.state is TurnState.RESPONSE_DUE:
            self._responses.asked_again, self._due_ms = False, now_ms

    def turn_overdue(self, now_ms: float) -> bool:
        """Return whether the caller's turn must be over, whatever the model says."""
        return self._waiting.turn_overdue(now_ms, wanted=self.wanted)

    def end_turn(self, now_ms: float) -> None:
        """End a turn of the caller that the model takes to go on, and have it answered."""
        self.commands.append(Trouble("did not notice that the caller had finished"))
        self.caller_stopped(now_ms)
        self._ask(EndCallerTurn())
        if self.state is TurnState.RESPONSE_DUE:
            self.ask_for_response(now_ms)
        else:  # the model still makes the response that the caller interrupted
            self._owed = True
            self._ask(CancelResponse(self._responses.id))

    def told(self, now_ms: float) -> None:
        """The model was told something that it is to answer when it can."""
        self.wanted, self._told_ms = True, now_ms
        self._respond(now_ms)

    # Responses.

    @property
    def response_id(self) -> str:
        """The response that is being made. Only meaningful while there is one."""
        return self._responses.id

    def break_off(self, now_ms: float) -> None:
        """Have the model stop the response that it makes, and the caller hear no more of it. Only while it makes one."""
        self.commands += self._speech.fall_silent(now_ms)
        self._speech.mute(self._responses.id)
        self.step(TurnTrigger.BROKEN_OFF)
        self._ask(CancelResponse(self._responses.id))

    def ask_for_words(self, now_ms: float, instructions: str) -> None:
        """Ask for a response that uses no tools and answers nobody: another one that is wanted is asked for afterwards."""
        wanted = self.wanted
        self.ask_for_response(now_ms, instructions, tools=False)
        self.wanted = wanted

    def ask_for_response(self, now_ms: float, instructions: str = "", *, tools: bool = True) -> None:
        """Ask for a response, which may use tools or not."""
        self.step(TurnTrigger.RESPONSE_ASKED)
        self._due_ms = now_ms
        self._responses.instructions, self._responses.asked_again = instructions, False
        self.wanted = self._owed = False
        self._ask(CreateResponse(instructions, tools=tools and not self._tools.exhausted))

    def sounded(self, response_id: str, now_ms: float) -> None:
        """Take note that a response has a voice. A voice that no event announced is a response all the same."""
        if self.state in _UNANNOUNCED and not self._speech.is_muted(response_id):
            self.response_started(response_id, now_ms)
        if self._responses.is_current(response_id):
            self._responses.sounded = True

    def response_started(self, response_id: str, now_ms: float) -> None:
        """Take the beginning of a response."""
        if self.state is TurnState.LISTENING and not self.wanted:
            self._waiting.sounded(now_ms)  # the model speaks unasked, and nobody has waited for it
        self._responses.started(response_id)
        self.step(TurnTrigger.RESPONSE_STARTED)
        if self.state is TurnState.INTERRUPTED:  # it was asked for before the caller spoke, and what they say is answered anyway
            self._speech.mute(response_id)
            self._ask(CancelResponse(response_id))

    def response_ended(self, ended: ResponseEnded, now_ms: float) -> None:
        """Take the end of a response. One that was no answer is asked for once more, and a second one ends the agent's part."""
        response_id, responses = ended.response_id, self._responses
        dropped = response_id == responses.dropped_id
        if dropped or (self.state in RESPONSE_STATES and not responses.is_current(response_id)):
            self.commands += self._speech.response_ended(response_id, now_ms)
            return
        if self.state is TurnState.RESPONSE_DUE:  # nothing said that it began
            self.response_started(response_id, now_ms)
        interrupted, used_tools = self.state is not TurnState.RESPONDING, self._tools.made_by(response_id)
        problem = "" if interrupted and ended.status != "failed" else responses.problem(ended, used_tools=used_tools)
        self.step(TurnTrigger.RESPONSE_ENDED)
        self._due_ms = now_ms
        published = self._speech.response_ended(response_id, now_ms, cut=bool(problem) and ended.status != "completed")
        self.commands += published
        if problem:
            self._no_answer(ended, problem, now_ms, written=bool(published) and not responses.sounded)
        elif ended.status == "completed":
            responses.answered()
            if not used_tools:
                self._tools.answered()
        if self._owed and self.state is TurnState.RESPONSE_DUE:
            self.ask_for_response(now_ms)
        elif not self._tools.running_of(response_id):
            self._respond(now_ms)

    def response_refused(self) -> None:
        """Take it that there is a response that the hub does not know of: the next one is asked for when that has ended."""
        if not self._responses.asked_again:
            self.step(TurnTrigger.RESPONSE_REFUSED)
            self.wanted = True

    def _respond(self, now_ms: float) -> None:
        """Ask for a response that is wanted, if it can be asked for now. While the caller speaks it cannot: a response follows anyway."""
        if self.wanted and self.state is TurnState.LISTENING:
            self.ask_for_response(now_ms)

    def _no_answer(self, ended: ResponseEnded, problem: str, now_ms: float, *, written: bool) -> None:
        """Have a response that was no answer asked for once more, or give up. `written`: it has a text, and no sound."""
        if not self._responses.failed(retryable=ended.retryable):
            self._give_up_silent(problem)
        elif self.state is not TurnState.LISTENING or self._tools.running_of(ended.response_id):
            self.commands.append(Trouble(problem))  # a response follows anyway
        else:
            if written:
                self._ask(AddCallerText(WRITTEN))
            self._ask_again(problem, now_ms)

    def _ask_again(self, problem: str, now_ms: float) -> None:
        self.commands.append(Trouble(f"{problem.rstrip('.')}; it is asked once more"))
        self.ask_for_response(now_ms, self._responses.instructions)
        self._responses.asked_again = True

    # What takes too long.

    def look(self, now_ms: float) -> None:
        """See whether the caller waits too long for the agent: end what hangs, ask once more, or give up."""
        if self.state is _LISTENING and not self.wanted:
            return
        waiting, patience = self._waiting, self._waiting.patience
        half_ms = patience.answer_ms / 2
        if self.state is TurnState.OPENING:
            if waiting.silent_ms(now_ms) >= patience.open_ms:
                self._give_up_silent(f"did not begin the session within {patience.open_ms / 1000:g} s")
        elif self.state in RESPONSE_STATES:
            if waiting.silent_ms(now_ms) >= patience.busy_ms:
                self._give_up_silent(f"was at work for {patience.busy_ms / 1000:g} s and said nothing")
            elif waiting.mute_ms(now_ms) >= half_ms:
                self._response_hung(now_ms)
        elif (self.state is TurnState.RESPONSE_DUE or self.wanted) and now_ms - self._due_ms >= half_ms:
            if self._responses.asked_again:
                self._give_up_silent(f"did not answer within {patience.answer_ms / 1000:g} s")
            else:
                self._ask_again("did not begin to answer", now_ms)

    def _response_hung(self, now_ms: float) -> None:
        """End a response of which nothing more comes."""
        response_id = self._responses.id
        whole = self._responses.sounded and self._speech.has_voice(response_id)
        self._ask(CancelResponse(response_id))
        problem = f"began to answer, and then nothing came for {self._waiting.patience.answer_ms / 2000:g} s"
        self._responses.dropped_id = None
        self.response_ended(ResponseEnded(response_id, "completed" if whole else "incomplete", problem), now_ms)
        self._responses.dropped_id = response_id
        self._speech.mute(response_id)

    # Tools.

    def tool_called(self, call: ToolCall, now_ms: float) -> None:
        """Have a tool run, or refuse it in words that the model reads."""
        refusal = self._tools.called(call)
        if refusal is None:
            return
        if not refusal:
            self.commands.append(UseTool(call))
        elif self._tools.defiant:
            self._give_up_silent("goes on using tools and does not answer the caller")
        else:
            if self._refused_in != call.response_id:
                self._refused_in = call.response_id
                self.commands.append(Trouble(f"used too many tools: {refusal}"))
            self.tool_returned(call.call_id, msgspec.json.encode({"error": "refused", "message": refusal}).decode(), now_ms)

    def tool_returned(self, call_id: str, output: str, now_ms: float) -> None:
        """Give the model a tool's output. A response is asked for once every tool call of the same response has come to something."""
        whole = self._tools.returned(call_id)
        self._ask(AddToolOutput(call_id, output))
        self._told_ms = now_ms
        if self.state is TurnState.LISTENING:
            self._waiting.sounded(now_ms)
        if whole:
            self.told(now_ms)
