"""One session over connections that fail in every way: what is told, when it gives up, and that it never holds anybody up."""

import asyncio
import gc
import json
import logging
import ssl
import subprocess
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve

from hub.audio import TRACKS, silence
from hub.counters import ProviderCounters
from hub.errors import ProviderError
from hub.stereo import Block
from hub.transcribers import Lost, Report, Restored, Transcriber, line, session
from hub.transcribers.assemblyai import AssemblyAI, AssemblyAITracks
from hub.transcript import Heard, Missed
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Script, Word, said
from tests.providers.vendors import CLASSIC, DEEPGRAM, MIXED, SEPARATE, Vendor, call_of

VENDORS = pytest.mark.parametrize("vendor", [pytest.param(each, id=each.name) for each in (DEEPGRAM, SEPARATE, MIXED)])
CALLER, CALLEE = said("hello I would like some flowers", 0.5), said("of course which ones", 3.0)
CALL = call_of(CALLER, CALLEE, 5.0)
R = TypeVar("R")


def told(reports: Iterable[Report], kind: type[R]) -> list[R]:
    return [report for report in reports if isinstance(report, kind)]


def words(reports: Iterable[Report], track: str = "inbound") -> list[str]:
    return [word.text for heard in told(reports, Heard) if heard.settled and heard.track == track for word in heard.words]


def texts(script: Iterable[Word]) -> list[str]:
    return [word.text for word in script]


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not fact():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(transcriber: Transcriber) -> AsyncIterator[tuple[list[Report], asyncio.Task[bool]]]:
    reports: list[Report] = []
    async with asyncio.TaskGroup() as group:
        run = group.create_task(transcriber.run(reports.append))
        yield reports, run


def push(transcriber: Transcriber, blocks: Iterable[Block]) -> None:
    for block in blocks:
        transcriber.push(block)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(session, "TICK_SECONDS", 0.02)


@asynccontextmanager
async def puppet(play: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A provider that does what `play` does with each connection, and keeps it open then."""

    async def attend(socket: ServerConnection) -> None:
        await play(socket)
        await socket.wait_closed()

    async with serve(attend, "127.0.0.1", 0, compression=None, close_timeout=0.1, ssl=tls) as server:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def results(text: str, start: float, end: float, *, final: bool, channel: int = 0, speech_final: bool = False) -> str:
    """Deepgram's message of one word from `start` to `end` in a window that ends with it."""
    spoken = [{"word": text, "start": start, "end": end, "confidence": 0.9}] if text else []
    return json.dumps({
        "type": "Results", "channel_index": [channel, 2], "start": start, "duration": end - start, "is_final": final,
        "speech_final": speech_final, "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": spoken}]},
    })  # fmt: skip


def turn(text: str, *spans: tuple[int, int], order: int = 0, end: bool = False) -> str:
    """AssemblyAI's message of a turn whose words were spoken from and to these ms."""
    spoken: list[dict[str, Any]] = [
        {"text": word, "start": at, "end": until_ms, "confidence": 0.9, "word_is_final": True}
        for word, (at, until_ms) in zip(text.split(), spans, strict=True)
    ]
    return json.dumps({"type": "Turn", "turn_order": order, "transcript": text, "end_of_turn": end, "words": spoken})


