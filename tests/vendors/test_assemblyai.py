"""What is peculiar to AssemblyAI's sessions: turns, and two sessions a call."""

import asyncio
import time

import pytest
from websockets.asyncio.server import ServerConnection

from hub.audio.g711 import silence
from hub.errors import ProviderError
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.assemblyai.transcriber import AssemblyAI
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.puppet import BEGIN, TERMINATION, answer, puppet, turn
from tests.providers.script import Script, said
from tests.providers.vendors import CLASSIC, MIXED, SEPARATE, call_of, sessions
from tests.transcribers.runs import CALL, CALLER, push, running, texts, told, transcribed, until, words


async def test_a_backlog_that_is_not_processed_yet_is_not_settled_as_silence() -> None:
    early = said("this was said a minute ago", 1.0)
    async with FakeAssemblyAI(Script(slow_seconds=0.3)) as fake:
        transcriber = SEPARATE.open(fake.url)
        push(transcriber, call_of(early, [], 55.0))
        async with running(transcriber) as (reports, _):
            await fake.until(lambda: fake.open_sessions == 2)
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
    push(transcriber, CALL[:3])
    inbound: AssemblyAI = sessions(transcriber)[0]
    for _ in range(2):
        inbound.replay.next(0.0)
    inbound.replay.settle("inbound", 150)
    first, second, third = transcriber.unsettled()
    assert (first.inbound, first.outbound) == (silence(800), CALL[0].outbound)
    assert (second.inbound, second.outbound) == (silence(400) + CALL[1].inbound[400:], CALL[1].outbound)
    assert third == CALL[2]
