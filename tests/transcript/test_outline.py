"""What the events of a call say of the call as a whole."""

from hub.events import (
    CallEnded,
    CallStarted,
    Final,
    Gap,
    RecordingErased,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
    TranscriberName,
)  # fmt: skip
from hub.transcript.lines import finals
from hub.transcript.outline import Outline
from tests.completeness import COMPLETE

NAME = TranscriberName(provider="deepgram", model="nova-3")


def started(at: str = "t1", **more: object) -> CallStarted:
    facts: dict[str, object] = {"speakers": {"inbound": "caller", "outbound": "callee"}, "stream_sid": "MZ1"} | more
    return CallStarted(call_sid="CA1", at=at, tracks=["inbound"], parameters={}, transcriber=NAME, **facts)  # type: ignore[arg-type]


def final(text: str) -> Final:
    return Final(call_sid="CA1", utterance="u1", revision=1, track="inbound", speaker="caller", text=text, start=0.0, end=1.0, words=[])


def test_before_anything_a_call_is_live_and_nothing_is_known() -> None:
    outline = Outline()
    assert (outline.live, outline.numbers, outline.agent) == (True, (None, None), None)
    summary = outline.summary("CA1", "e1", 0)
    assert (summary.started_at, summary.speakers, summary.utterances) == (None, {"inbound": "caller", "outbound": "callee"}, 0)


def test_the_start_is_the_first_and_numbers_are_the_newest() -> None:
    outline = Outline()
    outline.apply(started("t1"))
    outline.apply(started("t2", from_="+14155550123", to="+14155550100", direction="inbound", stream_sid="MZ2"))
    summary = outline.summary("CA1", "e1", 2)
    assert (summary.started_at, summary.from_, summary.to, summary.direction) == ("t1", "+14155550123", "+14155550100", "inbound")
    assert outline.newest is not None
    assert outline.newest.stream_sid == "MZ2"


def test_utterances_with_text_count_and_others_do_not() -> None:
    outline = Outline()
    for event in (started(), final("Hello."), final(""), Gap(call_sid="CA1", track="inbound", start=0.0, end=1.0, reason="no stream")):
        outline.apply(event)
    assert outline.utterances == 1


def test_an_agent_is_on_the_call_until_a_stream_without_one_comes() -> None:
    outline = Outline()
    outline.apply(started(agent="front-desk", speakers={"inbound": "caller", "outbound": "front-desk"}))
    assert (outline.agent, outline.speakers["outbound"]) == ("front-desk", "front-desk")
    outline.apply(started())
    assert (outline.agent, outline.speakers["outbound"]) == (None, "callee")


def test_the_end_is_undone_by_another_start() -> None:
    outline = Outline()
    outline.apply(started())
    outline.apply(CallEnded(call_sid="CA1", at="t9", reason="completed", duration=9.0, completeness=COMPLETE, audio={}))
    summary = outline.summary("CA1", "e1", 2)
    assert (summary.live, summary.ended_at, summary.reason, summary.duration) == (False, "t9", "completed", 9.0)
    outline.apply(started("t10"))
    assert outline.live


def test_finals_are_read_back_from_payloads_and_everything_else_is_skipped() -> None:
    from hub.events import encode

    payloads = [encode(event) for event in (started(), final("Hello."), final(""), final("Bye."))]
    assert [each.text for each in finals(payloads)] == ["Hello.", "Bye."]


def test_a_recording_is_what_the_newest_event_says_and_its_end_neither_opens_nor_ends_the_call() -> None:
    outline = Outline()
    ended = CallEnded(call_sid="CA1", at="t9", reason="completed", duration=9.0, completeness=COMPLETE, audio={})
    stored = RecordingStored(call_sid="CA1", seconds=9.0, media_type="audio/flac", size=10, sha256="0")
    states: list[tuple[bool, str | None, str | None, float | None]] = []
    for event in (
        started(), RecordingStarted(call_sid="CA1", time=0.0), RecordingPaused(call_sid="CA1", time=1.0),
        RecordingResumed(call_sid="CA1", time=2.0), RecordingFailed(call_sid="CA1", time=3.0, reason="full"), ended, stored,
        started("t10"), RecordingStarted(call_sid="CA1", time=9.5), ended, stored, RecordingErased(call_sid="CA1", reason="old"),
    ):  # fmt: skip
        outline.apply(event)
        found = outline.summary("CA1", "e1", 1).recording
        states.append((outline.live, *((found.state, found.media_type, found.seconds) if found else (None, None, None))))
    assert states == [
        (True, None, None, None),
        (True, "recording", "audio/wav", None),
        (True, "paused", "audio/wav", None),
        (True, "recording", "audio/wav", None),
        (True, "failed", "audio/wav", None),
        (False, "spooled", "audio/wav", None),
        (False, "stored", "audio/flac", 9.0),
        (True, "stored", "audio/flac", 9.0),
        (True, "recording", "audio/wav", None),
        (False, "spooled", "audio/wav", None),
        (False, "stored", "audio/flac", 9.0),
        (False, None, None, None),
    ]
