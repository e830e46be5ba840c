"""Rules that are tried on a log say what they would have said while the call lived."""

import pytest

from hub.events import Alert, encode
from hub.insight.rule_file import read_rules
from hub.insight.trial import tried
from tests.insight.watched_call import WatchedCall

RULES = """
[rules.cancel]
phrases = ["cancel my account"]
[rules.silent]
silence_seconds = 20
[rules.quiet]
silence_seconds = 30
side = "outbound"
[rules.long]
call_seconds = 100
[rules.talks]
talk_share_percent = 70
side = "inbound"
after_seconds = 30
"""

SCRIPT = [
    (1.0, 4.0, "inbound-1", "good morning I want to cancel my account"),
    (3.0, 39.0, "outbound-1", "let me explain at length why you should not cancel"),
    (10.0, 11.0, "inbound-2", "hm"),
    (62.0, 63.0, "inbound-3", "are you there"),
    (64.0, 66.0, "outbound-2", "yes"),
    (70.0, 71.0, "inbound-4", "cancel my account"),
    (101.0, 102.0, "inbound-5", "hello"),
]


def lived() -> WatchedCall:
    """The call as it lived: interims from half a second after the start of each utterance, a final at its end, ten looks per second."""
    call = WatchedCall(RULES)
    for tenth in range(1110):
        now = tenth / 10
        for start, end, utterance, text in SCRIPT:
            if start + 0.5 <= now < end:
                call.interim("hm", utterance, start=start, end=now)
            elif end <= now < end + 0.1:
                call.final(text, utterance, start=start, end=end, words=[])
        call.look(after=0.1, call_seconds=now)
    call.end(111.0)
    return call


def brief(alerts: list[Alert]) -> list[tuple[str, str, float]]:
    return sorted((alert.rule, alert.utterance or "", alert.start) for alert in alerts)


def test_the_alerts_are_those_of_the_call_as_it_lived() -> None:
    call = lived()
    found = tried(read_rules(RULES), [encode(event) for event in call.log])
    assert {alert.rule for alert in found} == {"cancel", "silent", "quiet", "long"}
    assert brief(found) == brief(call.alerts)


@pytest.mark.parametrize("payloads", [[], [b'{"type":"of-a-newer-hub"}'], [b"nothing"]])
def test_a_log_without_events_that_are_known_has_no_alerts(payloads: list[bytes]) -> None:
    assert tried(read_rules(RULES), payloads) == []
