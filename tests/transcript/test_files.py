"""Transcripts as files."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from hub.events import CallEnded, CallStarted, CallSummary, Durable, Final, ToolCalled, TranscriberLost, TranscriberName, encode
from hub.transcript import files
from hub.transcript.lines import Lines, TranscriptLine
from hub.transcript.outline import Outline
from tests.completeness import COMPLETE


def final(text: str, start: float, end: float, speaker: str = "caller") -> Final:
    return Final(
        call_sid="CA1", utterance=f"u{start}", revision=1, track="inbound", speaker=speaker, text=text, start=start, end=end, words=[]
    )


def lines(events: Iterable[Durable]) -> list[TranscriptLine]:
    payloads = [encode(replace(event, offset=offset)) for offset, event in enumerate(events, 1)]
    read = Lines()
    read.read(payloads)
    return list(read.ordered(payloads))


STARTED = CallStarted(
    call_sid="CA1", at="2026-11-26T10:00:00.123Z", from_="+14155550123", to="+14155550100", direction="inbound", tracks=["inbound"],
    speakers={}, parameters={}, stream_sid="MZ1", transcriber=TranscriberName(provider="deepgram", model="nova-3"), offset=1,
)  # fmt: skip
LOST = replace(COMPLETE, state="incomplete", summary="20 % of the audio was lost")
ENDED = CallEnded(call_sid="CA1", at="2026-11-26T10:01:05.000Z", reason="completed", duration=65.0, completeness=LOST, audio={}, offset=9)


def summary(*events: Durable) -> CallSummary:
    outline = Outline()
    for event in events:
        outline.apply(event)
    return outline.summary("CA1", "e1", 9)


NOTHING = summary()


def text(finals: Iterable[Final]) -> str:
    return "".join(files.text(files.head(NOTHING), lines(finals))).partition("\n\n")[2]


def srt(finals: Iterable[Final]) -> str:
    return "".join(files.srt(files.head(NOTHING), lines(finals))).partition("\n\n")[2]


def vtt(finals: Iterable[Final]) -> str:
    return "".join(files.vtt(files.head(NOTHING), lines(finals))).split("\n\n", 2)[2]


FINALS = [final("Fine, thanks.", 3661.25, 3662.0, "agent"), final("How <b>are</b> you -->\n\n& yours?", 1.0, 1.1)]


def test_text_is_in_the_order_of_speech() -> None:
    assert text(FINALS).splitlines()[-1] == "[1:01:01.2] agent: Fine, thanks."


def test_subrip_has_numbers_spans_and_no_blank_line_inside() -> None:
    first, second = srt(FINALS).strip().split("\n\n")
    assert first == "2\n00:00:01,000 --> 00:00:01,500\ncaller: How <\u2060b>are<\u2060/b> you -> & yours?"
    assert second == "3\n01:01:01,250 --> 01:01:02,000\nagent: Fine, thanks."


def test_webvtt_escapes_what_would_be_markup() -> None:
    assert vtt(FINALS) == (
        "u1.0\n00:00:01.000 --> 00:00:01.500\n<v caller>How &lt;b&gt;are&lt;/b&gt; you -&gt; &amp; yours?\n"
        "\nu3661.25\n01:01:01.250 --> 01:01:02.000\n<v agent>Fine, thanks.\n"
    )


def test_files_say_where_an_agent_was_cut_short_and_what_nobody_heard() -> None:
    marks = [{"interrupted": True}, {"cut": True}, {"unspoken": True}, {"cut": True, "unspoken": True}]
    finals = [replace(final("It is on", at, at + 1), **mark) for at, mark in enumerate(marks)]
    said = [
        "It is on —",
        "It is on … (the model stopped here)",
        "(not spoken) It is on",
        "(not spoken) It is on … (the model stopped here)",
    ]
    assert [line.partition(": ")[2] for line in text(finals).splitlines()] == said
    assert [line.partition(": ")[2] for line in srt(finals).splitlines()[2::4]] == said
    assert [line.partition(">")[2] for line in vtt(finals).splitlines()[2::4]] == said


FORGED = "one\n\n2\n00:00:09,000 --> 00:00:10,000\rforged\u2028\u2029\x85\x0b\x0c\x1b[2J --->\u202e <c> {\\an8} a < b & c"


def test_no_words_can_forge_a_line_of_text() -> None:
    assert text([final(FORGED, 1.0, 2.0), final("two", 3.0, 4.0)]).splitlines() == [
        "[00:01.0] caller: one 2 00:00:09,000 --> 00:00:10,000 forged [2J ---> <c> {\\an8} a < b & c",
        "[00:03.0] caller: two",
    ]


def test_no_words_can_forge_a_subrip_caption_or_its_markup() -> None:
    assert srt([final(FORGED, 1.0, 2.0)]).splitlines() == [
        "2",
        "00:00:01,000 --> 00:00:02,000",
        "caller: one 2 00:00:09,000 -> 00:00:10,000 forged [2J -> <\u2060c> {\u2060\\an8} a < b & c",
    ]


def test_no_words_can_end_or_forge_a_webvtt_cue() -> None:
    assert vtt([final(FORGED, 1.0, 2.0, "a\n\nSTYLE>")]).splitlines() == [
        "u1.0",
        "00:00:01.000 --> 00:00:02.000",
        "<v a STYLE&gt;>one 2 00:00:09,000 -&gt; 00:00:10,000 forged [2J -&gt; &lt;c&gt; {\\an8} a &lt; b &amp; c",
    ]


def test_words_from_right_to_left_stay_apart_from_what_stands_beside_them() -> None:
    said = [final("شكر, 12.", 1.0, 2.0, "متصل")]
    assert text(said) == "[00:01.0] \u2068متصل\u2069: \u2068شكر, 12.\u2069\n"
    assert srt(said).endswith("\u2068متصل\u2069: \u2068شكر, 12.\u2069\n")
    assert vtt(said).endswith("<v متصل>شكر, 12.\n")  # a cue takes its direction from its own words


HEAD = [
    "Call CA1, +14155550123 to +14155550100, inbound",
    "began 2026-11-26 10:00:00 UTC, ended after 01:05.0: completed",
    "transcriber: deepgram (nova-3)",
    "the record: 20 % of the audio was lost",
]


def test_the_head_says_who_when_by_whom_and_how_whole_the_record_is() -> None:
    assert files.head(summary(STARTED, ENDED)) == HEAD


def test_the_head_of_a_live_call_says_that_more_may_come() -> None:
    _, when, _, whole = files.head(summary(STARTED))
    assert when.endswith("the call is live, and this is its transcript so far")
    assert whole == "the record so far: complete"


@pytest.mark.parametrize("kind", [files.text, files.srt, files.vtt])
def test_each_file_begins_with_the_head_and_ends_with_the_end(kind: object) -> None:
    made = "".join(kind(files.head(summary(STARTED, ENDED)), lines([STARTED, final("Hello.", 3.0, 4.0), ENDED])))  # type: ignore[operator]
    places = [made.index(each) for each in [*HEAD, "Hello.", "call ended: completed, 01:05.0; 20 % of the audio was lost"]]
    assert places == sorted(places)


def test_a_caption_of_what_happened_stays_long_enough_to_be_read() -> None:
    assert "".join(files.srt(files.head(summary(STARTED)), lines([STARTED]))).endswith(
        "2\n00:00:00,000 --> 00:00:03,000\n[call CA1: +14155550123 → +14155550100, transcribed by deepgram (nova-3)]\n"
    )


def test_a_number_cannot_forge_a_line_of_the_head() -> None:
    forged = replace(STARTED, from_="+1\n\n00:00:01.000 --> 00:00:02.000", direction="in\nbound")
    assert "\n\n00:00:01" not in "".join(files.vtt(files.head(summary(forged)), []))
    assert len("".join(files.text(files.head(summary(forged)), [])).splitlines()) == 5


def test_a_reason_can_forge_no_line_in_the_head_or_below() -> None:
    told = replace(COMPLETE, state="not-transcribed", summary=f"not transcribed: {FORGED}")
    lost = TranscriberLost(call_sid="CA1", provider="deepgram", reason=FORGED, attempt=0, offset=2)
    ended = replace(ENDED, completeness=told)
    for kind in (files.text, files.srt, files.vtt):
        whole = "".join(kind(files.head(summary(STARTED, ended)), lines([STARTED, lost, ended])))
        assert not any(each.startswith(("2026", "00:00:09,000 --> 00:00:10,000 ", "forged")) for each in whole.splitlines())
        assert len(whole.splitlines()) == whole.count("\n"), "there is no other line break"
        assert not set("\u202e\x1b\u2028\x85") & set(whole)


def test_what_others_chose_is_isolated_inside_a_sentence() -> None:
    used = ToolCalled(call_sid="CA1", invocation="i", tool="find", arguments={"name": "شكر"}, time=1.0, offset=2)
    said = text([STARTED, used]).splitlines()[-1]
    assert said == '[00:01.0] — the agent uses find: \u2068{"name": "شكر"}\u2069'
    assert srt([STARTED, used]).splitlines()[-1] == '[the agent uses find: \u2068{"name": "شكر"}\u2069]'
