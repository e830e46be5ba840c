"""The alerts of a call, as lists show them."""

from hub.events import Alert, AlertSummary, AlertWithdrawn
from hub.transcript.alerts import NEWEST, Alerts


def alert(offset: int) -> Alert:
    return Alert(call_sid="CA1", offset=offset, rule=f"r{offset}", kind="phrase", summary=f"s{offset}", start=float(offset), end=9.0)


def withdrawn(offset: int, reason: str = "wrong") -> AlertWithdrawn:
    return AlertWithdrawn(call_sid="CA1", alert=offset, rule=f"r{offset}", reason=reason, left=0)  # type: ignore[arg-type]


def test_a_call_has_the_number_of_its_alerts_and_the_newest_that_was_right() -> None:
    alerts = Alerts()
    assert alerts.summary is None
    for offset in (1, 2, 3):
        alerts.apply(alert(offset))
    assert alerts.summary == AlertSummary(count=3, rule="r3", summary="s3", time=3.0)
    alerts.apply(withdrawn(3))
    assert alerts.summary == AlertSummary(count=2, rule="r2", summary="s2", time=2.0)
    alerts.apply(withdrawn(2, "over"))
    assert alerts.summary == AlertSummary(count=2, rule="r2", summary="s2", time=2.0), "it was right while it lasted"
    for offset in (1, 2):
        alerts.apply(withdrawn(offset))
    assert alerts.summary is None


def test_of_many_alerts_the_number_is_kept_and_a_few() -> None:
    alerts = Alerts()
    for offset in range(1, 1001):
        alerts.apply(alert(offset))
    alerts.apply(withdrawn(1))
    summary = alerts.summary
    assert summary is not None
    assert (summary.count, summary.rule) == (999, "r1000")
    assert len(alerts._newest) == NEWEST


def test_whoever_has_only_a_summary_counts_on() -> None:
    alerts = Alerts(AlertSummary(count=5, rule="old", summary="s", time=1.0))
    alerts.apply(alert(7))
    assert alerts.summary == AlertSummary(count=6, rule="r7", summary="s7", time=7.0)
    alerts.apply(withdrawn(7))
    assert alerts.summary == AlertSummary(count=5, rule="old", summary="s", time=1.0)
