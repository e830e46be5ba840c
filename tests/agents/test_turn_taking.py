"""Whose turn it is: each state, what moves it, and what does not."""

from itertools import product

import pytest

from hub.agents.turn_taking import CALLER_STATES, RESPONSE_STATES, TRANSITIONS, TurnState, TurnTrigger, after


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("SESSION_READY", "LISTENING"),
        ("SESSION_READY RESPONSE_ASKED", "RESPONSE_DUE"),
        ("SESSION_READY RESPONSE_ASKED RESPONSE_STARTED", "RESPONDING"),
        ("SESSION_READY RESPONSE_ASKED RESPONSE_STARTED RESPONSE_ENDED", "LISTENING"),
        ("SESSION_READY RESPONSE_ASKED RESPONSE_REFUSED", "LISTENING"),
        ("SESSION_READY RESPONSE_ASKED CALLER_STARTED", "CALLER_SPEAKING"),
        ("SESSION_READY RESPONSE_STARTED", "RESPONDING"),
        ("SESSION_READY CALLER_STARTED", "CALLER_SPEAKING"),
        ("SESSION_READY CALLER_STARTED RESPONSE_ASKED", "CALLER_SPEAKING"),
        ("SESSION_READY CALLER_STARTED CALLER_STOPPED", "RESPONSE_DUE"),
        ("SESSION_READY CALLER_STOPPED", "RESPONSE_DUE"),
        ("SESSION_READY CALLER_STARTED RESPONSE_STARTED", "INTERRUPTED"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED", "INTERRUPTED"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED RESPONSE_ENDED", "CALLER_SPEAKING"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED CALLER_STOPPED", "YIELDING"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED CALLER_STOPPED RESPONSE_ENDED", "RESPONSE_DUE"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED CALLER_STOPPED RESPONSE_STARTED", "RESPONDING"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STARTED CALLER_STOPPED CALLER_STARTED", "INTERRUPTED"),
        ("SESSION_READY RESPONSE_STARTED CALLER_STOPPED", "RESPONDING"),
        ("CALLER_STARTED RESPONSE_STARTED", "OPENING"),
        ("GIVEN_UP SESSION_READY", "LOST"),
        ("GIVEN_UP CALL_OVER", "OVER"),
    ],
)
def test_a_conversation_goes_this_way(path: str, ends: str) -> None:
    state = TurnState.OPENING
    for name in path.split():
        state = after(state, TurnTrigger[name])
    assert state is TurnState[ends]


def test_every_state_has_a_row_and_can_be_reached_and_ended() -> None:
    assert set(TRANSITIONS) == set(TurnState)
    reached = {TurnState.OPENING}
    while more := {after(state, trigger) for state, trigger in product(reached, TurnTrigger)} - reached:
        reached |= more
    assert reached == set(TurnState)
    for state in TurnState:
        assert after(state, TurnTrigger.CALL_OVER) is TurnState.OVER


def test_a_call_that_is_over_stays_over() -> None:
    assert {after(TurnState.OVER, trigger) for trigger in TurnTrigger} == {TurnState.OVER}


@pytest.mark.parametrize("trigger", [TurnTrigger.RESPONSE_STARTED, TurnTrigger.CALLER_STARTED])
def test_a_response_that_is_made_while_the_caller_speaks_is_always_an_interrupted_one(trigger: TurnTrigger) -> None:
    assert {TurnState.INTERRUPTED} == CALLER_STATES & RESPONSE_STATES
    for state in TurnState:
        follows = after(state, trigger)
        if state in CALLER_STATES and trigger is TurnTrigger.RESPONSE_STARTED:
            assert follows is TurnState.INTERRUPTED
        if state in RESPONSE_STATES and trigger is TurnTrigger.CALLER_STARTED:
            assert follows is TurnState.INTERRUPTED
