"""The response that is being made, what was asked for, and what is wrong with one that has ended. Pure.

A response may end well and say nothing: with text and no sound, with neither, cut off in its middle by a limit or a filter. The caller
hears the same silence each time. So a response counts as an answer only if it was said to its end, or used tools.
"""

from typing import Final

from hub.agents.voice_model import ResponseEnded

MOST_FAILURES: Final = 2
"""Responses in a row that may fail: one is asked for again, for a failure often passes, and a second ends the agent's part."""


class Responses:
    """The responses of one conversation."""

    def __init__(self) -> None:
        self.id = ""
        """The response that is being made. Only meaningful while there is one."""
        self.sounded = False
        """Whether any of it has sound."""
        self.dropped_id: str | None = None
        """A response that was given up: its end, when it comes, means nothing. None while there is none."""
        self.instructions = ""
        """Those of the newest response that the hub asked for, for another try. Empty once the caller has spoken."""
        self.asked_again = False
        """Whether the response that is due was asked for a second time."""
        self._failures = 0
        """Responses that were no answer since one was."""

    def started(self, response_id: str) -> None:
        """Take a new response."""
        self.id, self.sounded, self.asked_again = response_id, False, False

    def is_current(self, response_id: str) -> bool:
        """Return whether an event may be about the response that is being made: not every server names it."""
        return not response_id or not self.id or response_id == self.id

    def problem(self, ended: ResponseEnded, *, used_tools: bool) -> str:
        """Return what is wrong with a response that nobody interrupted, as the rest of a sentence. Empty when nothing is."""
        match ended.status:
            case "failed":
                return ended.problem or "could not answer"
            case "incomplete":
                return ended.problem or "stopped in the middle of an answer"
            case "cancelled":
                return "broke off an answer"
            case "completed":
                return "" if self.sounded or used_tools else "answered without a sound"

    def answered(self) -> None:
        """The caller got an answer."""
        self._failures = 0

    def failed(self, *, retryable: bool) -> bool:
        """Count a failure. Returns whether the response may be asked for once more."""
        self._failures += 1
        return retryable and self._failures < MOST_FAILURES
