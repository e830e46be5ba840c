"""The orders of those who steer one agent's call: takes each once, has it done, and publishes who gave it and what became of it.

The call's log is what is remembered of orders. So an order that is repeated, after a connection that broke or on another node, is answered
from the log, and nothing is said or dialled twice. One order is under way at a time: a second supervisor is told who was first.

Knows what leads to the agent and to Twilio. Does not know who may steer, nor whom a call may be passed on to (`steering.py`).
"""

import asyncio
import logging
from collections import deque
from typing import Protocol

from hub import events
from hub.agents import Agent
from hub.agents.commands import ConversationEvent, Said, Say
from hub.agents.tools import Leave
from hub.calls.agent_context import AGENT_PARAMETER, AgentContext
from hub.calls.order import NotTaken, Order, Target
from hub.calls.publisher import Publisher
from hub.calls.tool_use import ToolUse
from hub.errors import AccountError
from hub.ops.logs import CallLog

log = logging.getLogger(__name__)

MOST_ORDERS, ORDERS_SECONDS = 30, 60.0
"""The most orders that one call takes in so many seconds: more is a program that has gone wrong, and each is an event for good."""

_LEAVES: dict[events.SteeringAction, tuple[Leave, str]] = {
    "hang-up": ("supervisor-hung-up", "a supervisor hung up"),
    "transfer": ("transferred", "the call was transferred"),
    "take-over": ("transferred", "a person took the call over"),
}
"""The actions by which the agent leaves: the reason that the call then ends with, and the same as a sentence."""

_DOING: dict[events.SteeringAction, str] = {
    "say": "has the agent say something", "transfer": "transfers the call", "hang-up": "hangs up", "take-over": "has the call taken over",
}  # fmt: skip


class SteeredCall(Protocol):
    """The call, as far as orders need it. No method waits."""

    def receive(self, event: ConversationEvent) -> None:
        """Have the conversation take an event."""

    def left(self, sentence: str) -> None:
        """End the agent's part: Twilio did what it was asked."""


class Orders:
    """The orders of one call."""

    def __init__(self, call: SteeredCall, publisher: Publisher, tools: ToolUse, context: AgentContext) -> None:
        self._call = call
        self._publisher = publisher
        self._tools = tools
        self._account = context.account
        self._clock = context.clock
        self._account_sid = ""
        """Of the account that the call belongs to. Empty before `begin`."""
        self._under_way: Order | None = None
        """The order that was taken and is not done. None when there is none."""
        self._over = False
        """Whether the agent has left."""
        self._taken: deque[float] = deque()
        """When the newest orders came."""
        self._log = CallLog(log, {"call": publisher.record.call_sid})

    def begin(self, account_sid: str) -> None:
        """Begin when the agent's part does: tell what became of an order of an earlier process."""
        self._account_sid = account_sid
        self._publisher.give_up_orders()

    def take(self, order: Order, target: Target | None) -> events.Steered:
        """Take an order that is not known; return how far it is. Never waits.

        `target`: where the call is to go, for those that pass it on. Raises: NotTaken.
        """
        self._count()
        if refusal := self._refusal(order, target):
            return self._publish(order, "refused", refusal)
        asked = self._publish(order, "asked")
        self._under_way = order
        self._log.info("%s has given the order %s: %s", order.by, order.id, order.action)
        if order.action == "say":
            self._call.receive(Say(order.id, order.text, order.when == "now"))
        elif not self._tools.do(self._leave(order, target)):
            self._settle(order, "failed", "the agent is not on the line yet")
        return asked

    def said(self, said: Said) -> None:
        """Take what became of a text."""
        if self._under_way is not None and self._under_way.id == said.order:
            self._settle(self._under_way, "failed" if said.problem else "done", said.problem or said.note)

    def over(self) -> None:
        """Tell what became of the order that is under way: the agent leaves."""
        self._over = True
        order = self._under_way
        if order is None:
            return
        # Twilio ends the stream of a call that it was asked to end or to pass on, and may do that before it answers that it will.
        if order.action in _LEAVES and self._tools.leaving is not None:
            self._settle(order, "done")
        else:
            self._settle(order, "failed", "the agent's part of the call ended first")

    def refuse(self, order: Order, reason: str) -> events.Steered:
        """Refuse an order that is not known for a reason that lies outside the call. Raises: NotTaken."""
        self._count()
        return self._publish(order, "refused", reason)

    def _count(self) -> None:
        now = self._clock()
        while self._taken and now - self._taken[0] >= ORDERS_SECONDS:
            self._taken.popleft()
        if len(self._taken) >= MOST_ORDERS:
            raise NotTaken("too-many", f"this call takes {MOST_ORDERS} orders in {ORDERS_SECONDS:.0f} s: wait a little")
        self._taken.append(now)

    def _refusal(self, order: Order, target: Target | None) -> str:
        """Return why an order is refused; empty if it is taken."""
        if self._over:
            return "the agent has left this call"
        if self._under_way is not None:
            return f"{self._under_way.by} {_DOING[self._under_way.action]} now: wait until that is done"
        if self._tools.leaving is not None:
            return "the agent is leaving this call already"
        if order.action == "say":
            return ""
        if self._account is None:
            return "this hub has no Twilio account (TWILIO_ACCOUNT_SID), so it can neither end nor pass on a call"
        assert target is not None or order.action == "hang-up"
        return ""

    async def _leave(self, order: Order, target: Target | None) -> None:
        """End the call or pass it on."""
        assert self._account is not None
        if order.when == "turn":
            await self._tools.was_heard(patient=True)
        if self._tools.leaving is not None:
            self._settle(order, "failed", "the agent left first")
            return
        self._tools.leaving, sentence = _LEAVES[order.action]
        sid, record = self._account_sid, self._publisher.record
        try:
            if target is None:
                await self._account.hang_up(sid, record.call_sid)
            elif target.agent is not None:
                await self._account.connect_agent(
                    sid, record.call_sid, self._parameters(target.agent), target.agent.apology, target.agent.dial
                )
            else:
                back_to = (record.agent or "") if order.action == "take-over" else ""
                await self._account.connect(sid, record.call_sid, target.whom, target.label, back_to)
        except AccountError as error:
            self._tools.leaving = None
            self._log.warning("an order could not be done: %s", error)
            self._settle(order, "failed", str(error))
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  an order is a unit: it fails, the agent goes on
            self._tools.leaving = None
            self._log.exception("an order failed")
            self._settle(order, "failed", "the hub failed on this order")
        else:
            self._settle(order, "done")
            self._call.left(sentence)

    def _parameters(self, agent: Agent) -> dict[str, str]:
        """Return what the stream to another agent carries."""
        caller, called = self._publisher.record.numbers
        started = self._publisher.record.started
        direction = (started.direction if started is not None else None) or ""
        label = {"inboundTrackLabel": "callee"} if direction.startswith("outbound") else {}
        return {AGENT_PARAMETER: agent.name, "from": caller or "", "to": called or "", "direction": direction} | label

    def _settle(self, order: Order, state: events.SteeringState, reason: str = "") -> None:
        """Publish what became of an order, once."""
        if self._under_way is order:
            self._under_way = None
            self._publish(order, state, reason)

    def _publish(self, order: Order, state: events.SteeringState, reason: str = "") -> events.Steered:
        text = order.text if state in {"asked", "refused"} else ""
        return self._publisher.publish(
            events.Steered(
                call_sid=self._publisher.record.call_sid, order=order.id, action=order.action, state=state, by=order.by,
                text=text or None, to=order.to or None, reason=reason or None, time=self._tools.seconds,
            )
        )  # fmt: skip
