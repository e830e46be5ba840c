"""What the rules make of a call: alerts, each once, and taken back where a final has other words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.events import LAST_REVISION, Alert, AlertWithdrawn, Durable, Final, Gap, TranscriberLost, TranscriberRestored, Word
from tests.insight.watched_call import SID, WatchedCall

CANCEL = '[rules.cancel]\nphrases = ["cancel my account", "close it"]\n'
SILENT = "[rules.silent]\nsilence_seconds = 20\n"


def test_a_phrase_in_a_final_is_told_at_once_with_the_words_and_their_times() -> None:
    call = WatchedCall(CANCEL)
    call.final("Please cancel my ACCOUNT, or close it.")
    (alert,) = call.alerts
    assert (alert.rule, alert.kind, alert.utterance, alert.interim) == ("cancel", "phrase", "inbound-1", False)
    assert (alert.text, alert.summary) == ("cancel my ACCOUNT", "“cancel my ACCOUNT”")
    assert (alert.track, alert.speaker, alert.start, alert.end) == ("inbound", "caller", 1.0, 3.5)
    assert call.log[-1] == alert
    call.final("cancel my account", "inbound-2")
    assert len(call.alerts) == 2, "once per utterance"


def test_words_without_times_of_their_own_have_those_of_the_utterance() -> None:
    call = WatchedCall(CANCEL)
    call.final("cancel my account", start=4.0, end=6.0, words=[])
    assert (call.alerts[0].start, call.alerts[0].end) == (4.0, 6.0)


def test_a_phrase_in_interims_is_told_when_it_has_held_for_a_second_and_the_final_is_not_told_again() -> None:
    call = WatchedCall(CANCEL)
    call.interim("cancel my")
    call.interim("cancel my account", after=0.3)
    call.look(after=0.9)
    assert call.alerts == []
    call.interim("cancel my account because", after=0.1)
    (alert,) = call.alerts
    assert (alert.interim, alert.text, alert.utterance) == (True, "cancel my account", "inbound-1")
    call.interim("cancel my account because it", after=5.0)
    call.final("Cancel my account because it is late")
    assert (len(call.alerts), call.withdrawn) == (1, [])


def test_a_phrase_that_nobody_revises_is_told_by_the_clock() -> None:
    call = WatchedCall(CANCEL)
    call.interim("cancel my account")
    assert call.watch.holds
    call.look(after=0.99)
    assert call.alerts == []
    call.look(after=0.01)
    assert len(call.alerts) == 1
    assert not call.watch.holds


def test_a_phrase_that_is_taken_back_within_a_second_is_not_told() -> None:
    call = WatchedCall(CANCEL)
    call.interim("cancel my account")
    call.interim("cancel my amount", after=0.9)
    call.interim("cancel my account", after=0.05)
    call.look(after=0.9)
    assert call.alerts == []
    call.final("counsel my count")
    call.look(after=9.0)
    assert (call.alerts, call.withdrawn, call.watch.holds) == ([], [], False)


def test_an_alert_is_withdrawn_if_the_final_has_other_words() -> None:
    call = WatchedCall(CANCEL)
    call.interim("cancel my account")
    call.look(after=1.0)
    call.final("can sell my count")
    (alert,), (withdrawn,) = call.alerts, call.withdrawn
    assert (withdrawn.alert, withdrawn.rule, withdrawn.utterance, withdrawn.track) == (alert.offset, "cancel", "inbound-1", "inbound")
    assert (withdrawn.reason, withdrawn.left) == ("wrong", 0)
    call.interim("cancel my account", "inbound-2")
    call.look(after=1.0)
    call.final("", "inbound-2")
    assert len(call.withdrawn) == 2, "the provider took its interims back"


def test_an_alert_stays_whose_final_nobody_can_know() -> None:
    call = WatchedCall(CANCEL)
    call.interim("cancel my account")
    call.look(after=1.0)
    call.final("", revision=LAST_REVISION)
    assert (len(call.alerts), call.withdrawn) == (1, [])


def test_what_nobody_has_heard_is_not_told() -> None:
    call = WatchedCall(CANCEL)
    call.final("cancel my account", "outbound-1", unspoken=True)
    assert call.alerts == []


@pytest.mark.parametrize(
    ("field", "started", "utterance", "told"),
    [
        ('side = "inbound"', {}, "inbound-1", True),
        ('side = "inbound"', {}, "outbound-1", False),
        ('agents = ["sales", "desk"]', {"agent": "desk"}, "inbound-1", True),
        ('agents = ["sales"]', {"agent": "desk"}, "inbound-1", False),
        ('agents = ["sales"]', {}, "inbound-1", False),
        ('numbers = ["+14155550100"]', {"to": "+14155550100"}, "inbound-1", True),
        ('numbers = ["+1 (415) 555-0100"]', {"from_": "+14155550100"}, "inbound-1", True),
        ('numbers = ["+14155550100"]', {"to": "+14155550101"}, "inbound-1", False),
    ],
)
def test_a_rule_is_for_a_side_an_agent_or_a_number(field: str, started: dict[str, str], utterance: str, told: bool) -> None:
    call = WatchedCall(CANCEL + field, **started)
    call.final("cancel my account", utterance)
    assert bool(call.alerts) == told


def test_a_number_that_becomes_known_later_counts_from_then_on() -> None:
    call = WatchedCall(CANCEL + 'numbers = ["+14155550100"]')
    call.final("cancel my account")
    call.start(to="+14155550100")
    call.final("cancel my account", "inbound-2")
    assert [alert.utterance for alert in call.alerts] == ["inbound-2"]


def test_a_silence_is_told_once_and_the_next_one_again() -> None:
    call = WatchedCall(SILENT)
    call.final("hello", end=3.0)
    call.look(call_seconds=23.9)
    assert call.alerts == []
    call.look(call_seconds=24.0)
    call.look(call_seconds=60.0)
    (alert,) = call.alerts
    assert (alert.kind, alert.summary, alert.track, alert.start, alert.end) == ("silence", "nobody speaks for 20 s", None, 3.0, 23.0)
    call.final("late words of before", "outbound-1", end=4.0)
    call.look(call_seconds=61.0)
    assert len(call.alerts) == 1, "it is the same silence"
    call.final("are you there?", "outbound-2", start=61.0, end=62.0)
    (over,) = call.withdrawn
    assert (over.reason, over.alert, over.left, call.log[-1]) == ("over", alert.offset, 0, over)
    call.look(call_seconds=83.0)
    assert [alert.start for alert in call.alerts] == [3.0, 62.0]


def test_a_silence_of_one_side_is_not_ended_by_the_other_and_interims_are_speech_too() -> None:
    call = WatchedCall(SILENT + 'side = "outbound"')
    call.final("I am waiting", end=15.0)
    call.look(call_seconds=21.0)
    assert [(alert.summary, alert.track, alert.speaker) for alert in call.alerts] == [("outbound is silent for 20 s", "outbound", "desk")]
    call.final("still waiting", "inbound-2", end=30.0)
    call.interim("one mo", "outbound-1", end=40.0)
    assert [(over.reason, over.track) for over in call.withdrawn] == [("over", "outbound")]
    call.look(call_seconds=50.0)
    assert len(call.alerts) == 1
    call.look(call_seconds=61.0)
    assert len(call.alerts) == 2


def test_while_nobody_transcribes_there_is_no_silence() -> None:
    call = WatchedCall(SILENT)
    call.publish(TranscriberLost(call_sid=SID, provider="p", reason="r", attempt=1))
    call.look(call_seconds=40.0)
    call.publish(TranscriberRestored(call_sid=SID, provider="p", reason="r", attempt=1))
    call.look(call_seconds=60.0)
    assert call.alerts == []
    call.look(call_seconds=61.0)
    assert len(call.alerts) == 1


def test_what_was_not_heard_is_no_silence() -> None:
    call = WatchedCall(SILENT)
    call.publish(Gap(call_sid=SID, track="inbound", start=0.0, end=30.0, reason="no stream"))
    call.look(call_seconds=50.0)
    assert call.alerts == []
    call.look(call_seconds=51.0)
    assert [alert.start for alert in call.alerts] == [30.0]


def test_a_call_that_lasts_is_told_once_and_not_after_its_end() -> None:
    call = WatchedCall("[rules.long]\ncall_seconds = 60\n[rules.longer]\ncall_seconds = 600\n")
    call.look(call_seconds=59.0)
    assert call.alerts == []
    call.look(call_seconds=61.0)
    call.look(call_seconds=62.0)
    assert call.told == [("long", "the call lasts longer than 60 s")]
    call.end()
    call.look(call_seconds=700.0)
    assert len(call.alerts) == 1


def test_a_talk_share_is_told_once_when_enough_was_said() -> None:
    call = WatchedCall('[rules.talks]\ntalk_share_percent = 75\nside = "outbound"\nafter_seconds = 20\n')
    call.final("a lot", "outbound-1", start=0.0, end=15.0, words=[])
    call.final("yes", "inbound-1", start=15.0, end=19.0, words=[])
    assert call.alerts == []
    call.final("more", "outbound-2", start=19.0, end=24.0, words=[])
    call.final("more", "outbound-3", start=24.0, end=34.0, words=[])
    (alert,) = call.alerts
    assert (alert.kind, alert.summary, alert.track, alert.end) == ("talk-share", "outbound has 83 % of the talk", "outbound", 24.0)
    assert call.statistics.talk_share("outbound") == pytest.approx(30 / 34, abs=1e-4), "of the whole log, as its statistics have it"


def test_a_pause_within_an_utterance_is_no_talk_for_a_rule_either() -> None:
    """The statistics count words with a breath between them, and a rule looks at nothing else."""
    call = WatchedCall('[rules.talks]\ntalk_share_percent = 50\nside = "outbound"\nafter_seconds = 5\n')
    call.final("well", "outbound-1", start=0.0, end=30.0, words=[Word(text="well", start=0.0, end=1.0)])
    call.final("yes", "inbound-1", start=30.0, end=40.0, words=[])
    assert (call.alerts, call.statistics.talk_seconds) == ([], 11.0)


RULES = CANCEL + '[rules.refund]\nphrases = ["refund"]\n' + SILENT + "[rules.long]\ncall_seconds = 30\n"
TEXTS = ["hello", "cancel my account", "a refund", "refund and close it", ""]
STEPS = st.lists(st.tuples(st.sampled_from(["interim", "final", "look"]), st.sampled_from(TEXTS), st.booleans()), max_size=12)


def act(call: WatchedCall, steps: list[tuple[str, str, bool]], first: int = 1) -> None:
    """Let both sides speak. An utterance is open from its first interim to its final."""
    numbers = {True: first, False: first}
    for at, (step, text, inbound) in enumerate(steps):
        utterance = f"{'inbound' if inbound else 'outbound'}-{numbers[inbound]}"
        if step == "look":
            call.look(after=1.0, call_seconds=at * 11.0)
        elif step == "interim":
            call.interim(text, utterance, after=0.5, start=at * 11.0, end=at * 11.0 + 1)
        else:
            call.final(text, utterance, start=at * 11.0, end=at * 11.0 + 1)
            numbers[inbound] += 1


def standing(log: list[Durable]) -> list[tuple[str, str | None]]:
    gone = {event.alert for event in log if isinstance(event, AlertWithdrawn)}
    return sorted((event.rule, event.utterance) for event in log if isinstance(event, Alert) and event.offset not in gone)


@given(STEPS, st.integers(0, 60))
@settings(max_examples=100)
def test_a_process_that_goes_on_at_any_event_tells_nothing_twice_and_loses_nothing(steps: list[tuple[str, str, bool]], cut: int) -> None:
    whole = WatchedCall(RULES)
    act(whole, steps)
    kept = whole.log[: 1 + cut % len(whole.log)]
    after = WatchedCall(RULES, kept)
    after.go_on()
    told = standing(after.log)
    assert len(told) == len(set(told)), "once per rule and utterance"
    said = {event.utterance: event for event in kept if isinstance(event, Final)}
    for utterance, final in said.items():
        expected = [
            rule for rule, words in (("cancel", ("cancel", "close")), ("refund", ("refund",))) if any(w in final.text for w in words)
        ]
        assert [rule for rule, of in told if of == utterance] == expected
    again = WatchedCall(RULES, list(after.log))
    again.go_on()
    assert again.log == after.log, "nothing more is owed"


def test_rules_that_changed_meanwhile_say_nothing_about_what_was_said_before() -> None:
    before = WatchedCall(CANCEL)
    before.final("a refund")
    before.final("cancel my account", "inbound-2")
    before.final("goodbye", "inbound-3")
    after = WatchedCall(RULES, before.log)
    after.go_on()
    assert after.told == before.told
    after.final("a refund", "inbound-4")
    assert [alert.rule for alert in after.alerts] == ["cancel", "refund"]
