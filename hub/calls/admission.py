"""Whether the hub takes new calls: not when it has HUB_CALLS already, and not when its core is used up.

A hub with more calls than its core carries is late for all of them, and later with each second. So new calls are refused before that: they
go on without a stream, while the calls that are in are served in time.

**Why busy and not late decides.** Lateness shows only when it has happened. 1,000 calls that arrive within ten seconds fill a core in six
of them, and the loop is late for all before a second has been measured. The share of time that the loop computes grows with each call, so
calls can be refused from `full_share` on. It is measured over two seconds, in which 200 more calls may begin: their cost is added.
Lateness remains as the second sign, for a core that others use up.

Once new calls are refused, that holds until the load is clearly lower, so that a load balancer is not told one thing and then another.
Knows loads and counts. Does not know HTTP, or how a call goes on without a stream.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hub.errors import HubError
from hub.ops.load import BUSY_PULSES, PULSE_SECONDS, Load

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """When new calls are refused. Each pair has a second number, at which they are taken again."""

    calls: int = 0
    """Most calls at the same time. 0: as many as the core carries."""
    full_share: float = 0.8
    """How busy the loop may be. At 80 %, 99 of 100 blocks leave within 0.1 s. At 90 % some are later than 0.25 s: the rest is needed for
    what comes in bursts, such as subscribers who come back all at once."""
    room_share: float = 0.7
    late_seconds: float = 0.1
    """How late the loop may be: 0.1 s is a block of every call's audio."""
    timely_seconds: float = 0.05


CALL_SHARE = 0.0013
"""What a call costs on the test machine, as a share of its core (`make bench`). It matters only for calls that began in the last two
seconds: what earlier ones cost is measured."""

SETTLED_SECONDS = BUSY_PULSES * PULSE_SECONDS
"""After this time a new call's cost is in what is measured. Until then, half of it is, on average."""

EPISODE_SECONDS = 10.0
"""The log says that calls are taken again when none was refused for so long: a hub at its limit takes one and refuses one all day."""


class Overloaded(HubError):
    """The event loop has no time for another call."""

    code = "overloaded"

    def __init__(self, busy: float, late: float, live: int) -> None:
        self.busy = busy
        self.late = late
        self.live = live
        super().__init__(f"the hub is at its limit: {live} calls keep it {busy:.0%} busy, and its event loop is {late * 1000:.0f} ms late")


class Full(HubError):
    """The hub has as many calls as it may."""

    code = "full"

    def __init__(self, calls: int) -> None:
        self.calls = calls
        super().__init__(f"the hub has {calls} calls already (HUB_CALLS)")


class Admission:
    """Decides about each new call. One per hub."""

    def __init__(self, load: Load, limits: AdmissionLimits, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._load = load
        self._limits = limits
        self._clock = clock
        self._begun: deque[float] = deque()
        """When the calls began whose cost is not in the measurement yet."""
        self._overloaded = False
        """Whether calls are refused until the load is clearly lower."""
        self._refused = 0
        """Calls refused in this episode. 0 outside of one."""
        self._episode_at = 0.0
        """When this episode began."""
        self._refused_at = 0.0
        """When a call was last refused."""

    def refusal(self, live: int) -> HubError | None:
        """Return why a new call would be refused now; None if it is taken. `live`: how many calls are live."""
        limits = self._limits
        if limits.calls and live >= limits.calls:
            return Full(limits.calls)
        busy, late = self._expected(), self._load.late
        if self._overloaded:
            self._overloaded = busy >= limits.room_share or late >= limits.timely_seconds
        else:
            self._overloaded = busy >= limits.full_share or late >= limits.late_seconds
        return Overloaded(busy, late, live) if self._overloaded else None

    def began(self) -> None:
        """Count a call that was taken."""
        self._begun.append(self._clock())

    def refused(self, why: HubError) -> None:
        """Count a call that was refused. The first one of an episode is told in the log."""
        self._refused_at = self._clock()
        if not self._refused:
            self._episode_at = self._refused_at
            log.warning("new calls are refused and go on without a stream: %s", why)
        self._refused += 1

    async def watch(self, live: Callable[[], int]) -> None:
        """Measure the load, and end episodes, until cancelled. `live`: how many calls are live."""
        while True:
            await self._load.pulse()
            over = self.refusal(live()) is None and self._clock() - self._refused_at >= EPISODE_SECONDS
            if self._refused and over:
                seconds = self._refused_at - self._episode_at
                log.warning("new calls are taken again: %d were refused in %.0f s", self._refused, seconds)
                self._refused = 0

    def _expected(self) -> float:
        """Return how busy the loop will be with the calls that have begun."""
        settled_before = self._clock() - SETTLED_SECONDS
        while self._begun and self._begun[0] < settled_before:
            self._begun.popleft()
        return min(1.0, self._load.busy + len(self._begun) * CALL_SHARE / 2)
