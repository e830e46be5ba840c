"""What is peculiar to AssemblyAI's sessions: turns, and two sessions a call."""

import asyncio
import json
import time
from dataclasses import replace

import pytest
from websockets.asyncio.server import ServerConnection

from hub.audio.g711 import silence
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.utterances import NotTranscribed, Recognized, RecognizedWord
from hub.vendors.assemblyai.transcriber import AssemblyAI
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.puppet import BEGIN, TERMINATION, answer, puppet, turn
from tests.providers.script import Script, said
from tests.providers.vendors import CLASSIC, HURRY, MIXED, SEPARATE, Vendor, call_of, sessions
from tests.transcribers.runs import CALL, CALLEE, CALLER, push, running, texts, told, transcribed, until, words

LOUD = [Block(tenth * 100.0, b"\x01" * 800, b"\x02" * 800) for tenth in range(3)]
"""Sound on both tracks."""


async def test_a_backlog_that_is_not_processed_yet_is_not_settled_as_silence() -> None:
    early = said("this was said a minute ago", 1.0)
    async with FakeAssemblyAI(Script(slow_seconds=0.3)) as fake:
        transcriber = SEPARATE.open(fake.url)
        push(transcriber, call_of(early, [], 55.0))
        async with running(transcriber) as (reports, _):
            await fake.until(lambda: fake.open_sessions == 1)
            await asyncio.sleep(0.1)  # several ticks, and no turn so far
            transcriber.finish()
    assert words(reports) == texts(early)


async def test_silence_does_not_fill_the_replay_buffer() -> None:
    began = time.monotonic()
    async with FakeAssemblyAI() as fake:
        transcriber = MIXED.open(fake.url, clock=lambda: began + (time.monotonic() - began) * 100)
        async with running(transcriber) as (reports, run):
            for block in call_of(CALLER, [], 50.0):
                transcriber.push(block)
                await asyncio.sleep(0.001)
            await until(lambda: transcriber.replay.held_ms <= 21_000)  # type: ignore[attr-defined]
            run.cancel()
    assert words(reports) == texts(CALLER)
    assert not told(reports, NotTranscribed)


async def test_a_turn_without_its_formatted_end_is_reported_when_the_next_begins_or_the_session_ends() -> None:
    async def hasty(socket: ServerConnection) -> None:
        await socket.send(BEGIN)
        await answer(socket, turn("one", (100, 300), order=0, end=True), turn("two", (400, 600), order=1, end=True), TERMINATION)

    async with puppet(hasty) as url:
        reports, complete = await transcribed(CLASSIC.open(url), CALL)
    assert complete
    assert (words(reports), words(reports, "outbound")) == (["one", "two"], ["one", "two"])


