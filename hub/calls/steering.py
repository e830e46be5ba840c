"""Steers agents' calls for people who may: finds the call of an order, here or on the node that owns it, and whom it may be passed on to.

Only a call that an agent answers is steered. What people say to each other the hub only listens to: it never ends such a call.

Knows the calls, the agents, and the numbers that are allowed. Does not know tokens, nor how an order is done (`orders.py`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from hub import events
from hub.agents import Agent, Agents
from hub.calls.answered import AnsweredCall
from hub.calls.calls import Calls
from hub.calls.order import NotTaken, Order, Target
from hub.calls.past_orders import known
from hub.text.dialable import Dialable
from hub.text.foreign_text import name
from hub.text.phone_numbers import EXAMPLE, dialled
from hub.topics.record import Record

AskOwner: TypeAlias = Callable[[Record, Order], Awaitable[events.Steered]]
"""Has the owner of a call take an order. Raises: NotTaken, and BrokerError if it does not answer in time."""

AGENT = "agent:"
"""What a target begins with that is an agent of this hub."""

COLLEAGUE = "colleague"
"""What the transcript calls a person of whom no more than a number is known."""

LABEL_CHARACTERS = 64
"""How much of the name of who takes a call over stands in the transcript."""


@dataclass(slots=True)
class SteeringDesk:
    """The orders that come to one node."""

    calls: Calls
    agents: Agents
    numbers: Dialable
    """Who may be dialled besides the places of the agents file."""
    reachable: bool
    """Whether Twilio has an address for the stream to another agent."""
    ask_owner: AskOwner | None = None
    """For calls of other nodes. None on a hub that is its own cluster."""

    async def steer(self, record: Record, order: Order) -> events.Steered:
        """Take an order for a call of the cluster; return how far it is. An order with a known id is not taken again.

        Raises: NotTaken for one that leaves no trace in the call; BrokerError if the owner of the call does not answer in time.
        """
        if record.owner and record.live and self.ask_owner is not None:
            return await self.ask_owner(record, order)
        return self.take(record, order)

    def take(self, record: Record, order: Order) -> events.Steered:
        """Take an order for a call of this node. Raises: NotTaken."""
        if (event := known(record, order)) is not None:
            return event
        if not record.live:
            raise NotTaken("call-over", "the call is over")
        call = self.calls.newest(record.call_sid)
        if not isinstance(call, AnsweredCall) or not call.answered:
            raise NotTaken("no-agent", "no agent is on this call now: only a call that an agent answers can be steered")
        if not order.to:
            return call.orders.take(order, None)
        target = self._target(order, call.agent)
        return call.orders.refuse(order, target) if isinstance(target, str) else call.orders.take(order, target)

    def _target(self, order: Order, agent: Agent) -> Target | str:
        """Return where an order leads, or why it may not."""
        places = dict(agent.transfer)
        if (whom := places.get(order.to)) is not None:
            return Target(whom=whom, label=order.to)
        if order.to.startswith(AGENT):
            return self._other_agent(order, agent)
        whom = dialled(order.to)
        if whom is None:
            known_places = f", or one of {', '.join(places)}" if places else ""
            return f"that cannot be called: use a number as {EXAMPLE}, sip:… or client:…{known_places}"
        place = next((place for place, number in places.items() if number == whom), None)
        if place is None and whom != agent.dial and whom not in self.numbers:
            return "calls may not be passed on to that number: it is no place of the agent's, and HUB_STEER_NUMBERS does not allow it"
        return Target(whom=whom, label=place or self._label(order))

    def _other_agent(self, order: Order, agent: Agent) -> Target | str:
        chosen = self.agents.pick(order.to.removeprefix(AGENT)) if order.to != AGENT else None
        if order.action == "take-over":
            return "a person takes a call over: use transfer to connect the caller with another agent"
        if chosen is None:
            return "no agent of this hub has that name"
        if chosen.name == agent.name:
            return "this agent answers the call already"
        if not self.reachable:
            return "Twilio cannot reach this hub for another stream: HUB_PUBLIC_URL is not set"
        return Target(agent=chosen)

    def _label(self, order: Order) -> str:
        """Return what the transcript calls the person. Who takes a call over has a name, unless their token has none."""
        if order.action != "take-over" or order.by.startswith("token …"):
            return COLLEAGUE
        return name(order.by)[:LABEL_CHARACTERS] or COLLEAGUE