class TestLosses:
    """What subscribers are told while a provider comes and goes."""

    @VENDORS
    async def test_one_loss_and_one_return_however_many_tries_lie_between(self, vendor: Vendor) -> None:
        refusals: list[int | None] = [None, *[503 if vendor is DEEPGRAM else 1013] * 6]
        counters = ProviderCounters()
        async with vendor.fake(Script(refuse=refusals, drop_after_bytes=[4000])) as fake:
            transcriber = vendor.open(fake.url, counters)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                transcriber.finish()
        assert run.result() is True
        assert [type(report) for report in reports if not isinstance(report, Heard)] == [Lost, Restored]
        assert counters.reconnects == 7
        assert (words(reports), words(reports, "outbound")) == (texts(CALLER), texts(CALLEE))

    async def test_handshakes_that_hang_are_one_loss_also_when_each_takes_longer_than_a_stable_connection(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(session, "OPEN_SECONDS", 0.1)
        monkeypatch.setattr(session, "STABLE_SECONDS", 0.05)
        async with FakeDeepgram(Script(hang_handshake_seconds=[5.0] * 3)) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, Restored)))
                transcriber.finish()
        (lost,) = told(reports, Lost)
        assert lost == Lost("deepgram", "did not answer the handshake within 0 s", 1)
        assert told(reports, Restored) == [Restored("deepgram", "connected again", 3)]

    async def test_both_sessions_of_a_call_are_one_provider_to_those_who_listen(self) -> None:
        async with FakeAssemblyAI(Script(drop_after_bytes=[4000, 8000, None, 4000])) as fake:
            transcriber = SEPARATE.open(fake.url)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                transcriber.finish()
        changes = [report for report in reports if not isinstance(report, Heard)]
        assert [type(change) for change in changes] in ([Lost, Restored], [Lost, Restored] * 2)
        assert words(reports) == texts(CALLER)

    async def test_audio_that_could_not_be_kept_ends_the_utterance_and_is_a_gap(self) -> None:
        async with FakeDeepgram(Script(drop_after_bytes=[12_800], hang_handshake_seconds=[0, 0.3])) as fake:
            transcriber = DEEPGRAM.open(fake.url, ring_ms=1000)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL[:8])
                await until(lambda: bool(told(reports, Lost)))
                push(transcriber, CALL[8:])
                await until(lambda: bool(told(reports, Restored)))
                transcriber.finish()
        assert [(gap.track, gap.start, gap.end) for gap in told(reports, Missed)] == [("inbound", 0, 4), ("outbound", 0, 4)]
        assert words(reports) == []
        place = reports.index(told(reports, Missed)[0])
        before = reports[place - 1]
        assert isinstance(before, Heard)
        assert (before.text, before.closes) == ("", True)

    async def test_what_was_settled_last_can_still_be_refused_by_the_key(self) -> None:
        async with FakeDeepgram(Script(refuse=[None, 401], drop_after_bytes=[48_000])) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            with pytest.raises(ExceptionGroup) as failed:
                async with running(transcriber) as (reports, _):
                    push(transcriber, CALL)
        (error,) = failed.value.exceptions
        assert isinstance(error, ProviderError)
        assert error.problem.startswith("refused the key (401 INVALID_AUTH): check DEEPGRAM_API_KEY")
        heard = len(words(reports))
        assert heard >= 4
        async with FakeDeepgram() as fake:
            second = DEEPGRAM.open(fake.url)
            async with running(second) as (rest, _):
                push(second, transcriber.unheard())
                second.finish()
        assert words(reports) + words(rest) == texts(CALLER)


