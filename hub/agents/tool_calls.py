"""Which of a model's tool calls are run, and when a response is due because of them. Pure.

A model may answer each tool's output with another tool call, or call a thousand tools in one response: each is a request to somebody's
webhook. So there are bounds, and what is beyond them is refused in words that the model reads. Does not know what a tool does.
"""

from hub.agents.voice_model import ToolCall

MOST_IN_A_RESPONSE = 10
"""Calls of one response that are run: an agent that needs more things at once has not asked for the right one."""

MOST_IN_A_ROW = 8
"""Responses in a row that use tools and leave the caller without an answer. A booking takes three or four."""

MOST_IN_A_CALL = 100
"""Calls that are run in one phone call: more than one every half minute for the longest."""

MOST_REFUSED = 50
"""Calls of one response that are refused in words. Nobody reads the rest."""


class ToolCalls:
    """One conversation's tool calls."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}
        """The call_id of each call that has no output yet, and the response that made the call."""
        self._run: set[str] = set()
        """The call_ids of those that were run: a model may send a call twice."""
        self._response_id = ""
        """The newest response that made any."""
        self._in_response = 0
        """How many it made."""
        self.in_a_row = 0
        """How many responses made any since the caller got an answer, or spoke."""

    @property
    def exhausted(self) -> bool:
        """Whether tools were used so often in a row that the next response must do without."""
        return self.in_a_row >= MOST_IN_A_ROW

    @property
    def defiant(self) -> bool:
        """Whether the model went on using tools although it was told not to."""
        return self.in_a_row > MOST_IN_A_ROW + 1

    def called(self, call: ToolCall) -> str | None:
        """Take a call. Returns why it is refused, empty if it is to be run, None if there is nothing to do about it."""
        if call.response_id != self._response_id:
            self._response_id, self._in_response = call.response_id, 0
            self.in_a_row += 1
        if call.call_id in self._run:
            return None
        self._in_response += 1
        if self._in_response > MOST_IN_A_RESPONSE + MOST_REFUSED:
            return None
        refusal = self._refusal()
        if not refusal:
            self._run.add(call.call_id)
            self._running[call.call_id] = call.response_id
        return refusal

    def _refusal(self) -> str:
        if self.in_a_row > MOST_IN_A_ROW:
            return f"tools were used in {MOST_IN_A_ROW} responses in a row, which is the most: answer the caller now, without a tool"
        if self._in_response > MOST_IN_A_RESPONSE:
            return f"{MOST_IN_A_RESPONSE} uses of tools in one response are the most: this one was not run"
        if len(self._run) >= MOST_IN_A_CALL:
            return f"tools were used {MOST_IN_A_CALL} times in this call, which is the most: go on without them"
        return ""

    def returned(self, call_id: str) -> bool:
        """Take a call's output. Returns whether every call of the same response has come to something."""
        response_id = self._running.pop(call_id, "")
        return response_id not in self._running.values()

    def made_by(self, response_id: str) -> bool:
        """Return whether a response made calls."""
        return bool(self._in_response) and self._response_id == response_id

    def running_of(self, response_id: str) -> bool:
        """Return whether calls of a response are running."""
        return response_id in self._running.values()

    def answered(self) -> None:
        """The caller got an answer, or spoke."""
        self.in_a_row = 0
