"""Whatever a provider does, audio intake does not notice, and memory has a bound."""

import asyncio
import gc
import logging
import tracemalloc
from dataclasses import replace

import pytest
from websockets.asyncio.server import ServerConnection

from hub.audio.timeline import Block
from hub.ops.counters import ProviderCounters
from hub.transcribers import session
from hub.transcribers.transcriber import Lost
from hub.transcribers.utterances import NotTranscribed, Recognized
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import BEGIN, METADATA, answer, puppet, results
from tests.providers.script import Script
from tests.providers.vendors import DEEPGRAM, HURRY, Vendor, sessions
from tests.transcribers.runs import CALL, CALLEE, CALLER, VENDORS, push, running, texts, told, transcribed, until, words


@VENDORS
async def test_one_that_reads_nothing_costs_a_bounded_amount_of_memory(vendor: Vendor) -> None:
    async def sleep(socket: ServerConnection) -> None:
        if vendor is not DEEPGRAM:
            await socket.send(BEGIN)
        socket.transport.pause_reading()

    ten_minutes = [Block(tenth * 100.0, b"\x01" * 800, b"\x01" * 800) for tenth in range(6000)]
    async with puppet(sleep) as url:
        transcriber = vendor.open(url)
        async with running(transcriber) as (reports, run):
            push(transcriber, ten_minutes[:500])
            await until(lambda: all(each._connection and each._connection.ready for each in sessions(transcriber)))
            gc.collect()
            tracemalloc.start()
            for block in ten_minutes[500:]:
                transcriber.push(Block(block.start_ms, bytes(800), bytes(800)))
            grown = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            run.cancel()
    assert grown < 2_500_000 * vendor.sessions, "a minute of two tracks is 960,000 bytes; all of it is 8,800,000"
    assert not told(reports, NotTranscribed), "it is told at the next connection, or at the end"


async def test_one_that_settles_audio_it_never_got_does_not_silence_later_audio() -> None:
    heard = bytearray()

    async def boast(socket: ServerConnection) -> None:
        await socket.send(results("", 0.0, 86_400.0, final=True))
        async for message in socket:
            if isinstance(message, bytes):
                heard.extend(message)
            else:
                await socket.send(METADATA)

    async with puppet(boast) as url:
        transcriber = DEEPGRAM.open(url)
        async with running(transcriber) as (_, run):
            push(transcriber, CALL[:5])
            await until(lambda: len(heard) == 8000)
            await asyncio.sleep(0)
            push(transcriber, CALL[5:])
            transcriber.finish()
    assert run.result() is True
    assert bytes(heard) == b"".join(block.stereo() for block in CALL)


async def test_messages_that_make_no_sense_cost_only_themselves_and_the_transcript_is_not_called_complete(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, session.log.name)

    async def babble(socket: ServerConnection) -> None:
        for message in ("", "{", "[]", '{"type":"Results"}', b"\x00\xff", '{"type":7}', results("x", 0.0, 0.1, final=True, channel=7)):
            await socket.send(message)
        await socket.send(results("hello", 0.1, 0.3, final=True, speech_final=True))
        await answer(socket, METADATA)

    async with puppet(babble) as url:
        reports, complete = await transcribed(DEEPGRAM.open(url), CALL[:10])
    assert not complete, "one of them may have held words"
    assert [heard.text for heard in told(reports, Recognized) if heard.text] == ["hello"]


async def test_deepgram_is_not_left_for_saying_nothing_while_no_audio_comes() -> None:
    async with FakeDeepgram() as fake:
        transcriber = DEEPGRAM.open(fake.url, limits=replace(HURRY, silent_seconds=0.2, keep_alive_seconds=0.05))
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            await fake.until(lambda: len(fake.visits[0].messages) > 10 if fake.visits else False)
            transcriber.finish()
    assert run.result() is True
    assert not told(reports, Lost)
    assert set(fake.visits[0].messages[:-1]) == {'{"type":"KeepAlive"}'}


async def test_deepgram_is_left_for_saying_nothing_of_audio() -> None:
    async with FakeDeepgram(Script(never_answer=True)) as fake:
        transcriber = DEEPGRAM.open(fake.url, limits=replace(HURRY, silent_seconds=0.1))
        async with running(transcriber) as (reports, run):
            for block in CALL:
                transcriber.push(block)
                await asyncio.sleep(0.01)
            await fake.until(lambda: len(fake.visits) > 1)
            run.cancel()
    assert told(reports, Lost)[0].reason == "has said nothing for 0 s"


async def test_deepgram_is_left_for_saying_nothing_if_it_reads_nothing_so_that_no_audio_can_flow() -> None:
    async def sleep(socket: ServerConnection) -> None:
        socket.transport.pause_reading()

    now = 100.0
    async with puppet(sleep) as url:
        transcriber = DEEPGRAM.open(url, limits=replace(HURRY, replay_ms=1_000_000), clock=lambda: now)
        async with running(transcriber) as (reports, run):
            await until(lambda: all(each._connection and each._connection.ready for each in sessions(transcriber)))
            connection = transcriber._connection  # type: ignore[attr-defined]
            tenth = 0
            while connection.has_room:
                transcriber.push(Block(tenth * 100.0, b"\x01" * 800, b"\x01" * 800))
                tenth += 1
                await asyncio.sleep(0)
            now += HURRY.silent_seconds
            await until(lambda: bool(told(reports, Lost)))
            run.cancel()
    assert told(reports, Lost)[0].reason == "has said nothing for 30 s"


@VENDORS
async def test_repeated_and_unknown_messages_change_nothing(vendor: Vendor) -> None:
    counters = ProviderCounters()
    async with vendor.fake(Script(repeat=True, unknown=True, flood=3)) as fake:
        reports, complete = await transcribed(vendor.open(fake.url, counters), CALL)
    assert complete
    assert (words(reports), words(reports, "outbound")) == (texts(CALLER), texts(CALLEE))
    assert counters.repeats == len(CALLER) + len(CALLEE)
