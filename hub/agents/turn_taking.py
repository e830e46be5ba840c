"""Whose turn it is in a conversation: an enum of states and a table of what moves one to another. Pure.

A caller may speak at any moment, and a response takes seconds, so the two overlap. The states say which of the overlaps there is. An
example: a response is being made (`RESPONDING`), the caller speaks into it (`INTERRUPTED`: the rest of it must not be played), the caller
falls silent before the model has noticed (`YIELDING`), the model ends the response (`RESPONSE_DUE`) and begins the next one (`RESPONDING`).
"""

from enum import Enum, auto
from typing import Final


class TurnState(Enum):
    """Whose turn it is."""

    OPENING = auto()
    """The session is not ready: the caller's audio is kept."""
    LISTENING = auto()
    """Nobody speaks and no response is due. The agent may still be heard: all of what it says has come."""
    CALLER_SPEAKING = auto()
    """The caller speaks and no response is being made."""
    RESPONSE_DUE = auto()
    """A response was asked for, or the caller fell silent, and it has not begun."""
    RESPONDING = auto()
    """A response is being made."""
    INTERRUPTED = auto()
    """The caller speaks while a response is being made: what still comes of it is not played."""
    YIELDING = auto()
    """The caller has finished, and the response that they interrupted is still being made. Or somebody who steers the call broke it off."""
    LOST = auto()
    """The conversation was given up."""
    OVER = auto()
    """Nothing more is said."""


class TurnTrigger(Enum):
    """What can move a conversation to another state."""

    SESSION_READY = auto()
    CALLER_STARTED = auto()
    CALLER_STOPPED = auto()
    RESPONSE_ASKED = auto()
    RESPONSE_STARTED = auto()
    RESPONSE_ENDED = auto()
    RESPONSE_REFUSED = auto()
    BROKEN_OFF = auto()
    """Somebody who steers the call wants something else said."""
    GIVEN_UP = auto()
    CALL_OVER = auto()


_END: Final = {TurnTrigger.GIVEN_UP: TurnState.LOST, TurnTrigger.CALL_OVER: TurnState.OVER}

TRANSITIONS: Final[dict[TurnState, dict[TurnTrigger, TurnState]]] = {
    TurnState.OPENING: {
        TurnTrigger.SESSION_READY: TurnState.LISTENING,
        **_END,
    },
    TurnState.LISTENING: {
        TurnTrigger.CALLER_STARTED: TurnState.CALLER_SPEAKING,
        TurnTrigger.CALLER_STOPPED: TurnState.RESPONSE_DUE,
        TurnTrigger.RESPONSE_ASKED: TurnState.RESPONSE_DUE,
        TurnTrigger.RESPONSE_STARTED: TurnState.RESPONDING,
        **_END,
    },
    TurnState.CALLER_SPEAKING: {
        TurnTrigger.CALLER_STOPPED: TurnState.RESPONSE_DUE,
        TurnTrigger.RESPONSE_STARTED: TurnState.INTERRUPTED,
        **_END,
    },
    TurnState.RESPONSE_DUE: {
        TurnTrigger.CALLER_STARTED: TurnState.CALLER_SPEAKING,
        TurnTrigger.RESPONSE_STARTED: TurnState.RESPONDING,
        TurnTrigger.RESPONSE_REFUSED: TurnState.LISTENING,
        **_END,
    },
    TurnState.RESPONDING: {
        TurnTrigger.CALLER_STARTED: TurnState.INTERRUPTED,
        TurnTrigger.RESPONSE_ENDED: TurnState.LISTENING,
        TurnTrigger.BROKEN_OFF: TurnState.YIELDING,
        **_END,
    },
    TurnState.INTERRUPTED: {
        TurnTrigger.CALLER_STOPPED: TurnState.YIELDING,
        TurnTrigger.RESPONSE_ENDED: TurnState.CALLER_SPEAKING,
        **_END,
    },
    TurnState.YIELDING: {
        TurnTrigger.CALLER_STARTED: TurnState.INTERRUPTED,
        TurnTrigger.RESPONSE_STARTED: TurnState.RESPONDING,
        TurnTrigger.RESPONSE_ENDED: TurnState.RESPONSE_DUE,
        **_END,
    },
    TurnState.LOST: {
        TurnTrigger.CALL_OVER: TurnState.OVER,
    },
    TurnState.OVER: {},
}
"""What moves each state, and where to. A trigger that a state does not list leaves it as it is: a vendor's messages cross ours on the way,
and one that comes too late, as the end of a response that is over, must not end the call."""

CALLER_STATES: Final = frozenset({TurnState.CALLER_SPEAKING, TurnState.INTERRUPTED})
"""The caller speaks."""

RESPONSE_STATES: Final = frozenset({TurnState.RESPONDING, TurnState.INTERRUPTED, TurnState.YIELDING})
"""A response is being made."""


def after(state: TurnState, trigger: TurnTrigger) -> TurnState:
    """Return the state that follows."""
    return TRANSITIONS[state].get(trigger, state)
