"""What the calls that agents answer share, and the limits that hold for each of them. Knows no call.

Both are made once, by `hub.app`, for all agents' calls of the hub.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hub.agents.webhooks import Webhooks
from hub.ops.counters import Counters
from hub.twilio.rest import TwilioAccount

AGENT_PARAMETER = "agent"
"""The stream's <Parameter> that names the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """How many calls agents answer at once, and how long each step of such a call may take."""

    calls: int
    """Most calls that agents answer at once: each is a session that is paid for."""
    call_seconds: float
    """The longest an agent stays on a call."""
    quiet_seconds: float = 60.0
    """A stream without a frame for so long is lost: Twilio sends 50 per second, silence included, and no close when a tunnel breaks."""
    answer_seconds: float = 15.0
    """How long a model may take to answer: a second or two is normal, and the caller hears silence. After half of it, it is asked again."""
    look_seconds: float = 5.0
    """How often the call looks whether any of this takes too long."""
    leave_seconds: float = 15.0
    """How long an agent that hangs up or transfers may take to say goodbye."""
    pass_on_seconds: float = 30.0
    """How long a call that goes on without the agent is waited for: its TwiML has an apology to say first."""
    come_back_seconds: float = 3.0
    """How long any other call whose stream is over is waited for: if the call goes on, Twilio begins another stream in a second or two."""
    stale_seconds: float = 3.0
    """A stream without a frame for so long may be replaced by another one of its call: Twilio has one such stream per call, so the first is
    dead, though its socket may stay open for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentContext:
    """What all agents' calls of a hub share."""

    webhooks: Webhooks
    account: TwilioAccount | None
    """None where no agent can hang up or transfer."""
    counters: Counters
    clock: Callable[[], float]
    """Monotonic seconds."""
    wall: Callable[[], float]
    """Unix seconds."""
    reachable: bool
    """Whether Twilio has an address for a further stream of a call, so that a call that goes on without its agent is heard again."""
