"""A webhook: one receiver outside, and what it is sent.

Pure. Does not know how anything is sent, nor how a file says it.
"""

from dataclasses import dataclass, field
from typing import get_args

from hub.archive.archive import Facts
from hub.config import Network
from hub.events import DurableEvent

ALL = "*"
"""In `events`: every type."""

KNOWN = frozenset(str(kind.__struct_config__.tag) for kind in get_args(DurableEvent))
"""The types of events that can be sent. Interims are none of them: what replaces them is not missed."""

DEFAULT_EVENTS = ("call-ended", "alert", "alert-withdrawn")
"""What a webhook is sent whose file does not say."""

TIMEOUT_SECONDS = 15.0
"""How long a receiver may take to answer, from the first byte of a connection on, unless the file says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One receiver, and what it is sent."""

    name: str
    url: str
    keys: tuple[bytes, ...] = field(repr=False)
    """Each message is signed with all of them, so that a receiver may change from one to the next."""
    events: frozenset[str] | None
    """Types of events. None: all."""
    agents: frozenset[str] = frozenset()
    """Only calls that these voice agents or people answer. Empty: all calls."""
    queues: frozenset[str] = frozenset()
    """Only calls of these queues. Empty: all calls."""
    numbers: frozenset[str] = frozenset()
    """Only calls from or to these numbers. Empty: all calls."""
    record: bool = True
    """Whether `call-ended` brings the record of the call along."""
    timeout_seconds: float = TIMEOUT_SECONDS
    networks: tuple[Network, ...] = ()
    """Private networks in which its receiver may be."""

    def wants(self, facts: Facts) -> bool:
        """Return whether a call is one of those that it is told of."""
        if self.agents and facts.agent not in self.agents:
            return False
        if self.queues and facts.queue not in self.queues:
            return False
        return not self.numbers or not self.numbers.isdisjoint({facts.from_, facts.to})
