"""What is peculiar to Deepgram's sessions: windows of words, pauses, and which message is the last."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from hub.events import Final
from hub.ops.counters import ProviderCounters
from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Lost, Report
from hub.transcribers.utterances import Recognized, Utterances
from hub.vendors.deepgram.transcriber import Deepgram
from tests.providers.puppet import METADATA, answer, puppet
from tests.providers.vendors import DEEPGRAM
from tests.transcribers.runs import CALL, push, running, told, transcribed, until, words

Spoken = tuple[str, float, float]


def window(start: float, end: float, *spoken: Spoken, channel: int = 0, **flags: bool) -> str:
    """Deepgram's message of a window of results with these words."""
    alternative = {
        "transcript": " ".join(text for text, _, _ in spoken),
        "confidence": 0.9,
        "words": [{"word": text, "start": at, "end": until, "confidence": 0.9} for text, at, until in spoken],
    }
    message = {
        "type": "Results",
        "channel_index": [channel, 2],
        "start": start,
        "duration": end - start,
        "channel": {"alternatives": [alternative]},
    }
    return json.dumps(message | {"is_final": True} | flags)


def pause(last_word_end: float | None, channel: int = 0) -> str:
    return json.dumps({"type": "UtteranceEnd", "channel": [channel, 2], "last_word_end": last_word_end})


def summary(seconds: float | None) -> str:
    return json.dumps({"type": "Metadata", "request_id": "r", "duration": seconds})


async def heard(*messages: str) -> list[Report]:
    """Return what is reported when Deepgram says this of the call."""

    async def speak(socket: ServerConnection) -> None:
        await answer(socket, *messages, METADATA)

    async with puppet(speak) as url:
        reports, complete = await transcribed(DEEPGRAM.open(url), CALL)
    assert complete
    return reports


def pieces(reports: list[Report]) -> list[tuple[str, float, float]]:
    return [(each.text, each.start, each.end) for each in told(reports, Recognized) if each.settled and each.text]


def folded(reports: list[Report]) -> list[str]:
    """Return the text of each final that these reports make, in order; the last ones are of utterances that nothing ended."""
    utterances = Utterances("CA1")
    events = [utterances.fold(each) for each in told(reports, Recognized)]
    return [event.text for event in events if isinstance(event, Final)] + [final.text + " …" for final in utterances.close()]


