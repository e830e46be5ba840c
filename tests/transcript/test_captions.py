"""Transcripts as files."""

from msgspec.structs import replace

from hub.events import Final
from hub.transcript import captions


def final(text: str, start: float, end: float, speaker: str = "caller") -> Final:
    return Final(
        call_sid="CA1", utterance=f"u{start}", revision=1, track="inbound", speaker=speaker, text=text, start=start, end=end, words=[]
    )


FINALS = [final("Fine, thanks.", 3661.25, 3662.0, "agent"), final("How <b>are</b> you -->\n\n& yours?", 1.0, 1.1)]


def test_text_is_in_the_order_of_speech() -> None:
    assert captions.text(FINALS).splitlines()[-1] == "[1:01:01.2] agent: Fine, thanks."


def test_subrip_has_numbers_spans_and_no_blank_line_inside() -> None:
    first, second = captions.srt(FINALS).strip().split("\n\n")
    assert first == "1\n00:00:01,000 --> 00:00:01,500\ncaller: How <\u2060b>are<\u2060/b> you -> & yours?"
    assert second == "2\n01:01:01,250 --> 01:01:02,000\nagent: Fine, thanks."


def test_webvtt_escapes_what_would_be_markup() -> None:
    assert captions.vtt(FINALS) == (
        "WEBVTT\n"
        "\nu1.0\n00:00:01.000 --> 00:00:01.500\n<v caller>How &lt;b&gt;are&lt;/b&gt; you -&gt; &amp; yours?\n"
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
    assert [line.partition(": ")[2] for line in captions.text(finals).splitlines()] == said
    assert [line.partition(": ")[2] for line in captions.srt(finals).splitlines()[2::4]] == said
    assert [line.partition(">")[2] for line in captions.vtt(finals).splitlines()[4::4]] == said


def test_a_minute_is_never_sixty_seconds() -> None:
    assert captions.clock(59.96) == "01:00.0"


FORGED = "one\n\n2\n00:00:09,000 --> 00:00:10,000\rforged\u2028\u2029\x85\x0b\x0c\x1b[2J --->\u202e <c> {\\an8} a < b & c"


def test_no_words_can_forge_a_line_of_text() -> None:
    assert captions.text([final(FORGED, 1.0, 2.0), final("two", 3.0, 4.0)]).splitlines() == [
        "[00:01.0] caller: one 2 00:00:09,000 --> 00:00:10,000 forged [2J ---> <c> {\\an8} a < b & c",
        "[00:03.0] caller: two",
    ]


def test_no_words_can_forge_a_subrip_caption_or_its_markup() -> None:
    assert captions.srt([final(FORGED, 1.0, 2.0)]).splitlines() == [
        "1",
        "00:00:01,000 --> 00:00:02,000",
        "caller: one 2 00:00:09,000 -> 00:00:10,000 forged [2J -> <\u2060c> {\u2060\\an8} a < b & c",
    ]


def test_no_words_can_end_or_forge_a_webvtt_cue() -> None:
    assert captions.vtt([final(FORGED, 1.0, 2.0, "a\n\nSTYLE>")]).splitlines() == [
        "WEBVTT",
        "",
        "u1.0",
        "00:00:01.000 --> 00:00:02.000",
        "<v a STYLE&gt;>one 2 00:00:09,000 -&gt; 00:00:10,000 forged [2J -&gt; &lt;c&gt; {\\an8} a &lt; b &amp; c",
    ]


def test_words_from_right_to_left_stay_apart_from_what_stands_beside_them() -> None:
    said = [final("شكر, 12.", 1.0, 2.0, "متصل")]
    assert captions.text(said) == "[00:01.0] \u2068متصل\u2069: \u2068شكر, 12.\u2069\n"
    assert captions.srt(said).endswith("\u2068متصل\u2069: \u2068شكر, 12.\u2069\n")
    assert captions.vtt(said).endswith("<v متصل>شكر, 12.\n")  # a cue takes its direction from its own words
