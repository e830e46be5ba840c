"""Utterances: stable ids, one final each, nothing lost, nothing twice."""

from hypothesis import given
from hypothesis import strategies as st

from hub.audio.g711 import Track
from hub.events import Final, Interim
from hub.transcribers.utterances import LONG_SECONDS, Recognized, RecognizedWord, Utterances


def heard(
    text: str, *, settled: bool = False, closes: bool = False, track: Track = "inbound", start: float = 0.0, end: float = 1.0
) -> Recognized:
    return Recognized(track, start, end, text, settled=settled, closes=closes)


def test_interims_end_in_one_final_of_the_same_utterance() -> None:
    transcript = Utterances("CA1")
    first = transcript.fold(heard("hel"))
    second = transcript.fold(heard("hello"))
    final = transcript.fold(heard("Hello.", settled=True, closes=True))
    assert isinstance(first, Interim)
    assert isinstance(second, Interim)
    assert isinstance(final, Final)
    assert [(event.utterance, event.revision, event.text) for event in (first, second, final)] == [
        ("inbound-1", 1, "hel"),
        ("inbound-1", 2, "hello"),
        ("inbound-1", 3, "Hello."),
    ]


def test_settled_pieces_are_joined_until_the_pause() -> None:
    transcript = Utterances("CA1")
    transcript.fold(heard("My number is", settled=True, start=0, end=2))
    interim = transcript.fold(heard("four", start=2, end=2.5))
    assert isinstance(interim, Interim)
    assert interim.text == "My number is four"
    final = transcript.fold(heard("four seven.", settled=True, closes=True, start=2, end=3))
    assert isinstance(final, Final)
    assert (final.text, final.start, final.end) == ("My number is four seven.", 0, 3)


def test_an_empty_boundary_closes_what_is_settled() -> None:
    transcript = Utterances("CA1")
    transcript.fold(heard("Yes.", settled=True))
    final = transcript.fold(heard("", settled=True, closes=True, start=1, end=2))
    assert isinstance(final, Final)
    assert (final.text, final.end) == ("Yes.", 1.0)


def test_a_final_says_whether_its_speaker_stopped_in_the_middle_and_whether_anyone_heard_it() -> None:
    transcript = Utterances("CA1")
    stopped = transcript.fold(Recognized("outbound", 0, 1, "It is on", settled=True, closes=True, cut=True))
    written = transcript.fold(Recognized("outbound", 2, 2, "Good bye.", settled=True, closes=True, unspoken=True))
    assert isinstance(stopped, Final)
    assert isinstance(written, Final)
    assert (stopped.cut, stopped.unspoken, written.cut, written.unspoken) == (True, False, False, True)


def test_silence_makes_no_events() -> None:
    transcript = Utterances("CA1")
    assert transcript.fold(heard("")) is None
    assert transcript.fold(heard("", settled=True, closes=True)) is None


def test_an_interim_that_was_withdrawn_still_gets_its_final() -> None:
    transcript = Utterances("CA1")
    assert isinstance(transcript.fold(heard("uh")), Interim)
    final = transcript.fold(heard("", settled=True, closes=True))
    assert isinstance(final, Final)
    assert final.text == ""


def test_the_same_text_makes_one_interim() -> None:
    transcript = Utterances("CA1")
    assert transcript.fold(heard("so")) is not None
    assert transcript.fold(heard("so", end=1.5)) is None


def test_a_monologue_ends_at_the_next_settled_piece_after_half_a_minute() -> None:
    transcript = Utterances("CA1")
    assert isinstance(transcript.fold(heard("one", settled=True, start=0, end=10)), Interim)
    assert isinstance(transcript.fold(heard("two", settled=True, start=10, end=LONG_SECONDS)), Final)


def test_tracks_do_not_mix() -> None:
    transcript = Utterances("CA1")
    transcript.name({"outbound": "agent"})
    transcript.fold(heard("hello"))
    final = transcript.fold(heard("Good day.", settled=True, closes=True, track="outbound"))
    assert isinstance(final, Final)
    assert (final.utterance, final.speaker, final.text) == ("outbound-1", "agent", "Good day.")


