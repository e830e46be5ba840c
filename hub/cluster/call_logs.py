"""Reads the events of a call of another node: from the broker, otherwise from the archive. Knows where logs are kept. Keeps nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hub.broker.broker import Broker, BrokerError
from hub.errors import HubError
from hub.topics.past import Past
from hub.topics.record import Record


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A call's events, as they are stored."""

    first: int
    """Offset of the first."""
    payloads: Sequence[bytes]
    generation: int
    """Of the owner that has stored them, as far as is known."""
    past: Past | None = None
    """What they say, if they were read already."""


class CallLogs:
    """The logs of other nodes' calls."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.archived: Callable[[str], Awaitable[tuple[str, Past] | None]] | None = None
        """Reads a call from the archive: its epoch, and its events from the first one on. None without an archive."""

    async def read(self, record: Record) -> FoundLog:
        """Return all events of a call. Raises: BrokerError if they can be read nowhere now."""
        epoch = record.topic.log.epoch
        problem = "the broker does not have this call any more"
        try:
            logged = await self._broker.log(record.call_sid)
            if logged is not None and logged.epoch == epoch and logged.payloads:
                return FoundLog(logged.first, logged.payloads, logged.generation)
        except BrokerError as error:
            problem = error.problem
        if self.archived is not None:
            try:
                stored = await self.archived(record.call_sid)
            except HubError as error:
                raise BrokerError(f"{problem}, and {error}") from error
            if stored is not None and stored[0] == epoch:
                return FoundLog(1, stored[1].payloads, record.generation, stored[1])
        raise BrokerError(problem)
