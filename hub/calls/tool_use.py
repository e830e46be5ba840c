"""Runs an agent's tool calls on one call: publishes each and what came of it, and lets an agent leave once the caller has heard it.

Knows the conversation, to wait for its end, and the publisher. Does not know the model, nor how the call ends.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from hub import events
from hub.agents import HANG_UP
from hub.agents.conversation import Conversation
from hub.agents.tools import LEAVES, Leave, Toolbox
from hub.agents.voice_model import ToolCall
from hub.agents.webhooks import ANSWER_BYTES, ToolOutcome
from hub.calls.agent_context import AgentContext
from hub.calls.publisher import Publisher
from hub.errors import AccountError
from hub.ops.logs import CallLog

log = logging.getLogger(__name__)


class ToolUse:
    """The tool calls of one call."""

    def __init__(
        self, toolbox: Toolbox, publisher: Publisher, conversation: Conversation, context: AgentContext, leave_seconds: float
    ) -> None:
        """`leave_seconds` is how long an agent that leaves may take to say goodbye."""
        self._toolbox = toolbox
        self._publisher = publisher
        self._conversation = conversation
        self._counters = context.counters.agents
        self._clock = context.clock
        self._leave_seconds = leave_seconds
        self.leaving: Leave | None = None
        """How the agent is about to leave: Twilio was asked. None before that, and when Twilio refused."""
        self.left = ""
        """How the agent left, as a sentence: Twilio did what it was asked. Empty before that."""
        self.tasks: asyncio.TaskGroup | None = None
        """In which tools run. None before the session is opened."""
        self._heard = asyncio.Event()
        """Set when the agent has been heard to the end, or the caller speaks."""
        self.waiting = 0
        """How many tools wait for that. While it is not 0, `look()` must be called after each frame."""
        self._log = CallLog(log, {"call": publisher.record.call_sid})

    @property
    def seconds(self) -> float:
        """Call time now, as events have it."""
        return self._conversation.seconds

    def do(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something in the call's tasks, until the agent's part is over. Returns whether it begins."""
        if self.tasks is None:
            work.close()
            return False
        self.tasks.create_task(work)
        return True

    def look(self) -> None:
        """See whether the agent has been heard to the end, or the caller speaks."""
        if self._conversation.quiet or self._conversation.caller_speaks:
            self._heard.set()

    async def use(self, call: ToolCall, account_sid: str) -> ToolOutcome:
        """Run one tool call. Safe to cancel.

        What was used is published before anything is done, and what came of it before this returns, also when this is cancelled.
        """
        began, sid, name = self._clock(), self._publisher.record.call_sid, call.name
        outcome = ToolOutcome("failed", "the call ended first")
        try:
            arguments, problem = self._toolbox.read(name, call.arguments)
        except Exception:  # noqa: BLE001  a tool is a unit, and the schema of one may refer to what is not there
            self._log.exception("the arguments of the tool %s could not be checked", name)
            arguments, problem = call.arguments[:ANSWER_BYTES], "the hub could not check the arguments"
        self._publisher.publish(
            events.ToolCalled(call_sid=sid, invocation=call.call_id, tool=name, arguments=arguments, time=self._conversation.seconds)
        )
        try:
            if problem:
                outcome = ToolOutcome("refused", problem)
            elif name in LEAVES:
                outcome = await self._leave(account_sid, name, arguments)
            else:
                outcome = await self._toolbox.post(call.call_id, name, arguments)
        except asyncio.CancelledError:
            if (
                name in LEAVES and self.leaving == LEAVES[name][0]
            ):  # Twilio ended the stream, and with it the call's tasks, before it answered
                outcome = self._toolbox.left(name, arguments)
            raise
        except Exception:  # noqa: BLE001  a tool is a unit: the model is told, the call goes on
            self._log.exception("the tool %s failed", name)
            outcome = ToolOutcome("failed", "the hub failed on this tool")
            if name in LEAVES:
                self.leaving = None
        finally:
            self._counters.tools[outcome.kind] += 1
            self._publisher.publish(
                events.ToolReturned(
                    call_sid=sid, invocation=call.call_id, tool=name, outcome=outcome.kind, detail=outcome.detail,
                    time=self._conversation.seconds, seconds=round(self._clock() - began, 3),
                )
            )  # fmt: skip
        return outcome

    async def _leave(self, account_sid: str, name: str, arguments: Any) -> ToolOutcome:
        """End the call or pass it on, once the caller has heard the agent to the end."""
        if not self._toolbox.can_leave:
            return ToolOutcome("refused", "this hub has no Twilio account")
        if not await self.was_heard(patient=name != HANG_UP):
            return ToolOutcome("refused", "the caller has something to say: hang up when nothing is left")
        if self.leaving is not None:  # by order of somebody who steers the call
            return ToolOutcome("refused", "the call is being ended or passed on already")
        self.leaving, sentence = LEAVES[name]
        try:
            await self._toolbox.leave(account_sid, name, arguments)
        except AccountError as error:
            self.leaving = None
            self._log.warning("the agent could not leave: %s", error)
            return ToolOutcome("failed", str(error))
        self.left = sentence
        return self._toolbox.left(name, arguments)

    async def was_heard(self, *, patient: bool) -> bool:
        """Wait until the caller has heard the agent to the end and nobody speaks, but not for ever.

        Not patient: returns False as soon as the caller speaks. An agent that hangs up must not do so on a caller who has just begun to
        ask something else. One that transfers may wait: the caller goes on talking to a person.
        """
        self.waiting += 1
        try:
            async with asyncio.timeout(self._leave_seconds):
                while True:
                    self._heard.clear()
                    await self._heard.wait()
                    if self._conversation.quiet or not patient:
                        return self._conversation.quiet
        except TimeoutError:
            return True  # the caller has heard enough
        finally:
            self.waiting -= 1
