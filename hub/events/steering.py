"""What people who steer an agent's call have done with it. These events are durable, too."""

from typing import Literal, TypeAlias

from hub.events.parts import Durable, Part

SteeringAction: TypeAlias = Literal["say", "transfer", "hang-up", "take-over"]
"""What can be done with an agent's call."""

SteeringState: TypeAlias = Literal["asked", "done", "refused", "failed"]
"""How far an order is. All but `asked` are final."""


class Steered(Durable, frozen=True, kw_only=True, tag="steered"):
    """Somebody steers an agent's call. Published when an order is taken, with `asked`, and once more with what became of it.

    An order that is not taken is published once, as `refused`. `order`: its id, the same in both events. `by`: who gave it, the `sub` of
    their token. `text`: what the agent is to say, in the first of the two events. `to`: whom the caller is connected with. `reason`: why
    it was refused or failed, or what is to be known of one that is done. `time`: seconds of call time.
    """

    order: str
    action: SteeringAction
    state: SteeringState
    by: str
    text: str | None = None
    to: str | None = None
    reason: str | None = None
    time: float


class Steering(Part, frozen=True, kw_only=True, tag_field="type", tag="steering"):
    """Answer to `say`, `transfer`, `hang-up` and `take-over`: how far the order is now. `steered` events tell those who follow the call.

    An order that is repeated with the same id is not done again: the answer tells what became of it.
    """

    call_sid: str
    order: str
    action: SteeringAction
    state: SteeringState
    reason: str | None = None
    at: str = ""
