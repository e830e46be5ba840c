"""What the rules of the watchwords found in a call, as lists show it. A fold over the log; pure."""

from msgspec.structs import replace

from hub.events import Alert, AlertSummary, AlertWithdrawn

NEWEST = 16
"""Alerts of which more is kept than their number: when the newest is withdrawn, the one before it is shown."""


class Alerts:
    """The alerts of one call, without those that were wrong: `apply` each event about them, in order."""

    __slots__ = ("_count", "_newest")

    def __init__(self, summary: AlertSummary | None = None) -> None:
        """`summary`: of a call whose events so far are not here."""
        self._count = summary.count if summary is not None else 0
        self._newest: dict[int, AlertSummary] = {0: summary} if summary is not None else {}
        """By offset, the newest last. The offset of one that was told in a summary is not known."""

    def apply(self, event: Alert | AlertWithdrawn) -> None:
        """Take the next alert, or take one back."""
        if isinstance(event, AlertWithdrawn):
            if event.reason == "over":  # it was right
                return
            self._count = max(0, self._count - 1)
            self._newest.pop(event.alert, None)
            return
        self._count += 1
        if len(self._newest) == NEWEST:
            del self._newest[next(iter(self._newest))]
        self._newest[event.offset] = AlertSummary(count=0, rule=event.rule, summary=event.summary, time=event.start)

    @property
    def summary(self) -> AlertSummary | None:
        """How many there are, and the newest. None where there are none."""
        newest = next(reversed(self._newest.values()), None) if self._count else None
        return replace(newest, count=self._count) if newest is not None else None
