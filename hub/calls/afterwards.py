"""How long a call is kept open once its agent's part is over, because it may go on in another stream.

Twilio says that a stream has stopped, and not whether the phone call has ended: it may have been sent to other TwiML, which leads back to
the agent or to a person. A stream that is still to come belongs to the same call, with the same subscribers and one `call-ended`. So the
end is published a little later than the stream stops: by as much as it takes Twilio to begin another one. Knows no stream and no socket.
"""

import asyncio

from hub.agents import Agent
from hub.calls.agent_context import AgentLimits
from hub.calls.call import EndReason

END_SENTENCES: dict[str, str] = {"agent-limit": "the agent's time is up", "agent-lost": "the agent was lost"}
"""How the socket is closed of a call that goes on without the agent."""

_PASSED_ON = frozenset({"agent-limit", "agent-lost", "stream-lost"})
"""Reasons for which the hub's own TwiML says an apology and dials whoever takes over."""

_FINAL = frozenset({"hub-stopping", "failed", "agent-hung-up", "supervisor-hung-up"})
"""Reasons after which no stream comes here."""


class Afterwards:
    """The time between the end of an agent's part and the end of its call."""

    def __init__(self, agent: Agent, limits: AgentLimits, *, reachable: bool) -> None:
        """`reachable` as in AgentContext."""
        self._agent = agent
        self._limits = limits
        self._reachable = reachable
        self._released = asyncio.Event()
        """Set when nobody is waited for any more."""

    def release(self) -> None:
        """Wait no longer: another stream came, or the hub stops."""
        self._released.set()

    def seconds(self, reason: EndReason) -> float:
        """Return how long a further stream is waited for."""
        if reason in _FINAL:
            return 0.0
        if self._reachable and (reason == "transferred" or (reason in _PASSED_ON and self._agent.dial)):
            return self._limits.pass_on_seconds
        return self._limits.come_back_seconds

    async def wait(self, reason: EndReason) -> None:
        """Wait for a further stream, so that its words come before `call-ended`."""
        try:
            async with asyncio.timeout(self.seconds(reason)):
                await self._released.wait()
        except TimeoutError:
            pass  # nobody was reached, or the caller has hung up
