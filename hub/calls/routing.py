"""Puts a call through to an agent: decides which agent answers it, whether there is room, and opens that agent's voice model.

Knows the agents and what their calls work with. Knows no vendor, no HTTP and no socket.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from hub.agents import Agent, Agents
from hub.agents.voice_model import VoiceModel
from hub.calls.agent_context import AGENT_PARAMETER, AgentContext, AgentLimits
from hub.calls.answered import AnsweredCall
from hub.calls.call import Peer, Stream
from hub.calls.calls import Calls
from hub.errors import HubError
from hub.topics.record import Record
from hub.topics.registry import Registry
from hub.twilio.media import StartBody

OpenModel: TypeAlias = Callable[[Agent, str], VoiceModel]
"""Opens the voice model of an agent for one call, by callSid. Nothing is dialled before the model's `run()`."""


class NoAgent(HubError):
    """No agent can answer this call."""

    code = "no-agent"


class Routing:
    """The way to the agents of one hub."""

    def __init__(
        self,
        agents: Agents,
        open_model: OpenModel | None,
        calls: Calls,
        registry: Registry,
        context: AgentContext,
        limits: AgentLimits,
    ) -> None:
        """`open_model` may be None only where there are no agents."""
        self.agents = agents
        self.limits = limits
        """Of the calls that are answered from now on."""
        self._open_model = open_model
        self._calls = calls
        self._registry = registry
        self._context = context

    def pick(self, told: Mapping[str, str]) -> Agent:
        """Return the agent for a call, if it can take one now: the agent that the call names, or the one of our number in it.

        `told` are the stream's <Parameter>s, or the same of a webhook. Raises: NoAgent.
        """
        if not len(self.agents):
            raise NoAgent(f"no agent is set up on this hub: {self.agents.missing_setting} is missing")
        # On a call that we make, our number is the one that calls.
        ours = "from" if told.get("direction", "").startswith("outbound") else "to"
        agent = self.agents.pick(told.get(AGENT_PARAMETER, ""), told.get(ours, ""))
        if agent is None:
            raise NoAgent("no agent of this hub has that name")
        if self._calls.answering_everywhere >= self.limits.calls:
            raise NoAgent(f"agents answer {self.limits.calls} calls already (HUB_AGENT_CALLS)")
        return agent

    def answer(self, start: StartBody, peer: Peer) -> Stream:
        """Put a stream through to its agent. Never waits. Raises: NoAgent, Draining, Taken."""
        agent = self.pick({name: str(value) for name, value in start.custom_parameters.items()})

        def open_call(record: Record, _: StartBody) -> AnsweredCall:
            assert self._open_model is not None, "agents without a voice model"
            model = self._open_model(agent, record.call_sid)
            return AnsweredCall(record, self._registry, agent, model, self._context, self.limits)

        return self._calls.answer(start, peer, open_call)
