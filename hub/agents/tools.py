"""An agent's tools on one call: runs what the model asks for, tells subscribers, and always comes back with an outcome.

Knows the agent's tools, webhooks and Twilio's account. Knows no model, and no audio: the call says when the agent was heard.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from hub import events
from hub.agents.roster import HANG_UP, TRANSFER, Agent
from hub.agents.webhooks import Outcome, Webhooks, read_arguments
from hub.errors import AccountError
from hub.ops.counters import AgentCounters
from hub.ops.logs import CallLog
from hub.topics.registry import Record
from hub.twilio.rest import TwilioAccount

log = logging.getLogger(__name__)

Leave = Literal["agent-hung-up", "transferred"]
"""How an agent leaves a call by itself."""


LEAVES: dict[str, tuple[Leave, str]] = {
    HANG_UP: ("agent-hung-up", "the agent hung up"),
    TRANSFER: ("transferred", "the call was transferred"),
}
"""The tools by which it leaves, how it has left then, and the same in a sentence."""


class Toolbox:
    """The tools of one agent, for one call."""

    def __init__(
        self,
        agent: Agent,
        record: Record,
        publish: Callable[[events.Durable], object],
        account_sid: str,
        *,
        webhooks: Webhooks,
        account: TwilioAccount | None,
        counters: AgentCounters,
        clock: Callable[[], float],
        now: Callable[[], float],
        heard: Callable[[bool], Awaitable[bool]],
        leave: Callable[[Leave, str], None],
    ) -> None:
        """`account_sid` is the call's own; `clock` is monotonic seconds, `now` call time in seconds.

        `heard` waits until the caller has heard the agent and nobody speaks; asked not to be patient, it returns False as soon as the
        caller speaks. `leave` ends the agent's part in the call, with a sentence.
        """
        self._agent = agent
        self._record = record
        self._publish = publish
        self._account_sid = account_sid
        self._webhooks = webhooks
        self._account = account
        self._counters = counters
        self._clock = clock
        self._now = now
        self._heard = heard
        self._leave = leave
        self.leaving: Leave | None = None
        """How the agent is about to leave: Twilio was asked. None before, and when it refused."""
        self._log = CallLog(log, {"call": record.call_sid})

    async def use(self, invocation: str, name: str, text: str) -> Outcome:
        """Run one function call; its outcome is on the topic before this returns. Safe to cancel: then the outcome is that."""
        began = self._clock()
        outcome = Outcome("failed", "the call ended first")
        # What was not declared is not this agent's, be it a tool of the hub: a model may call what it was never told of.
        schema = next((declared["parameters"] for declared in self._agent.declared() if declared["name"] == name), None)
        arguments, problem = read_arguments(schema or {}, text)
        problem = problem if schema is not None else f"there is no tool {name[:64]}"
        sid = self._record.call_sid
        self._publish(events.ToolCalled(call_sid=sid, invocation=invocation, tool=name, arguments=arguments, time=self._now()))
        try:
            if problem:
                outcome = Outcome("refused", problem)
            elif name in LEAVES:
                outcome = await self._go(name, arguments)
            else:
                outcome = await self._post(invocation, name, arguments)
        except asyncio.CancelledError:
            if self.leaving is not None and name in LEAVES:  # Twilio did it before it said so
                outcome = self._left(name, arguments)
            raise
        except Exception:  # noqa: BLE001  a tool is a unit: the model is told, the call goes on
            self._log.exception("tool %s failed", name)
            outcome = Outcome("failed", "the hub failed on this tool")
        finally:
            self._counters.tools[outcome.kind] += 1
            self._publish(
                events.ToolReturned(
                    call_sid=sid, invocation=invocation, tool=name, outcome=outcome.kind, detail=outcome.detail, time=self._now(),
                    seconds=round(self._clock() - began, 3),
                )
            )  # fmt: skip
        return outcome

    async def _post(self, invocation: str, name: str, arguments: Any) -> Outcome:
        tool = self._agent.tool(name)
        assert tool is not None, "it is declared, and no tool of the hub"
        caller, called = self._record.numbers
        told = {
            "callSid": self._record.call_sid, "from": caller, "to": called, "agent": self._agent.name, "tool": name,
            "invocation": invocation, "arguments": arguments,
        }  # fmt: skip
        return await self._webhooks.post(tool, f"{self._record.call_sid}-{invocation}", told)

    async def _go(self, name: str, arguments: Any) -> Outcome:
        """End the call or pass it on, once the agent has been heard to the end."""
        if self._account is None:
            return Outcome("refused", "this hub has no Twilio account")
        if not await self._heard(name != HANG_UP):
            return Outcome("refused", "the caller has something to say: hang up when nothing is left")
        call_sid = self._record.call_sid
        self.leaving, sentence = LEAVES[name]
        try:
            if name == HANG_UP:
                await self._account.hang_up(self._account_sid, call_sid)
            else:
                place = arguments["to"]
                await self._account.connect(self._account_sid, call_sid, dict(self._agent.transfer)[place], place)
        except Exception as error:
            self.leaving = None
            if not isinstance(error, AccountError):
                raise
            self._log.warning("the agent could not leave: %s", error)
            return Outcome("failed", str(error))
        self._leave(self.leaving, sentence)
        return self._left(name, arguments)

    @staticmethod
    def _left(name: str, arguments: Any) -> Outcome:
        return Outcome("result", "the call was ended" if name == HANG_UP else f"the caller was connected to {arguments['to']}")
