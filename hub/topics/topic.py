"""The pub/sub stream of one call: its log, and the audience that follows it."""

from collections.abc import Callable

from hub.topics.audience import Audience
from hub.topics.log import LOG_BYTES, Log


class Topic:
    """One call's log and audience. Events come in by `hub.calls.publisher` alone."""

    __slots__ = ("audience", "call_sid", "log")

    def __init__(
        self,
        call_sid: str,
        epoch: str,
        clock: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
        log_bytes: int = LOG_BYTES,
    ) -> None:
        """`clock` gives Unix seconds for `at`; `soon` runs a callback in a later turn of the event loop; `log_bytes` bounds the log."""
        self.call_sid = call_sid
        self.log = Log(epoch, clock, log_bytes)
        self.audience = Audience(self.log, clock, soon)
