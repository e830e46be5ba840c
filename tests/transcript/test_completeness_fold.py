"""A record's completeness is a fold over its log: whoever has the events can say of the call what the hub says."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub import events
from hub.audio.g711 import TRACKS
from hub.audio.timeline import StereoTimeline
from hub.calls.condition import Condition
from hub.calls.publisher import Publisher
from hub.events import TranscriberName
from hub.topics.registry import Registry
from hub.transcribers.transcriber import Lost, Report, Restored, Switched
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.transcript.completeness import Findings
from tests.calls.call_desk import CALL, published

seconds = st.floats(0, 600).map(lambda at: round(at, 3))
tracks = st.sampled_from(TRACKS)
reasons = st.sampled_from(["refused the key (401): check it", "lost the connection"])
reports: st.SearchStrategy[Report] = st.one_of(
    st.builds(Recognized, tracks, seconds, seconds, st.sampled_from(["", "hello"]), st.just(True), st.just(True)),
    st.builds(NotTranscribed, tracks, seconds, seconds, st.just("no stream")),
    st.builds(Lost, st.just("deepgram"), reasons, st.integers(0, 2)),
    st.builds(Restored, st.just("deepgram"), st.just("connected again"), st.just(1)),
    st.builds(Switched, st.just("assemblyai"), reasons, st.just(0)),
)  # fmt: skip
parts = st.lists(st.tuples(st.lists(reports, max_size=6), st.integers(0, 3), st.booleans()), min_size=1, max_size=3)
"""Of each part of a call: what is reported, of how many frames one is lost, and whether last words are missing."""


@settings(deadline=None, max_examples=50)
@given(parts)
@example([([], 0, False), ([], 0, True)])
@example([([], 3, True), ([], 0, True)])
def test_whoever_has_the_events_says_of_a_call_what_the_hub_says_live_and_ended(call: list[tuple[list[Report], int, bool]]) -> None:
    registry = Registry(keep_seconds=60, clock=lambda: 0.0, wall=lambda: 0.0, soon=lambda _: None)
    record = registry.open(CALL)
    publisher = Publisher(record, registry)
    missing = False
    for told, lose, complete in call:
        publisher.began("MZ1", {}, list(TRACKS), TranscriberName(provider="deepgram", model="nova-3"))
        timeline = StereoTimeline()
        if record.left_off is not None:
            timeline.skip_to(record.left_off.call_ms)
            timeline.go_on(record.left_off.lost)
        timeline.expect(list(TRACKS))
        condition = Condition(publisher, timeline)
        _talk(timeline, condition, lose)
        for report in told:
            publisher.report(report)
            assert _folded(record).completeness(ended=False) == record.summary().completeness
        publisher.ended("completed", timeline.end_ms, {}, complete=complete, lost=timeline.lost())
        missing = missing or not complete or timeline.lost_percent() >= 1
        found = record.summary().completeness
        assert _folded(record).completeness(ended=True) == found
        assert found.state != "complete" or not missing, "what an earlier part missed stays missing"
        assert (found.state == "complete") == (found.summary == "complete")


def _talk(timeline: StereoTimeline, condition: Condition, lose: int) -> None:
    first = round(timeline.end_ms)
    for number in range(600):
        for track in TRACKS:
            if not lose or number % 4 >= lose:
                timeline.add(track, first + number * 20, b"\x01" * 160)
    for block in timeline.finish():
        condition.look(block)


def _folded(record: Any) -> Findings:
    findings = Findings()
    for event in published(record):
        findings.apply(event)
        if isinstance(event, events.ConditionChanged | events.CallEnded):
            assert findings.completeness(ended=isinstance(event, events.CallEnded)) == event.completeness
    return findings
