"""Publishes what a conversation with a voice model says of itself: that the agent was interrupted, and that its model had trouble.

Knows the publisher and call time. Does not know the model, nor what follows from either.
"""

import logging

from hub import events
from hub.calls.publisher import Publisher
from hub.ops.counters import AgentCounters
from hub.ops.logs import CallLog

log = logging.getLogger(__name__)


class AgentReports:
    """Those of one call."""

    def __init__(self, publisher: Publisher, counters: AgentCounters, provider: str) -> None:
        """`provider`: the vendor's name."""
        self._publisher = publisher
        self._counters = counters
        self._provider = provider
        self._log = CallLog(log, {"call": publisher.record.call_sid})

    def interrupted(self, seconds: float, heard_ms: float, generated_ms: float) -> None:
        """Publish that the caller interrupted the agent, at this second of call time."""
        self._counters.interruptions += 1
        heard, generated = round(heard_ms / 1000, 3), round(generated_ms / 1000, 3)
        sid = self._publisher.record.call_sid
        self._publisher.publish(events.AgentInterrupted(call_sid=sid, time=seconds, heard=heard, generated=generated))

    def troubled(self, seconds: float, problem: str) -> None:
        """Publish that something was wrong with the model, and that the conversation goes on."""
        self._log.warning("%s %s", self._provider, problem)
        self._publisher.publish(events.AgentTrouble(call_sid=self._publisher.record.call_sid, reason=problem, time=seconds))