class TestTheEnd:
    """How long a call that is over waits for its last words."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "LAST_WORDS_SECONDS", 0.3)
        monkeypatch.setattr(session, "LAST_WORDS_MOST_SECONDS", 1.0)

    @VENDORS
    async def test_a_provider_that_never_answers_is_given_up_and_what_it_did_not_say_is_a_gap(self, vendor: Vendor) -> None:
        async with vendor.fake(Script(never_answer=True)) as fake:
            transcriber = vendor.open(fake.url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                transcriber.finish()
                began = time.monotonic()
        assert run.result() is False
        assert 0.25 < time.monotonic() - began < 1.5
        assert {(gap.track, gap.start, gap.end) for gap in told(reports, Missed)} == {(track, 0.0, 5.0) for track in TRACKS}
        assert {gap.reason.partition(" ")[2] for gap in told(reports, Missed)} == {"was lost before its last word"}

    @VENDORS
    async def test_a_provider_that_cannot_be_reached_is_given_up(self, vendor: Vendor) -> None:
        transcriber = vendor.open("ws://127.0.0.1:9")
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            await until(lambda: bool(told(reports, Lost)))
            transcriber.finish()
        assert run.result() is False
        assert {gap.end for gap in told(reports, Missed)} == {5.0}

    async def test_the_wait_for_the_next_try_ends_with_the_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "BACKOFF_SECONDS", (60.0, 60.0))
        async with FakeDeepgram(Script(refuse=[503])) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, Lost)))
                transcriber.finish()
        assert run.result() is True
        assert words(reports) == texts(CALLER)

    async def test_a_provider_that_talks_without_end_is_given_up_too(self) -> None:
        async def talk(socket: ServerConnection) -> None:
            while True:
                await socket.send(results("so", 0.0, 0.2, final=False))
                await asyncio.sleep(0.01)

        async with puppet(talk) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (_, run):
                push(transcriber, CALL)
                transcriber.finish()
        assert run.result() is False

    async def test_words_that_come_late_are_waited_for(self) -> None:
        async with FakeDeepgram(Script(last_words_delay_seconds=0.2)) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            async with running(transcriber) as (reports, run):
                push(transcriber, call_of([], said("one last word", 4.0), 5.0))
                transcriber.finish()
        assert run.result() is True
        assert words(reports, "outbound") == ["one", "last", "word"]

    async def test_a_call_whose_words_are_all_settled_needs_no_other_connection_to_be_complete(self) -> None:
        async def settle(socket: ServerConnection) -> None:
            heard = 0
            async for message in socket:
                heard += len(message) if isinstance(message, bytes) else 0
                if heard == 16_000:
                    for channel in range(2):
                        await socket.send(results("done", 0.0, 1.0, final=True, channel=channel))
                    socket.transport.abort()

        async with puppet(settle) as url:
            transcriber, counters = DEEPGRAM.open(url), ProviderCounters()
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL[:10])
                transcriber.finish()
        assert (run.result(), counters.reconnects) == (True, 0)
        assert not told(reports, Lost)
        assert {heard.track for heard in told(reports, Heard) if heard.closes} == set(TRACKS)

    async def test_unsettled_words_are_not_taken_back_by_the_providers_goodbye(self) -> None:
        async def forget(socket: ServerConnection) -> None:
            await socket.send(results("well", 0.0, 0.2, final=False))
            async for message in socket:
                if isinstance(message, str):
                    await socket.send('{"type":"Metadata","request_id":"r","duration":1.0}')

        async with puppet(forget) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL[:10])
                transcriber.finish()
        assert run.result() is True
        assert [(heard.track, heard.text) for heard in told(reports, Heard)] == [("inbound", "well"), ("outbound", "")]


class TestAStalledOrStrangeProvider:
    """It may do what it likes: audio intake does not notice, and memory has a bound."""

    @VENDORS
    async def test_one_that_reads_nothing_costs_a_bounded_amount_of_memory(self, vendor: Vendor) -> None:
        async def sleep(socket: ServerConnection) -> None:
            if vendor is not DEEPGRAM:
                await socket.send('{"type":"Begin","id":"1","expires_at":1}')
            socket.transport.pause_reading()

        ten_minutes = [Block(tenth * 100.0, b"\x01" * 800, b"\x01" * 800) for tenth in range(6000)]
        async with puppet(sleep) as url:
            transcriber = vendor.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, ten_minutes[:500])
                await until(lambda: all(each._line and each._line.ready for each in sessions(transcriber)))
                gc.collect()
                tracemalloc.start()
                slowest = 0.0
                for block in ten_minutes[500:]:
                    began = time.perf_counter()
                    transcriber.push(Block(block.start_ms, bytes(800), bytes(800)))
                    slowest = max(slowest, time.perf_counter() - began)
                grown = tracemalloc.get_traced_memory()[0]
                tracemalloc.stop()
                run.cancel()
        assert grown < 2_500_000 * vendor.sessions, "a minute of two tracks is 960,000 bytes; all of it is 8,800,000"
        assert slowest < 0.25  # a collection of garbage may fall into one
        assert not told(reports, Missed), "it is told at the next connection, or at the end"

    async def test_one_that_settles_audio_it_never_got_does_not_silence_what_comes(self) -> None:
        heard = bytearray()

        async def boast(socket: ServerConnection) -> None:
            await socket.send(results("", 0.0, 86_400.0, final=True))
            async for message in socket:
                if isinstance(message, bytes):
                    heard.extend(message)
                else:
                    await socket.send('{"type":"Metadata","request_id":"r"}')

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

    async def test_messages_that_make_no_sense_cost_only_themselves(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL, session.log.name)

        async def babble(socket: ServerConnection) -> None:
            for message in ("", "{", "[]", '{"type":"Results"}', b"\x00\xff", '{"type":7}', results("x", 0.0, 0.1, final=True, channel=7)):
                await socket.send(message)
            await socket.send(results("hello", 0.1, 0.3, final=True, speech_final=True))
            async for message in socket:
                if isinstance(message, str):
                    await socket.send('{"type":"Metadata","request_id":"r"}')

        async with puppet(babble) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL[:10])
                transcriber.finish()
        assert run.result() is True
        assert [heard.text for heard in told(reports, Heard) if heard.text] == ["hello"]

    async def test_deepgram_is_not_left_for_saying_nothing_while_no_audio_comes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "SILENT_SECONDS", 0.2)
        monkeypatch.setattr(session, "KEEP_ALIVE_SECONDS", 0.05)
        async with FakeDeepgram() as fake:
            transcriber = DEEPGRAM.open(fake.url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                await fake.until(lambda: len(fake.visits[0].messages) > 10 if fake.visits else False)
                transcriber.finish()
        assert run.result() is True
        assert not told(reports, Lost)
        assert set(fake.visits[0].messages[:-1]) == {'{"type":"KeepAlive"}'}

    async def test_deepgram_is_left_for_saying_nothing_of_audio(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "SILENT_SECONDS", 0.1)
        async with FakeDeepgram(Script(never_answer=True)) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            async with running(transcriber) as (reports, run):
                for block in CALL:
                    transcriber.push(block)
                    await asyncio.sleep(0.01)
                run.cancel()
        assert len(fake.visits) > 1
        assert told(reports, Lost)[0].reason == "has said nothing for 0 s"

    @VENDORS
    async def test_repeated_and_unknown_messages_change_nothing(self, vendor: Vendor) -> None:
        counters = ProviderCounters()
        async with vendor.fake(Script(repeat=True, unknown=True, flood=3)) as fake:
            transcriber = vendor.open(fake.url, counters)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                transcriber.finish()
        assert run.result() is True
        assert (words(reports), words(reports, "outbound")) == (texts(CALLER), texts(CALLEE))
        assert counters.repeats == len(CALLER) + len(CALLEE)


def sessions(transcriber: Transcriber) -> tuple[Any, ...]:
    return transcriber.sessions if isinstance(transcriber, AssemblyAITracks) else (transcriber,)


class TestAssemblyAI:
    """What is peculiar to turns."""

    async def test_a_backlog_that_is_still_to_be_heard_is_not_taken_for_silence(self) -> None:
        early = said("this was said a minute ago", 1.0)
        async with FakeAssemblyAI(Script(slow_seconds=0.3)) as fake:
            transcriber = SEPARATE.open(fake.url)
            push(transcriber, call_of(early, [], 55.0))
            async with running(transcriber) as (reports, _):
                await fake.until(lambda: fake.open_sessions == 2)
                await asyncio.sleep(0.1)  # several ticks, and no turn so far
                transcriber.finish()
        assert words(reports) == texts(early)

    async def test_silence_does_not_fill_the_ring(self) -> None:
        began = time.monotonic()
        async with FakeAssemblyAI() as fake:
            transcriber = MIXED.open(fake.url, clock=lambda: began + (time.monotonic() - began) * 100)
            async with running(transcriber) as (reports, run):
                for block in call_of(CALLER, [], 50.0):
                    transcriber.push(block)
                    await asyncio.sleep(0.001)
                await until(lambda: transcriber.ring.held_ms <= 21_000)  # type: ignore[attr-defined]
                run.cancel()
        assert words(reports) == texts(CALLER)
        assert not told(reports, Missed)

    async def test_a_turn_without_its_formatted_end_is_told_when_the_next_begins_or_the_session_ends(self) -> None:
        async def hasty(socket: ServerConnection) -> None:
            await socket.send('{"type":"Begin","id":"1","expires_at":1}')
            async for message in socket:
                if isinstance(message, str):
                    await socket.send(turn("one", (100, 300), order=0, end=True))
                    await socket.send(turn("two", (400, 600), order=1, end=True))
                    await socket.send('{"type":"Termination"}')

        async with puppet(hasty) as url:
            transcriber = CLASSIC.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                transcriber.finish()
        assert run.result() is True
        assert (words(reports), words(reports, "outbound")) == (["one", "two"], ["one", "two"])

    async def test_mixed_a_turn_heard_again_on_the_other_track_takes_its_first_words_back(self) -> None:
        visits = 0

        async def change_ones_mind(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            await socket.send('{"type":"Begin","id":"1","expires_at":1}')
            if visits == 1:
                await socket.recv()
                await socket.send(turn("hello", (500, 700)))
                await asyncio.sleep(0.05)
                socket.transport.abort()
            async for message in socket:
                if isinstance(message, str):
                    await socket.send(turn("yellow", (3000, 3200), end=True))
                    await socket.send('{"type":"Termination"}')

        async with puppet(change_ones_mind) as url:
            transcriber = MIXED.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                transcriber.finish()
        assert run.result() is True
        heard = [(each.track, each.text, each.closes) for each in told(reports, Heard)]
        assert heard[:3] == [("inbound", "hello", False), ("inbound", "", True), ("outbound", "yellow", True)]

    async def test_mixed_a_turn_belongs_to_who_is_louder_at_its_first_word_even_if_words_come_late(self) -> None:
        async def slow_to_see_words(socket: ServerConnection) -> None:
            await socket.send('{"type":"Begin","id":"1","expires_at":1}')
            async for message in socket:
                if isinstance(message, str):
                    await socket.send(turn("", order=0))
                    await socket.send(turn("of", (3000, 3250), order=0))
                    await socket.send(turn("of course", (3000, 3250), (3300, 3550), order=0, end=True))
                    await socket.send('{"type":"Termination"}')

        async with puppet(slow_to_see_words) as url:
            transcriber = MIXED.open(url)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                transcriber.finish()
        assert (words(reports), words(reports, "outbound")) == ([], ["of", "course"])

    async def test_when_one_session_is_refused_the_other_is_closed_and_their_audio_is_one_again(self) -> None:
        async with FakeAssemblyAI(Script(refuse=[None, 1008])) as fake:
            transcriber = SEPARATE.open(fake.url)
            push(transcriber, CALL)
            with pytest.raises(ProviderError, match="check ASSEMBLYAI_API_KEY"):
                await transcriber.run(lambda _: None)
            await fake.until(lambda: not fake.open_sessions)
        assert transcriber.unheard() == CALL

    def test_audio_of_two_sessions_is_joined_where_only_one_still_has_it(self) -> None:
        transcriber = SEPARATE.open("ws://127.0.0.1:9")
        push(transcriber, CALL[:3])
        inbound: AssemblyAI = sessions(transcriber)[0]
        for _ in range(2):
            inbound.ring.next(0.0)
        inbound.ring.settle("inbound", 150)
        first, second, third = transcriber.unheard()
        assert (first.inbound, first.outbound) == (silence(800), CALL[0].outbound)
        assert (second.inbound, second.outbound) == (silence(400) + CALL[1].inbound[400:], CALL[1].outbound)
        assert third == CALL[2]


class TestSecretsAndAddresses:
    """What is said of a connection that could not be made."""

    async def test_the_key_is_in_no_log_not_even_of_the_library(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        async with FakeDeepgram(Script(drop_after_bytes=[8000], refuse=[503])) as fake:
            transcriber = DEEPGRAM.open(fake.url)
            transcriber._key = "canary-key"  # type: ignore[attr-defined]
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                transcriber.finish()
        assert fake.visits[1].headers["Authorization"] == "Token canary-key"
        ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]  # the fake's own log
        assert any("attempt 1" in message for message in ours)
        assert "canary" not in repr([*ours, reports, transcriber])

    @pytest.mark.parametrize(
        ("url", "says", "retryable"),
        [
            ("ws://", "check DEEPGRAM_URL", False),
            ("http://127.0.0.1", "check DEEPGRAM_URL", False),
            ("ws://" + "a" * 70 + ".example", "check DEEPGRAM_URL", False),
            ("ws://127.0.0.1:9", "cannot be reached: ", True),
        ],
    )
    async def test_an_address_that_cannot_work_is_told_by_its_setting(self, url: str, says: str, retryable: bool) -> None:
        with pytest.raises(ProviderError) as failed:
            await line.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
        assert says in failed.value.problem
        assert failed.value.retryable is retryable

    async def test_what_answers_but_is_no_websocket_is_tried_again(self) -> None:
        async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(ProviderError, match="cannot be reached") as failed:
                await line.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=False))
        assert failed.value.retryable

    async def test_over_tls_connections_break_and_are_cancelled_as_without(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test", "-addext"]
        try:
            subprocess.run([*command, "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl makes the certificate for this test")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        monkeypatch.setattr(line, "_tls", lambda: ssl.create_default_context(cafile=certificate))
        visits = 0

        async def break_off(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            await socket.recv()
            if visits < 3:
                socket.transport.abort()
            elif visits == 4:
                async for message in socket:
                    if isinstance(message, str):
                        await socket.send('{"type":"Metadata","request_id":"r"}')
                        await socket.close()

        async with puppet(break_off, tls) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (reports, run):
                for block in CALL:
                    transcriber.push(block)
                    await asyncio.sleep(0.001)
                await until(lambda: visits == 3)
                transcriber.push(CALL[-1])
                run.cancel()
            last = DEEPGRAM.open(url)
            async with running(last) as (_, ended):
                push(last, CALL)
                last.finish()
        assert run.cancelled()
        assert ended.result() is True
        assert told(reports, Lost)[0].reason == "lost the connection"

    def test_the_machines_certificates_are_read_once(self) -> None:
        line.prepare("wss://api.deepgram.com/v1/listen")
        assert line._tls() is line._tls()
