"""Runs the rules of the watchwords over the log of a call that is over, as if it were live. Pure.

A log has no interims, so phrases are found in finals only, and nobody sees how long words took to come. Silences are told all the same,
by the times at which people began to speak.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from hub.events import Alert, AlertWithdrawn, CallEnded, Durable, Final, Gap, decode_durable
from hub.insight.call_watch import LATE_SECONDS, CallWatch
from hub.insight.rules import Watchwords
from hub.insight.statistics import RunningStatistics
from hub.insight.watched import Watched


def tried(watchwords: Watchwords, payloads: Iterable[bytes]) -> list[Alert]:
    """Return the alerts that rules would have made in a call, in the order of call time. `payloads`: its whole log.

    Alerts that are in the log already are left aside. They are those of other rules, or of these.
    """
    trial = _Trial(watchwords)
    for at, event in _in_call_time(payloads):
        trial.take(event, at)
    return trial.alerts


def _in_call_time(payloads: Iterable[bytes]) -> list[tuple[float, Durable]]:
    """Return events with their call time, in its order: what has none stands behind what is known by then.

    A log is in the order in which utterances ended. A long one of one side may have begun before a short one of the other.
    """
    timed: list[tuple[float, Durable]] = []
    reached = 0.0
    for payload in payloads:
        match event := decode_durable(payload):
            case None | Alert() | AlertWithdrawn():
                continue
            case Final(start=start, end=end) | Gap(start=start, end=end):
                reached = max(reached, end)
                timed.append((start, event))
            case CallEnded(duration=duration):
                reached = max(reached, duration)
                timed.append((reached, event))
            case _:
                timed.append((reached, event))
    return sorted(timed, key=lambda each: each[0])


class _Trial:
    """One call that is gone through."""

    def __init__(self, watchwords: Watchwords) -> None:
        self.alerts: list[Alert] = []
        self._watch = CallWatch(watchwords, Watched())
        self._statistics = RunningStatistics()
        self._offset = 0

    def take(self, event: Durable, at: float) -> None:
        """Take the next event, at its call time."""
        if isinstance(event, CallEnded):
            self._add(self._watch.look(at, at))
        elif isinstance(event, Final) and event.text:
            self._add(self._watch.look(at, at + LATE_SECONDS))
        self._apply(event)

    def _add(self, due: Iterable[Durable]) -> None:
        for event in due:
            self._apply(event)

    def _apply(self, event: Durable) -> None:
        self._offset += 1
        event = replace(event, offset=self._offset)
        if isinstance(event, Alert):
            self.alerts.append(event)
        self._statistics.apply(event)
        self._add(self._watch.apply(event, self._statistics))
