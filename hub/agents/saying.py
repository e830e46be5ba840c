"""A text that somebody who steers the call wants the agent to say: when it is asked of the model, and whether the caller heard it. Pure.

The model has one response at a time, and makes one by itself each time the caller falls silent. So a text waits until nobody speaks and
no response is due. One that is wanted now does not wait for the agent: what the agent says, or begins to say, is broken off. Neither ever
speaks over the caller. An example: the agent reads out opening hours, a supervisor wants "We close early today" said now. The agent falls
silent in the middle of a word, the model is told how much was heard and to stop, its response ends, and the text is asked for.

Knows whose turn it is. Does not know who wants the text said.
"""

from enum import Enum, auto

from hub.agents.agent_speech import AgentSpeech, FollowedResponse
from hub.agents.answering import Answering
from hub.agents.commands import Said, Say
from hub.agents.turn_taking import CALLER_STATES, TurnState

MOST_WAIT_MS = 60_000
"""A text that found no turn for so long is given up: what it was about is over."""

AGAIN_MS = 1_000
"""The pause before the model is asked again that refused, because it makes a response that it has not told of."""

EXACTLY = "Say exactly this to the caller, and nothing else: "
"""What the model is told in front of the text."""

OTHER_WORDS = "the agent said it in other words"


class _Stage(Enum):
    WAITING = auto()
    """Nothing was asked of the model."""
    BROKEN_OFF = auto()
    """The response that was in the way is to end."""
    ASKED = auto()
    """The model was asked, and has not begun."""
    MAKING = auto()
    """The model says it."""
    MADE = auto()
    """All of it has come from the model. The caller still hears it."""


class Saying:
    """One text, from its order to what became of it. Times are ms of call time."""

    def __init__(self, wanted: Say, speech: AgentSpeech, answering: Answering, now_ms: float) -> None:
        self._wanted = wanted
        self._speech = speech
        self._answering = answering
        self._since_ms = now_ms
        self._not_before_ms = now_ms
        """When the model may be asked."""
        self._stage = _Stage.WAITING
        self._followed: FollowedResponse | None = None
        """The response that says it. None before it has begun."""

    def leap(self, by_ms: float) -> None:
        """Go on after the stream's clock jumped: nobody has waited in the time that it jumped over."""
        self._since_ms += by_ms
        self._not_before_ms += by_ms

    def look(self, now_ms: float) -> Said | None:
        """Go on with it, and return what became of the text: None while that is not known. To be called after each event.

        What is to be done goes to the commands of the event that is being received.
        """
        state = self._answering.state
        match self._stage:
            case _Stage.WAITING | _Stage.BROKEN_OFF:
                return self._wait(state, now_ms)
            case _Stage.ASKED:
                self._asked(state, now_ms)
            case _Stage.MAKING:
                self._making(state)
            case _Stage.MADE:
                pass
        return self._fate(state)

    def _wait(self, state: TurnState, now_ms: float) -> Said | None:
        if now_ms - self._since_ms >= MOST_WAIT_MS:
            return Said(self._wanted.order, f"the agent did not come to say it within {MOST_WAIT_MS // 1000} s")
        if state in CALLER_STATES:
            self._stage = _Stage.WAITING
        elif self._stage is _Stage.BROKEN_OFF and state is TurnState.RESPONSE_DUE:
            self._ask(now_ms)
        elif state is TurnState.RESPONDING and self._wanted.now:
            self._stage = _Stage.BROKEN_OFF
            self._answering.break_off(now_ms)
        elif state is TurnState.LISTENING and now_ms >= self._not_before_ms:
            if self._wanted.now:
                self._answering.commands += self._speech.fall_silent(now_ms)
                self._ask(now_ms)
            elif self._speech.quiet and not self._answering.wanted:
                self._ask(now_ms)
        return None

    def _ask(self, now_ms: float) -> None:
        self._stage = _Stage.ASKED
        self._answering.ask_for_words(now_ms, EXACTLY + self._wanted.text)

    def _asked(self, state: TurnState, now_ms: float) -> None:
        if state is TurnState.RESPONDING:
            self._stage = _Stage.MAKING
            self._followed = self._speech.follow(self._answering.response_id)
        elif state is not TurnState.RESPONSE_DUE:
            # The caller spoke first, and what the model makes of the request is not played. Or the model has refused: it makes another one.
            self._stage = _Stage.WAITING
            self._not_before_ms = now_ms + AGAIN_MS

    def _making(self, state: TurnState) -> None:
        if state is TurnState.RESPONSE_DUE:  # it came to nothing, and was asked for once more
            self._stage = _Stage.ASKED
        elif state is not TurnState.RESPONDING:
            self._stage = _Stage.MADE

    def _fate(self, state: TurnState) -> Said | None:
        if self._stage is not _Stage.MADE or self._followed is None:
            return None
        heard, wanted = _words(" ".join(self._followed.texts)), _words(self._wanted.text)
        is_cut = state in {TurnState.INTERRUPTED, TurnState.YIELDING} or not self._followed.whole
        if is_cut and heard != wanted:
            return Said(self._wanted.order, f"the caller heard {len(heard)} of {len(wanted)} words")
        if not is_cut and self._speech.says(self._followed.response_id):
            return None
        return Said(self._wanted.order, note="" if heard == wanted else OTHER_WORDS)


def _words(text: str) -> list[str]:
    """Return the words of a text as they are compared: without capitals and punctuation."""
    return "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()
