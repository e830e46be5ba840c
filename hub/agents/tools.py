"""The tools of one agent on one call: reads what the model asks for, and runs it.

Knows the agent's tools, webhooks and Twilio's account. Knows no model, no audio and no event: the call publishes what is used and what came
of it, and decides when the agent may leave.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from hub.agents.roster import HANG_UP, TRANSFER, Agent
from hub.agents.webhooks import ToolOutcome, Webhooks, read_arguments
from hub.topics.record import Record
from hub.twilio.rest import TwilioAccount

Leave: TypeAlias = Literal["agent-hung-up", "transferred", "supervisor-hung-up"]
"""How an agent leaves a call, by itself or by order of somebody who steers the call."""

LEAVES: Final[Mapping[str, tuple[Leave, str]]] = {
    HANG_UP: ("agent-hung-up", "the agent hung up"),
    TRANSFER: ("transferred", "the call was transferred"),
}
"""The tools by which an agent leaves: the reason that the call then ends with, and the same as a sentence."""


class Toolbox:
    """The tools of one agent, for one call."""

    def __init__(self, agent: Agent, record: Record, webhooks: Webhooks, account: TwilioAccount | None) -> None:
        """`account` is None where no agent can leave a call."""
        self._agent = agent
        self._record = record
        self._webhooks = webhooks
        self._account = account

    @property
    def can_leave(self) -> bool:
        """Whether Twilio can be asked to end or transfer the call."""
        return self._account is not None

    def read(self, name: str, text: str) -> tuple[Any, str]:
        """Return the arguments of a tool call, and why it is refused. Empty when it is not.

        A tool that the agent was not given is refused, be it one of the hub's own: a model may call what it was never told of, and an agent
        that may not end calls must not be able to.
        """
        schema = next((tool.parameters for tool in self._agent.declared() if tool.name == name), None)
        arguments, problem = read_arguments(schema, text)
        return arguments, problem if schema is not None else f"there is no tool {name[:64]}"

    async def post(self, call_id: str, name: str, arguments: Any) -> ToolOutcome:
        """Have the webhook of a tool run. Only for a tool and arguments that `read` did not refuse. Safe to cancel."""
        tool = self._agent.tool(name)
        assert tool is not None, "the tool is declared and not one of the hub's own"
        caller, called = self._record.numbers
        told = {
            "callSid": self._record.call_sid, "from": caller, "to": called, "agent": self._agent.name, "tool": name,
            "invocation": call_id, "arguments": arguments,
        }  # fmt: skip
        return await self._webhooks.post(tool, f"{self._record.call_sid}-{call_id}", told)

    async def leave(self, account_sid: str, name: str, arguments: Any) -> None:
        """Have Twilio end the call or connect the caller to somebody else. Only while `can_leave`. Raises: AccountError.

        Twilio ends the agent's stream before it answers this, so the caller of this may be cancelled while it waits.
        """
        assert self._account is not None
        if name == HANG_UP:
            await self._account.hang_up(account_sid, self._record.call_sid)
        else:
            place = arguments["to"]
            await self._account.connect(account_sid, self._record.call_sid, dict(self._agent.transfer)[place], place)

    @staticmethod
    def left(name: str, arguments: Any) -> ToolOutcome:
        """Return what came of a tool by which the agent left."""
        return ToolOutcome("result", "the call was ended" if name == HANG_UP else f"the caller was connected to {arguments['to']}")