def test_the_end_of_a_call_keeps_unsettled_words() -> None:
    transcript = Utterances("CA1")
    transcript.fold(heard("and then I", start=3, end=4))
    (final,) = transcript.close()
    assert (final.text, final.start) == ("and then I", 3)
    assert transcript.close() == []


def test_words_and_confidence_of_all_pieces_are_kept() -> None:
    transcript = Utterances("CA1")
    words = (RecognizedWord("a", 0.0, 0.1, 0.9), RecognizedWord("b", 0.1, 0.2, 0.5))
    transcript.fold(Recognized("inbound", 0, 0.2, "a b", settled=True, closes=False, confidence=0.7, words=words))
    final = transcript.fold(
        Recognized("inbound", 0.2, 0.4, "c", settled=True, closes=True, confidence=1.0, words=(RecognizedWord("c", 0.2, 0.4, 1.0),))
    )
    assert isinstance(final, Final)
    assert [word.text for word in final.words] == ["a", "b", "c"]
    assert final.confidence == 0.8


reports = st.lists(
    st.builds(
        lambda track, text, kind, at: Recognized(track, at, at + 1, text, settled=kind > 0, closes=kind > 1),
        st.sampled_from(("inbound", "outbound")), st.sampled_from(("", "a", "b", "a b")), st.integers(0, 2), st.integers(0, 90),
    ),
    max_size=40,
)  # fmt: skip


@given(reports)
def test_an_utterances_interims_end_in_one_final(script: list[Recognized]) -> None:
    transcript = Utterances("CA1")
    events = [event for report in script if (event := transcript.fold(report)) is not None] + transcript.close()
    seen: dict[str, list[Interim | Final]] = {}
    for event in events:
        seen.setdefault(event.utterance, []).append(event)
    for story in seen.values():
        assert [type(event) for event in story] == [Interim] * (len(story) - 1) + [Final]
        assert [event.revision for event in story] == list(range(1, len(story) + 1))
    for track in ("inbound", "outbound"):
        settled = " ".join(report.text for report in script if report.settled and report.text and report.track == track)
        told = " ".join(event.text for event in events if isinstance(event, Final) and event.text and event.track == track)
        assert told.startswith(settled), "every settled word is in the finals, once and in order"


def test_pieces_are_joined_as_their_script_joins_them_in_interims_and_finals() -> None:
    transcript = Utterances("CA1")
    transcript.fold(heard("今日は", settled=True))
    interim = transcript.fold(heard("iPhone"))
    assert isinstance(interim, Interim)
    assert interim.text == "今日はiPhone"
    final = transcript.fold(heard("晴れです。", settled=True, closes=True))
    assert isinstance(final, Final)
    assert final.text == "今日は晴れです。"


moments = st.floats(-1e6, 1e6)
spoken_words = st.lists(st.builds(RecognizedWord, st.text(min_size=1), moments, moments), max_size=4).map(tuple)
told = st.builds(
    Recognized, st.just("inbound"), moments, moments, st.just("word"), settled=st.booleans(), closes=st.just(False), words=spoken_words
)


@given(st.lists(told, min_size=1, max_size=6))
def test_no_span_is_before_the_call_or_backwards_whatever_a_provider_says(pieces: list[Recognized]) -> None:
    transcript = Utterances("CA1")
    events = [event for event in map(transcript.fold, pieces) if event is not None] + transcript.close()
    assert events
    for event in events:
        assert 0 <= event.start <= event.end
        for word in event.words if isinstance(event, Final) else ():
            assert 0 <= word.start <= word.end


def test_an_utterance_lasts_from_its_first_word_to_its_last_in_whatever_order_they_come() -> None:
    transcript = Utterances("CA1")
    transcript.fold(heard("world", settled=True, start=3, end=4))
    final = transcript.fold(heard("hello", settled=True, closes=True, start=2, end=1))
    assert isinstance(final, Final)
    assert (final.start, final.end) == (1, 4)