class TestTheLastMessage:
    """Which Metadata says that all audio was recognized."""

    @pytest.mark.parametrize("early", [0.0, 1.0, 4.85])
    async def test_a_summary_that_was_on_its_way_before_the_audio_ended_is_not_the_last_message(self, early: float) -> None:
        """Deepgram says its last words and closes, as it would: the words before them are not lost."""

        async def end(socket: ServerConnection) -> None:
            await answer(socket, summary(early), window(0.0, 4.9, ("flowers", 2.0, 2.25), speech_final=True), summary(5.0))

        async with puppet(end) as url:
            reports, complete = await transcribed(DEEPGRAM.open(url), CALL)
        assert complete
        assert words(reports) == ["flowers"]
        assert not told(reports, Lost)

    @pytest.mark.parametrize("code", [1000, 1011])
    async def test_a_session_that_ended_by_itself_while_the_end_was_asked_for_is_replayed(self, code: int) -> None:
        visits = 0

        async def end(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            if visits == 1:
                async for message in socket:
                    if isinstance(message, str):
                        break
                await socket.send(summary(2.0))
                await socket.close(code, "net0001")
            else:
                await answer(socket, window(0.0, 4.9, ("flowers", 2.0, 2.25)), summary(5.0))

        async with puppet(end) as url:
            reports, complete = await transcribed(DEEPGRAM.open(url), CALL)
        assert (complete, words(reports), len(told(reports, Lost))) == (True, ["flowers"], 1)

    async def test_a_summary_that_does_not_say_what_it_covers_counts_when_the_session_is_closed_in_order(self) -> None:
        async def end(socket: ServerConnection) -> None:
            async for message in socket:
                if isinstance(message, str):
                    await socket.send(summary(None))
                    await socket.send(window(0.0, 4.9, ("flowers", 2.0, 2.25)))
                    await socket.close()

        async with puppet(end) as url:
            reports, complete = await transcribed(DEEPGRAM.open(url), CALL)
        assert (complete, words(reports), told(reports, Lost)) == (True, ["flowers"], [])


class TestWords:
    """Words out of order, out of their window, and told before."""

    async def test_a_piece_lasts_from_its_earliest_word_to_its_latest(self) -> None:
        reports = await heard(window(0.0, 2.0, ("world", 1.0, 1.4), ("hello", 0.5, 0.9)))
        assert pieces(reports) == [("world hello", 0.5, 1.4)]

    async def test_an_interim_does_so_too(self) -> None:
        reports = await heard(window(0.0, 2.0, ("world", 1.0, 1.4), ("hello", 0.5, 0.9), is_final=False))
        (interim,) = [each for each in told(reports, Recognized) if each.text]
        assert (interim.start, interim.end) == (0.5, 1.4)

    @pytest.mark.parametrize("is_final", [True, False])
    async def test_a_word_that_begins_before_its_window_is_no_repeat(self, is_final: bool) -> None:
        first = window(0.0, 2.0, ("hello", 0.5, 0.9))
        reports = await heard(first, window(2.0, 3.0, ("there", 1.6, 1.95), ("you", 2.2, 2.4), is_final=is_final))
        said = [each for each in told(reports, Recognized) if each.text][1]
        assert (said.text, said.start) == ("there you", 1.6)

    async def test_words_before_the_settled_audio_are_told_if_they_were_not(self) -> None:
        reports = await heard(window(2.0, 3.0, ("you", 2.2, 2.4)), window(0.0, 2.0, ("hello", 0.5, 0.9)))
        assert [text for text, _, _ in pieces(reports)] == ["you", "hello"]

    async def test_a_window_that_comes_again_is_a_repeat_with_or_without_words(self) -> None:
        with_words = window(0.0, 2.0, ("hello", 0.5, 0.9), ("there", 1.0, 1.2))
        without = json.loads(window(2.0, 3.0, ("you", 2.2, 2.4)))
        without["channel"]["alternatives"][0]["words"] = []
        reports = await heard(with_words, with_words.replace("there", "There,"), json.dumps(without), json.dumps(without))
        assert [text for text, _, _ in pieces(reports)] == ["hello there", "you"]

    async def test_the_same_word_said_twice_is_two_words(self) -> None:
        reports = await heard(window(0.0, 2.0, ("no", 1.6, 1.8)), window(2.0, 3.0, ("no", 1.85, 2.05), ("no", 2.1, 2.3)))
        assert words(reports) == ["no", "no", "no"]

    async def test_a_word_like_one_that_was_told_elsewhere_is_another_though_it_begins_before_its_window(self) -> None:
        reports = await heard(window(0.0, 2.0, ("no", 0.2, 0.4), ("way", 1.6, 2.05)), window(2.0, 3.0, ("no", 1.95, 2.3)))
        assert words(reports) == ["no", "way", "no"]

    async def test_text_without_words_in_settled_audio_is_told(self) -> None:
        late = json.loads(window(0.5, 1.5, ("late", 0.6, 0.9)))
        late["channel"]["alternatives"][0]["words"] = None
        reports = await heard(window(0.0, 2.0, ("hello", 0.5, 0.9)), json.dumps(late))
        assert [text for text, _, _ in pieces(reports)] == ["hello", "late"]

    async def test_words_without_letters_of_their_own_are_none(self) -> None:
        reports = await heard(window(0.0, 2.0, ("hello", 0.5, 0.9), ("", 1.0, 1.1), (" ", 1.1, 1.2)))
        assert words(reports) == ["hello"]

    async def test_windows_are_joined_as_their_script_joins_them(self) -> None:
        reports = await heard(window(0.0, 1.0, ("今日は", 0.1, 0.5)), window(1.0, 2.0, ("晴れです。", 1.1, 1.6), speech_final=True))
        assert folded(reports) == ["今日は晴れです。"]


class TestPauses:
    """When an utterance ends."""

    HELD = window(0.0, 1.5, ("my", 0.2, 0.4), ("number", 0.5, 0.8), ("five", 0.9, 1.2), is_final=False)

    async def test_a_pause_before_its_words_are_settled_ends_the_utterance_with_them(self) -> None:
        settled = window(0.0, 2.5, ("My", 0.2, 0.4), ("number", 0.5, 0.8), ("5.", 0.9, 1.25))
        reports = await heard(self.HELD, pause(1.2), settled, window(2.5, 4.0, ("next", 3.0, 3.3), is_final=False))
        assert folded(reports) == ["My number 5.", "next …"]

    async def test_it_may_take_several_finals(self) -> None:
        reports = await heard(
            self.HELD, pause(1.2), window(0.0, 0.45, ("My", 0.2, 0.4)), window(0.45, 2.5, ("number", 0.5, 0.8), ("5", 0.9, 1.2))
        )
        assert folded(reports) == ["My number 5"]

    async def test_a_speaker_who_went_on_meanwhile_is_not_interrupted(self) -> None:
        on = window(0.0, 3.0, ("my", 0.2, 0.4), ("number", 0.5, 0.8), ("5", 0.9, 1.2), ("is", 2.4, 2.6))
        reports = await heard(self.HELD, pause(1.2), on, window(3.0, 4.0, ("it", 3.1, 3.2), speech_final=True))
        assert folded(reports) == ["my number 5 is it"]

    async def test_words_that_are_taken_back_end_what_was_settled_before_them(self) -> None:
        reports = await heard(window(0.0, 0.1, ("hi", 0.0, 0.1)), self.HELD, pause(1.2), window(0.1, 1.5))
        assert folded(reports) == ["hi"]

    @pytest.mark.parametrize("end", [-1, None])
    async def test_a_pause_after_no_word_is_none(self, end: float | None) -> None:
        reports = await heard(window(0.0, 1.0, ("hi", 0.2, 0.4)), pause(end), window(1.0, 2.0, ("there", 1.1, 1.3)))
        assert folded(reports) == ["hi there"]

    async def test_each_track_has_its_own(self) -> None:
        reports = await heard(self.HELD, pause(1.2, channel=1), window(0.0, 2.0, ("my", 0.2, 0.4)), window(2.0, 3.0, ("name", 2.1, 2.3)))
        assert folded(reports) == ["my name"]

    async def test_an_empty_window_at_the_edge_of_what_is_settled_still_ends_an_utterance(self) -> None:
        reports = await heard(window(0.0, 1.0, ("hi", 0.2, 0.4)), window(1.0, 1.0, speech_final=True), window(1.0, 2.0, ("you", 1.2, 1.4)))
        assert folded(reports) == ["hi", "you"]

    async def test_the_pause_of_a_connection_that_broke_is_forgotten_with_its_words(self) -> None:
        visits, may_break = 0, asyncio.Event()

        async def break_once(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            if visits == 1:
                await socket.send(self.HELD)
                await socket.send(pause(1.2))
                await may_break.wait()
                socket.transport.abort()
            await answer(socket, window(0.0, 1.3, ("my", 0.2, 0.4)), window(1.3, 4.0, ("number", 1.4, 1.6)), METADATA)

        async with puppet(break_once) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                await until(lambda: transcriber._paused_ms["inbound"] is not None)  # type: ignore[attr-defined]
                may_break.set()
                await until(lambda: bool(told(reports, Lost)))
                transcriber.finish()
        assert folded(reports) == ["my number"]


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20)
strange_words = st.lists(st.fixed_dictionaries({"word": st.text("abcä語", max_size=3), "start": numbers, "end": numbers}), max_size=4)


def strange_window(spoken: list[dict[str, Any]], start: float, duration: float, flags: dict[str, Any], confidence: float | None) -> Any:
    alternative = {"transcript": " ".join(word["word"] for word in spoken), "words": spoken, "confidence": confidence}
    message = {"type": "Results", "channel_index": [0, 2], "start": start, "duration": duration, "channel": {"alternatives": [alternative]}}
    return message | flags


flags = st.fixed_dictionaries({"is_final": st.booleans() | st.none(), "speech_final": st.booleans()})
strange_windows = st.builds(strange_window, strange_words, numbers, numbers, flags, numbers | st.none())
strange_pauses = st.fixed_dictionaries({"type": st.just("UtteranceEnd"), "channel": st.just([0, 2]), "last_word_end": numbers | st.none()})


@settings(max_examples=200)
@given(st.lists(strange_windows | strange_pauses, max_size=6), st.integers(0, 5))
def test_whatever_the_numbers_are_no_word_is_dropped_and_no_time_is_negative_or_backwards(messages: list[Any], blocks: int) -> None:
    context = SessionContext(lambda: 0.0, ProviderCounters())
    deepgram = Deepgram(Endpoint("ws://h", "k", "nova-3"), context)
    utterances, events = Utterances("CA1"), []
    deepgram._report = lambda report: events.append(utterances.fold(report)) if isinstance(report, Recognized) else None
    for block in CALL[:blocks]:
        deepgram.push(block)
        deepgram.replay.next(0.0)
    for message in messages:
        deepgram.receive(json.dumps(message).encode())
    events += utterances.close()
    for event in filter(None, events):
        assert 0 <= event.start <= event.end
    finals = "".join(event.text for event in events if isinstance(event, Final))
    for message in messages:
        if message["type"] == "Results" and message["is_final"]:
            for word in message["channel"]["alternatives"][0]["words"]:
                assert word["word"] in finals


@pytest.mark.parametrize("transcript", ["", None])
async def test_words_without_a_transcript_are_words(transcript: str | None) -> None:
    message = json.loads(window(0.0, 1.0, ("hi", 0.1, 0.3), ("there", 0.4, 0.6), speech_final=True))
    message["channel"]["alternatives"][0]["transcript"] = transcript
    assert folded(await heard(json.dumps(message))) == ["hi there"]