async def test_mixed_a_turn_recognized_again_on_the_other_track_withdraws_its_first_words() -> None:
    visits, heard_first = 0, asyncio.Event()

    async def change_ones_mind(socket: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await socket.send(BEGIN)
        if visits == 1:
            await socket.recv()
            await socket.send(turn("hello", (500, 700)))
            await heard_first.wait()
            socket.transport.abort()
        await answer(socket, turn("yellow", (3000, 3200), end=True), TERMINATION)

    async with puppet(change_ones_mind) as url:
        transcriber = MIXED.open(url)
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            transcriber.finish()
            await until(lambda: bool(told(reports, Recognized)))
            heard_first.set()
    assert run.result() is True
    heard = [(each.track, each.text, each.closes) for each in told(reports, Recognized)]
    assert heard[:3] == [("inbound", "hello", False), ("inbound", "", True), ("outbound", "yellow", True)]


async def test_mixed_a_turn_belongs_to_who_is_louder_at_its_first_word_even_if_words_come_late() -> None:
    async def slow_to_see_words(socket: ServerConnection) -> None:
        await socket.send(BEGIN)
        await answer(socket, turn(""), turn("of", (3000, 3250)), turn("of course", (3000, 3250), (3300, 3550), end=True), TERMINATION)

    async with puppet(slow_to_see_words) as url:
        reports, _ = await transcribed(MIXED.open(url), CALL)
    assert (words(reports), words(reports, "outbound")) == ([], ["of", "course"])


async def test_when_one_session_is_refused_the_other_is_closed_and_their_audio_is_one_again() -> None:
    async with FakeAssemblyAI(Script(refuse=[None, 1008])) as fake:
        transcriber = SEPARATE.open(fake.url)
        push(transcriber, CALL)
        with pytest.raises(ProviderError, match="check ASSEMBLYAI_API_KEY"):
            await transcriber.run(lambda _: None)
        await fake.until(lambda: not fake.open_sessions)
    assert transcriber.unsettled() == CALL


def test_audio_of_two_sessions_is_joined_where_only_one_still_has_it() -> None:
    transcriber = SEPARATE.open("ws://127.0.0.1:9")
    push(transcriber, LOUD)
    inbound: AssemblyAI = sessions(transcriber)[0]
    for _ in range(2):
        inbound.replay.next(0.0)
    inbound.replay.settle("inbound", 150)
    first, second, third = transcriber.unsettled()
    assert (first.inbound, first.outbound) == (silence(800), LOUD[0].outbound)
    assert (second.inbound, second.outbound) == (silence(400) + LOUD[1].inbound[400:], LOUD[1].outbound)
    assert third == LOUD[2]


def said_turn(order: int = 0, **fields: object) -> str:
    """A Turn of this session, word for word."""
    told = {"type": "Turn", "turn_order": order, "turn_is_formatted": False, "end_of_turn": False, "transcript": "", "words": []}
    return json.dumps(told | fields)


def spoken_at(*words: tuple[str, int, int], final: bool = True) -> list[dict[str, object]]:
    return [{"text": text, "start": start, "end": end, "confidence": 0.9, "word_is_final": final} for text, start, end in words]


HELLO = spoken_at(("hello", 500, 700), ("there", 750, 950))


async def heard(vendor: Vendor, *messages: str) -> list[Recognized]:
    """Return the finals with text when AssemblyAI says this of the call, which it is right to call complete."""

    async def speak(socket: ServerConnection) -> None:
        await socket.send(BEGIN)
        await answer(socket, *messages, TERMINATION)

    async with puppet(speak) as url:
        reports, complete = await transcribed(vendor.open(url), CALL)
    assert complete
    return [each for each in told(reports, Recognized) if each.settled and each.text and each.track == "inbound"]


@pytest.mark.parametrize(
    ("vendor", "messages", "text"),
    [
        (MIXED, [said_turn(end_of_turn=True, words=HELLO)], "hello there"),
        (MIXED, [said_turn(end_of_turn=True, words=HELLO, transcript=None)], "hello there"),
        (MIXED, [said_turn(end_of_turn=True, words=HELLO, utterance="Hello there.")], "Hello there."),
        (MIXED, [said_turn(words=HELLO, transcript="hello there"), said_turn(end_of_turn=True)], "hello there"),
        (MIXED, [said_turn(words=HELLO, transcript="hello there"), said_turn(), said_turn(end_of_turn=True)], "hello there"),
        (MIXED, [said_turn(end_of_turn=True), said_turn(end_of_turn=True, words=HELLO, transcript="Hello there.")], "Hello there."),
        (MIXED, [said_turn(words=[*spoken_at(("uh", 500, 600), final=False)]), said_turn(end_of_turn=True)], None),
        (
            CLASSIC,
            [said_turn(end_of_turn=True, words=HELLO, transcript="hello there"), said_turn(end_of_turn=True, turn_is_formatted=True)],
            "hello there",
        ),
        (
            CLASSIC,
            [
                said_turn(end_of_turn=True, words=HELLO, transcript="hello there"),
                said_turn(end_of_turn=True, turn_is_formatted=True, words=spoken_at(("Hello", 500, 700), ("there.", 750, 950))),
            ],
            "Hello there.",
        ),
        (MIXED, [said_turn(end_of_turn=True, words=spoken_at(("今日は", 500, 700), ("晴れです。", 750, 950)))], "今日は晴れです。"),
    ],
)
async def test_words_that_were_recognized_are_the_words_of_the_turn(vendor: Vendor, messages: list[str], text: str | None) -> None:
    finals = await heard(vendor, *messages)
    assert [final.text for final in finals] == ([text] if text else [])


async def test_words_out_of_order_last_from_the_earliest_to_the_latest() -> None:
    (final,) = await heard(MIXED, said_turn(end_of_turn=True, transcript="there hello", words=[HELLO[1], HELLO[0]]))
    assert (final.start, final.end) == (0.5, 0.95)


@pytest.mark.parametrize("early_seconds", [0, 1, 3])
async def test_a_termination_that_was_on_its_way_before_the_audio_ended_is_not_the_last_message(early_seconds: int) -> None:
    early = json.dumps({"type": "Termination", "audio_duration_seconds": early_seconds})
    part = said_turn(transcript="hello", words=HELLO[:1])
    (final,) = await heard(MIXED, part, early, said_turn(end_of_turn=True, words=HELLO, transcript="hello there"))
    assert final.text == "hello there"


@pytest.mark.parametrize("vendor", [MIXED, SEPARATE])
async def test_a_turns_first_word_begins_with_its_sound(vendor: Vendor) -> None:
    """AssemblyAI says half a second earlier: the answer would stand before its question."""
    (final,) = await heard(
        vendor, said_turn(end_of_turn=True, transcript="hello there", words=spoken_at(("hello", 0, 700), ("there", 750, 950)))
    )
    assert final.start == final.words[0].start == pytest.approx(0.5, abs=0.021)
    assert final.words[1].start == 0.75


async def test_a_turns_first_word_begins_where_it_is_said_to_if_its_sound_is_not_kept() -> None:
    transcriber = MIXED.open("ws://127.0.0.1:9", limits=replace(HURRY, replay_ms=500))
    push(transcriber, CALL[:9])
    assert isinstance(transcriber, AssemblyAI)
    assert transcriber._first_sound("inbound", RecognizedWord("hello", 0.1, 0.7)) == 0.1


async def test_each_track_has_a_session_from_its_first_sound_on_and_none_without_sound() -> None:
    quiet = [Block(block.start_ms, block.inbound, silence(800)) for block in CALL]
    async with FakeAssemblyAI() as fake:
        reports, complete = await transcribed(SEPARATE.open(fake.url), quiet)
        assert (complete, words(reports), len(fake.visits)) == (True, texts(CALLER), 1)
        assert bytes(fake.visits[0].audio) == b"".join(block.inbound for block in quiet)
    async with FakeAssemblyAI() as fake:
        transcriber = SEPARATE.open(fake.url)
        async with running(transcriber) as (reports, _):
            push(transcriber, CALL[:30])
            await fake.until(lambda: bool(fake.visits) and len(fake.visits[0].frame_bytes) == 30)
            assert len(fake.visits) == 1
            push(transcriber, CALL[30:])
            transcriber.finish()
        assert (words(reports), words(reports, "outbound"), len(fake.visits)) == (texts(CALLER), texts(CALLEE), 2)
        assert len(fake.visits[1].frame_bytes) == 29, "with the second before its first sound"


async def test_a_call_without_a_sound_costs_no_session_and_is_complete() -> None:
    async with FakeAssemblyAI() as fake:
        reports, complete = await transcribed(
            SEPARATE.open(fake.url), [Block(tenth * 100.0, silence(800), silence(800)) for tenth in range(900)]
        )
    assert (complete, reports, fake.visits) == (True, [], [])


async def test_when_the_session_of_the_only_track_is_refused_the_audio_of_both_is_there() -> None:
    async with FakeAssemblyAI(Script(refuse=[1008])) as fake:
        transcriber = SEPARATE.open(fake.url)
        push(transcriber, CALL[:20])
        with pytest.raises(ProviderError, match="check ASSEMBLYAI_API_KEY"):
            await transcriber.run(lambda _: None)
    assert transcriber.unsettled() == CALL[:20]


def turn_of(*spoken: tuple[str, int, int, bool], transcript: str | None = None, end: bool = False) -> str:
    """AssemblyAI's message of a turn with words, each of which is final or not."""
    spans = [{"text": text, "start": at, "end": until_ms, "word_is_final": final} for text, at, until_ms, final in spoken]
    whole = " ".join(text for text, *_ in spoken) if transcript is None else transcript
    return json.dumps({"type": "Turn", "turn_order": 0, "transcript": whole, "end_of_turn": end, "words": spans})


@pytest.mark.parametrize(
    ("messages", "finals"),
    [
        ((turn_of(("hi", 100, 300, True), ("there", 400, 600, False)), turn_of(end=True)), ["hi"]),
        ((turn_of(("hi", 100, 300, False)), turn_of(end=True)), []),
        ((turn_of(("hi", 100, 300, True), end=True), turn_of(("Hi", 100, 300, True), ("you", 400, 600, True), end=True)), ["hi", "you"]),
        ((turn_of(("fifty", 100, 300, True), end=True), turn_of(("50", 100, 300, True), end=True)), ["fifty"]),
    ],
)  # fmt: skip
async def test_words_that_were_final_or_follow_a_turns_end_are_kept_and_none_comes_twice(messages: list[str], finals: list[str]) -> None:
    async def speak(socket: ServerConnection) -> None:
        await socket.send(BEGIN)
        await answer(socket, *messages, TERMINATION)

    async with puppet(speak) as url:
        reports, complete = await transcribed(SEPARATE.open(url), CALL)
    heard = [each.text for each in told(reports, Recognized) if each.track == "inbound" and each.settled and each.text]
    assert (complete, heard) == (True, finals)
