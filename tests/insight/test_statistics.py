"""A call's figures, from its events alone."""

import copy
import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub.audio.g711 import TRACKS, Track
from hub.events import AgentInterrupted, CallEnded, CallStatistics, Durable, Final, Gap, SideStatistics, Word, encode
from hub.insight.statistics import RunningStatistics, count_words
from tests.completeness import COMPLETE
from tests.insight.conversations import Conversation, Span


def statistics(*events: Durable) -> RunningStatistics:
    running = RunningStatistics()
    for event in events:
        running.apply(event)
    return running


def figures(*events: Durable, until: float = 0.0) -> CallStatistics:
    return statistics(*events).figures(until)


def spoke(track: Track, *seconds: float, **more: object) -> Final:
    """Return an utterance of one word for each pair of seconds."""
    words = [Word(text="word", start=start, end=end) for start, end in zip(seconds[::2], seconds[1::2], strict=True)]
    facts: dict[str, object] = {"text": " ".join(word.text for word in words), "start": seconds[0], "end": seconds[-1]} | more
    return Final(call_sid="CA1", utterance="u", revision=1, track=track, speaker=track, words=words, **facts)  # type: ignore[arg-type]


def gap(track: Track, start: float, end: float) -> Gap:
    return Gap(call_sid="CA1", track=track, start=start, end=end, reason="no stream")


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Both sides at random: words, breaths, pauses, one in the other's words, and gaps. The sides do not begin at one moment."""
    said: dict[Track, list[list[Span]]] = {"inbound": [], "outbound": []}
    for track in TRACKS:
        at = draw(st.sampled_from((0, 10, 500, 1000, 5000)))
        for _ in range(draw(st.integers(0, 8))):
            words = []
            for _ in range(draw(st.integers(1, 5))):
                length = draw(st.sampled_from((200, 500, 990, 1000, 2500)))
                words.append((at, at + length))
                at += length + draw(st.sampled_from((0, 0, 100, 690, 700, 1000)))
            said[track].append(words)
            at += draw(st.sampled_from((0, 10, 200, 500, 700, 1200, 3000, 4990, 5000, 8000)))
    gaps = [
        (draw(st.sampled_from(TRACKS)), (start, start + draw(st.integers(1, 400)) * 10))
        for start in draw(st.lists(st.integers(0, 2000).map(lambda each: each * 10), max_size=3))
    ]
    return Conversation(said, gaps)


@settings(deadline=None, max_examples=100)
@given(conversations(), st.integers(0, 6000), st.randoms())
def test_the_figures_are_those_that_one_counts_moment_by_moment(talk: Conversation, until: int, order: random.Random) -> None:
    """In whatever order the events were published, and however often somebody asked for the figures meanwhile."""
    assume(not talk.begins_together())
    events, running = talk.events(), RunningStatistics()
    order.shuffle(events)
    for event in events:
        running.apply(event)
        if order.random() < 0.3:
            running.figures()
    assert running.figures(until / 100) == talk.counted(until * 10)
    assert running.figures(until / 100) == talk.counted(until * 10), "asked once more"


def long_conversation(minutes: int) -> Conversation:
    rng, said = random.Random(15), {track: list[list[Span]]() for track in TRACKS}
    for shift, track in enumerate(TRACKS):
        at = 10 * shift
        while at < minutes * 60_000:
            words = []
            for _ in range(rng.randrange(1, 12)):
                words.append((at, at := at + rng.randrange(15, 40) * 10))
                at += rng.randrange(0, 9) * 10
            said[track].append(words)
            at += rng.randrange(30, 600) * 10
    return Conversation(said)


def test_a_long_call_is_counted_as_exactly_with_finals_that_come_very_late() -> None:
    talk = long_conversation(20)
    events = sorted(talk.events(), key=lambda event: event.end if isinstance(event, Final) else 0.0)
    late, running = events[3], RunningStatistics()
    for event in events:
        if event is not late:
            running.apply(event)
            running.figures()
    running.apply(late)
    assert running.figures() == talk.counted(0)


def test_the_parts_of_a_call_add_up_to_its_length() -> None:
    found = figures(*long_conversation(5).events(), gap("inbound", 100.0, 130.0), until=400.0)
    talk = sum(side.talk_seconds for side in found.sides.values()) - found.cross_talk_seconds
    assert talk + found.silence_seconds + found.unknown_seconds == pytest.approx(found.seconds, abs=1e-9)
    assert sum(side.talk_share or 0.0 for side in found.sides.values()) == pytest.approx(1.0, abs=1e-4)


def test_two_readers_of_the_same_log_have_the_same_figures() -> None:
    """One that went on from a copy, as a node does which takes a call over, and one that has read everything anew."""
    events = long_conversation(5).events()
    first = statistics(*events[:100])
    first.figures()
    went_on = copy.deepcopy(first)
    for event in events[100:]:
        went_on.apply(event)
    assert encode(went_on.figures()) == encode(figures(*events))


def test_before_anything_is_said_there_are_no_shares_and_everything_is_silence() -> None:
    running = RunningStatistics()
    assert running.is_empty
    found = running.figures(12.5)
    assert (found.seconds, found.silence_seconds, found.dead_airs, found.dead_air_seconds) == (12.5, 12.5, 1, 12.5)
    assert found.sides["inbound"] == SideStatistics(
        talk_seconds=0.0, talk_share=None, words=0, words_per_minute=None, interruptions=0, longest_monologue_seconds=0.0,
        longest_monologue_start=None, responses=0, mean_response_seconds=None, longest_response_seconds=None,
    )  # fmt: skip


