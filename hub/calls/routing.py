"""Puts a call through to the agent that is to answer it: which one, whether there is room, and with what it works.

Knows the agents, the model's address and Twilio's account. Knows no HTTP and no socket.
"""

import time
from collections.abc import Mapping

from hub import agents
from hub.agents import Agent
from hub.agents.roster import AgentDefaults
from hub.agents.webhooks import Webhooks
from hub.calls.answered import AnsweredCall
from hub.calls.call import Peer, Stream
from hub.calls.calls import Calls
from hub.config import Config
from hub.errors import HubError
from hub.ops.counters import Counters
from hub.topics.registry import Registry
from hub.twilio.media import StartBody
from hub.twilio.rest import TwilioAccount
from hub.vendors.openai import wire as openai
from hub.vendors.openai.settings import OpenAISettings

AGENT_PARAMETER = "agent"
"""The stream's <Parameter> that names the agent."""


class NoAgent(HubError):
    """Nobody answers this call."""

    code = "no-agent"


class Routing:
    """The way to the agents of one hub."""

    def __init__(
        self,
        config: Config,
        calls: Calls,
        registry: Registry,
        counters: Counters,
        webhooks: Webhooks,
        account: TwilioAccount | None,
        defaults: AgentDefaults,
    ) -> None:
        """`account` is None where no agent can hang up or transfer. Raises: ConfigError when the agents file is wrong."""
        self.agents = agents.load(config, defaults)
        self._config = config
        self._openai = config.of(OpenAISettings)
        self._calls = calls
        self._registry = registry
        self._counters = counters
        if len(self.agents):
            counters.providers["openai"]  # shows in the metrics before the first call does
        self._webhooks = webhooks
        self._account = account

    def pick(self, told: Mapping[str, str]) -> Agent:
        """Return the agent for a call, if it can take one now: the one it names, or the one of our number in it. Raises: NoAgent.

        `told` are the stream's <Parameter>s, or the same of a webhook.
        """
        if not len(self.agents):
            raise NoAgent(f"no agent is set up on this hub: {self.agents.missing_setting} is missing")
        # Where we call somebody, our number is the one that calls.
        ours = "from" if told.get("direction", "").startswith("outbound") else "to"
        agent = self.agents.pick(told.get(AGENT_PARAMETER, ""), told.get(ours, ""))
        if agent is None:
            raise NoAgent("no agent of this hub has that name")
        if self._calls.answering >= self._config.agent_calls:
            raise NoAgent(f"agents answer {self._config.agent_calls} calls already (HUB_AGENT_CALLS)")
        return agent

    def answer(self, start: StartBody, peer: Peer) -> Stream:
        """Put a stream through to its agent. Raises: NoAgent, Draining, Taken."""
        agent = self.pick({name: str(value) for name, value in start.custom_parameters.items()})
        return self._calls.answer(
            start,
            peer,
            lambda record, start: AnsweredCall(
                record,
                self._registry,
                agent,
                start,
                address=openai.realtime_url(self._openai.url, agent.model),
                key=self._openai.key,
                seconds=self._config.agent_minutes * 60,
                public=bool(self._config.public_url),
                webhooks=self._webhooks,
                account=self._account,
                clock=time.monotonic,
                wall=time.time,
                counters=self._counters,
            ),
        )
