"""What all transcribed calls of a hub share, and how long they wait."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.calls.bookmark import Notes
from hub.topics.registry import Registry
from hub.twilio.rest import TwilioAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long a call waits for its streams."""

    quiet_seconds: float = 60.0
    """A stream without a frame for so long is lost: Twilio sends 50 per second and track, silence included, and no close when a tunnel
    breaks."""

    grace_seconds: float = 5.0
    """How long a call whose stream broke waits for another one before it ends as `stream-lost`, where Twilio cannot be asked for one."""


DEADLINES = Deadlines()


@dataclass(frozen=True, slots=True)
class CallContext:
    """What all transcribed calls of a hub share."""

    registry: Registry
    clock: Callable[[], float]
    """Monotonic seconds."""
    account: TwilioAccount | None = None
    """Twilio's account: it can send streams again and knows numbers. None where there is none."""
    notes: Notes | None = None
    """Where it is noted how far live calls are published. None where nothing outlives the process."""
    deadlines: Deadlines = DEADLINES