def test_a_gap_is_not_silence_and_ends_what_it_stands_in() -> None:
    heard = figures(spoke("inbound", 0, 2), spoke("outbound", 9, 11), spoke("outbound", 12, 13), spoke("inbound", 20, 21))
    missed = figures(
        spoke("inbound", 0, 2), gap("outbound", 2, 9), spoke("outbound", 9, 11), gap("inbound", 11, 12), spoke("outbound", 12, 13),
        gap("inbound", 13.5, 14), spoke("inbound", 20, 21),
    )  # fmt: skip
    assert (heard.silence_seconds, heard.dead_airs, heard.unknown_seconds) == (15.0, 2, 0.0)
    assert (missed.silence_seconds, missed.dead_airs, missed.unknown_seconds) == (6.5, 1, 8.5)
    assert [heard.sides[track].responses for track in TRACKS] == [1, 1]
    assert [missed.sides[track].responses for track in TRACKS] == [0, 0]
    assert heard.sides["outbound"].longest_monologue_seconds == 4.0
    assert missed.sides["outbound"].longest_monologue_seconds == 2.0


def test_an_utterance_without_times_of_words_is_speech_from_its_start_to_its_end() -> None:
    found = figures(spoke("inbound", 1, 7).__class__(**{**_fields(spoke("inbound", 1, 7)), "words": [], "text": "six words in all of it"}))
    side = found.sides["inbound"]
    assert (side.talk_seconds, side.words, side.words_per_minute) == (6.0, 6, 60.0)


def _fields(final: Final) -> dict[str, object]:
    return {name: getattr(final, name) for name in final.__struct_fields__}


def test_words_without_any_time_are_counted_and_do_not_change_the_pace() -> None:
    nowhere = spoke("inbound", 3, 3, text="three more words")
    found = figures(spoke("inbound", 0, 6, text="six words in all of it"), nowhere)
    assert (found.sides["inbound"].words, found.sides["inbound"].words_per_minute, found.sides["inbound"].talk_seconds) == (9, 60.0, 6.0)


def test_what_nobody_heard_and_what_was_taken_back_is_no_speech() -> None:
    found = statistics(spoke("outbound", 0, 6, unspoken=True), spoke("inbound", 0, 6, text=""))
    assert found.is_empty


def test_an_agent_that_was_interrupted_counts_once_though_both_were_heard_for_a_while() -> None:
    """As in a call: the model speaks on for 0.8 s until the hub knows that the caller speaks."""
    cut = spoke("outbound", 0, 4.8, interrupted=True)
    caller = spoke("inbound", 4, 7)
    told = AgentInterrupted(call_sid="CA1", time=4.8, heard=4.8, generated=9.0)
    assert figures(cut, caller, told).sides["inbound"].interruptions == 1
    assert figures(caller, told, cut).sides["inbound"].interruptions == 1
    assert figures(spoke("outbound", 0, 4.8), caller).sides["inbound"].interruptions == 1


def test_a_sign_of_listening_changes_nothing_but_talk_and_cross_talk() -> None:
    alone = figures(spoke("outbound", 0, 20))
    with_mhm = figures(spoke("outbound", 0, 20), spoke("inbound", 5, 5.5))
    assert with_mhm.sides["outbound"].longest_monologue_seconds == alone.sides["outbound"].longest_monologue_seconds == 20.0
    assert (with_mhm.sides["inbound"].interruptions, with_mhm.sides["inbound"].responses, with_mhm.cross_talk_seconds) == (0, 0, 0.5)


def test_figures_of_a_call_that_goes_on_after_its_end_are_of_all_its_parts() -> None:
    ended = CallEnded(call_sid="CA1", reason="completed", duration=30.0, completeness=COMPLETE, audio={})
    running = statistics(spoke("inbound", 0, 2), ended)
    assert (running.figures().seconds, running.figures().silence_seconds) == (30.0, 28.0)
    for event in (gap("inbound", 30, 45), gap("outbound", 30, 45), spoke("inbound", 45, 46)):
        running.apply(event)
    assert (running.figures().seconds, running.figures().silence_seconds, running.figures().unknown_seconds) == (46.0, 28.0, 15.0)


def test_where_the_oldest_events_are_lost_the_figures_begin_with_what_is_known() -> None:
    later = [spoke("inbound", 90_010, 90_012, offset=5001), spoke("outbound", 90_000, 90_005, offset=5002)]
    found = figures(*later)
    assert (found.start, found.seconds, found.silence_seconds, found.dead_airs) == (90_000.0, 90_012.0, 5.0, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0), ("Hello.", 1), ("don't — well …", 2), ("It costs $3.50, twenty-one times", 5), ("今日はiPhoneです。", 6), ("สวัสดี ok", 5),
        ("Привет, мир!", 2), ("." * 100_000, 0),
    ],
)  # fmt: skip
def test_words_are_what_stands_between_blanks_and_each_character_where_there_are_none(text: str, words: int) -> None:
    assert count_words(text) == words


def test_the_figures_are_plain_numbers_on_the_wire() -> None:
    found = json.loads(encode(figures(spoke("inbound", 0.1, 0.35), spoke("outbound", 1.05, 1.15))))
    assert found["sides"]["outbound"]["meanResponseSeconds"] == 0.7
    assert (found["silenceSeconds"], found["sides"]["inbound"]["talkShare"]) == (0.8, 0.7143)
