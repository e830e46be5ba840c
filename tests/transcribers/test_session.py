"""One session over connections that come and go: what it reports meanwhile, and how it ends."""

import asyncio
import time
from dataclasses import replace

import pytest
from websockets.asyncio.server import ServerConnection

from hub.audio.g711 import TRACKS
from hub.backoff import Backoff
from hub.errors import ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.transcriber import Lost, Restored
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.deepgram.wire import CLOSE_STREAM, KEEP_ALIVE
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import BEGIN, METADATA, TERMINATION, answer, puppet, results
from tests.providers.script import Script, said
from tests.providers.vendors import DEEPGRAM, HURRY, MIXED, SEPARATE, Vendor, call_of
from tests.transcribers.runs import CALL, CALLEE, CALLER, VENDORS, push, running, texts, told, transcribed, until, words

IMPATIENT = replace(HURRY, last_words_seconds=0.3, last_words_most_seconds=1.0)


class TestLosses:
    """What is reported while a provider comes and goes."""

    @VENDORS
    async def test_one_loss_and_one_return_however_many_attempts_lie_between(self, vendor: Vendor) -> None:
        refusals: list[int | None] = [None, *[503 if vendor is DEEPGRAM else 1013] * 6]
        counters = ProviderCounters()
        async with vendor.fake(Script(refuse=refusals, drop_after_bytes=[4000])) as fake:
            reports, complete = await transcribed(vendor.open(fake.url, counters), CALL)
        assert complete
        assert [type(report) for report in reports if not isinstance(report, Recognized)] == [Lost, Restored]
        assert (counters.reconnects, counters.restored) == (7, vendor.sessions)
        assert (words(reports), words(reports, "outbound")) == (texts(CALLER), texts(CALLEE))

    async def test_handshakes_that_hang_are_one_loss_also_if_each_takes_longer_than_a_stable_connection(self) -> None:
        limits = replace(HURRY, open_seconds=0.1, stable_seconds=0.05)
        async with FakeDeepgram(Script(hang_handshake_seconds=[5.0] * 3)) as fake:
            transcriber = DEEPGRAM.open(fake.url, limits=limits)
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, Restored)))
                transcriber.finish()
        (lost,) = told(reports, Lost)
        assert lost == Lost("deepgram", "did not answer the handshake within 0 s", 1)
        assert told(reports, Restored) == [Restored("deepgram", "connected again", 3)]

    async def test_what_is_lost_while_a_provider_is_away_for_long_is_reported_while_it_is_away(self) -> None:
        async with FakeDeepgram(Script(refuse=[503] * 999)) as fake:
            transcriber = DEEPGRAM.open(fake.url, limits=replace(HURRY, replay_ms=1000, outage_ms=3000))
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, NotTranscribed)))
                run.cancel()
        assert [(gap.track, gap.start, gap.end) for gap in told(reports, NotTranscribed)] == [("inbound", 0, 4), ("outbound", 0, 4)]

    async def test_both_sessions_of_a_call_are_one_provider_to_subscribers(self) -> None:
        async with FakeAssemblyAI(Script(drop_after_bytes=[4000, 8000, None, 4000])) as fake:
            reports, _ = await transcribed(SEPARATE.open(fake.url), CALL)
        changes = [report for report in reports if not isinstance(report, Recognized)]
        assert [type(change) for change in changes] in ([Lost, Restored], [Lost, Restored] * 2)
        assert words(reports) == texts(CALLER)

    async def test_a_provider_that_opens_the_socket_and_never_accepts_the_session_is_lost(self) -> None:
        async def say_nothing(_: ServerConnection) -> None:
            pass

        now = 100.0
        async with puppet(say_nothing) as url:
            transcriber = MIXED.open(url, limits=replace(HURRY, open_seconds=10.0), clock=lambda: now)
            async with running(transcriber) as (reports, run):
                await until(lambda: transcriber._connection is not None)  # type: ignore[attr-defined]
                now += 10.0
                await until(lambda: bool(told(reports, Lost)))
                run.cancel()
        assert told(reports, Lost)[0].reason == "did not begin the session within 10 s"

    async def test_a_cancelled_session_is_ended_in_the_providers_own_words_so_that_it_is_not_billed_on(self) -> None:
        messages: list[str | bytes] = []
        closed = asyncio.Event()

        async def listen(socket: ServerConnection) -> None:
            async for message in socket:
                messages.append(message)
            closed.set()

        async with puppet(listen) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (_, run):
                push(transcriber, CALL[:1])
                await until(lambda: bool(messages))
                run.cancel()
            await closed.wait()
        assert messages == [CALL[0].stereo(), CLOSE_STREAM]

    async def test_audio_that_could_not_be_kept_is_one_gap_and_audio_without_its_last_words_another(self) -> None:
        transcriber = DEEPGRAM.open("ws://127.0.0.1:9", limits=replace(IMPATIENT, replay_ms=1000))
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            await until(lambda: bool(told(reports, Lost)))
            transcriber.finish()
        assert run.result() is False
        assert [(gap.start, gap.end, gap.reason) for gap in told(reports, NotTranscribed) if gap.track == "inbound"] == [
            (0.0, 4.0, "Deepgram was away for longer than the audio could be kept"),
            (4.0, 5.0, "Deepgram was lost before its last word"),
        ]

    async def test_a_session_that_is_accepted_twice_began_once(self) -> None:
        async def begin_twice(socket: ServerConnection) -> None:
            await socket.send(BEGIN)
            await socket.send(BEGIN)
            await answer(socket, TERMINATION)

        counters = ProviderCounters()
        async with puppet(begin_twice) as url:
            _, complete = await transcribed(MIXED.open(url, counters), CALL[:10])
        assert complete
        assert sum(counters.handshake_seconds.counts) == 1

    async def test_a_provider_that_ends_the_session_unasked_has_not_recognized_everything(self) -> None:
        """Deepgram sends its last message also after a time-out of its own."""
        heard = bytearray()
        visits = 0

        async def end_at_once(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            if visits == 1:
                await socket.send(METADATA)
                await socket.close()
                return
            async for message in socket:
                if isinstance(message, bytes):
                    heard.extend(message)
                else:
                    await socket.send(METADATA)

        async with puppet(end_at_once) as url:
            transcriber = DEEPGRAM.open(url)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, Restored)))
                transcriber.finish()
        assert run.result() is True
        assert told(reports, Lost)[0].reason.startswith("hung up before the end (1000)")
        assert bytes(heard) == b"".join(block.stereo() for block in CALL)

    async def test_audio_that_could_not_be_kept_ends_the_utterance_and_is_a_gap(self) -> None:
        async with FakeDeepgram(Script(drop_after_bytes=[12_800], hang_handshake_seconds=[0, 0.3])) as fake:
            transcriber = DEEPGRAM.open(fake.url, limits=replace(HURRY, replay_ms=1000))
            async with running(transcriber) as (reports, _):
                push(transcriber, CALL[:8])
                await until(lambda: bool(told(reports, Lost)))
                push(transcriber, CALL[8:])
                await until(lambda: bool(told(reports, Restored)))
                transcriber.finish()
        assert [(gap.track, gap.start, gap.end) for gap in told(reports, NotTranscribed)] == [("inbound", 0, 4), ("outbound", 0, 4)]
        assert words(reports) == []
        place = reports.index(told(reports, NotTranscribed)[0])
        before = reports[place - 1]
        assert isinstance(before, Recognized)
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
                push(second, transcriber.unsettled())
                second.finish()
        assert words(reports) + words(rest) == texts(CALLER)


class TestTheEnd:
    """How long a session whose audio is finished waits for its last words."""

    @VENDORS
    async def test_a_provider_that_never_answers_is_given_up_and_what_it_did_not_say_is_a_gap(self, vendor: Vendor) -> None:
        limits = replace(IMPATIENT, last_words_most_seconds=600.0)  # so that only its silence can end the wait
        began = time.monotonic()
        async with vendor.fake(Script(never_answer=True)) as fake:
            reports, complete = await transcribed(vendor.open(fake.url, limits=limits), CALL)
        assert not complete
        assert time.monotonic() - began >= 0.3, "it was waited for"
        began = {"inbound": 0.0, "outbound": 2.1 if vendor is SEPARATE else 0.0}  # that one opens a session a second before a track's sound
        assert {(gap.track, gap.start, gap.end) for gap in told(reports, NotTranscribed)} == {
            (track, began[track], 5.0) for track in TRACKS
        }
        assert {gap.reason.partition(" ")[2] for gap in told(reports, NotTranscribed)} == {"was lost before its last word"}

    @VENDORS
    async def test_a_provider_that_cannot_be_reached_is_given_up(self, vendor: Vendor) -> None:
        transcriber = vendor.open("ws://127.0.0.1:9", limits=IMPATIENT)
        async with running(transcriber) as (reports, run):
            push(transcriber, CALL)
            await until(lambda: bool(told(reports, Lost)))
            transcriber.finish()
        assert run.result() is False
        assert {gap.end for gap in told(reports, NotTranscribed)} == {5.0}

    async def test_the_wait_for_the_next_attempt_ends_with_the_call(self) -> None:
        async with FakeDeepgram(Script(refuse=[503])) as fake:
            transcriber = DEEPGRAM.open(fake.url, limits=replace(HURRY, backoff=Backoff(3600.0, 3600.0)))
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL)
                await until(lambda: bool(told(reports, Lost)))
                transcriber.finish()
        assert run.result() is True
        assert words(reports) == texts(CALLER)

    async def test_once_the_audio_is_finished_no_wait_between_attempts_is_long(self) -> None:
        """The back-off is an hour: only `hurry_seconds` can end the wait before the test's own time is up."""
        async with FakeDeepgram(Script(refuse=[503])) as fake:
            limits = replace(HURRY, backoff=Backoff(3600.0, 3600.0), hurry_seconds=0.01)
            reports, complete = await transcribed(DEEPGRAM.open(fake.url, limits=limits), CALL)
        assert complete
        assert words(reports) == texts(CALLER)

    async def test_a_provider_that_talks_without_end_is_given_up_too(self) -> None:
        async def talk(socket: ServerConnection) -> None:
            while True:
                await socket.send(results("so", 0.0, 0.2, final=False))
                await asyncio.sleep(0.01)

        async with puppet(talk) as url:
            _, complete = await transcribed(DEEPGRAM.open(url, limits=IMPATIENT), CALL)
        assert not complete

    @pytest.mark.parametrize(("speaks_at", "complete"), [(109.0, True), (101.0, False)])
    async def test_each_word_that_comes_extends_the_wait_for_the_last_ones(self, speaks_at: float, complete: bool) -> None:
        """The audio ends at second 100, and the limit is 10 s without a word: at second 115 only a word after second 105 helps."""
        now, looks, may_speak, may_end = 100.0, 0, asyncio.Event(), asyncio.Event()

        def clock() -> float:
            nonlocal looks
            looks += 1
            return now

        async def speak_late(socket: ServerConnection) -> None:
            await may_speak.wait()
            await socket.send(results("well", 0.0, 0.2, final=False))
            await may_end.wait()
            await socket.send(METADATA)

        async with puppet(speak_late) as url:
            limits = replace(HURRY, last_words_seconds=10.0, last_words_most_seconds=30.0)
            transcriber = DEEPGRAM.open(url, limits=limits, clock=clock)
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL[:10])
                transcriber.finish()
                await until(lambda: bool(transcriber._connection and transcriber._connection.ended_at))  # type: ignore[attr-defined]
                now = speaks_at
                may_speak.set()
                await until(lambda: bool(told(reports, Recognized)))
                now = 115.0
                before = looks
                await until(lambda: run.done() or looks > before + 30)  # some ticks
                may_end.set()
        assert run.result() is complete

    async def test_nothing_is_sent_after_the_end_message(self) -> None:
        """Not the end message again, and no keep-alive, though one is due at every tick."""
        messages: list[str] = []
        looks, may_end = 0, asyncio.Event()

        def clock() -> float:
            nonlocal looks
            looks += 1
            return time.monotonic()

        async def listen(socket: ServerConnection) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep(socket))
                await may_end.wait()
                await socket.send(METADATA)

        async def keep(socket: ServerConnection) -> None:
            async for message in socket:
                if isinstance(message, str):
                    messages.append(message)

        async with puppet(listen) as url:
            transcriber = DEEPGRAM.open(url, limits=replace(HURRY, keep_alive_seconds=0.0), clock=clock)
            async with running(transcriber) as (_, run):
                push(transcriber, CALL[:10])
                await until(lambda: len(messages) > 2)
                transcriber.finish()
                await until(lambda: messages[-1] == CLOSE_STREAM)
                before = looks
                await until(lambda: looks > before + 30)  # some ticks
                may_end.set()
        assert run.result() is True
        assert messages.index(CLOSE_STREAM) == len(messages) - 1
        assert set(messages[:-1]) == {KEEP_ALIVE}

    @VENDORS
    async def test_words_are_settled_when_the_stream_stalls_and_the_keep_alive_is_due(self, vendor: Vendor) -> None:
        """By audio time no turn and no window ends while no audio comes."""
        async with vendor.fake(Script()) as fake:
            transcriber = vendor.open(fake.url, limits=replace(HURRY, keep_alive_seconds=0.05))
            async with running(transcriber) as (reports, _):
                push(transcriber, call_of(CALLER[:3], [], CALLER[2].end))
                await until(lambda: words(reports) == texts(CALLER[:3]))
                kept = len(fake.visits[0].messages)
                await fake.until(lambda: len(fake.visits[0].messages) > kept + 1)
                assert fake.visits[0].messages[-1] == '{"type":"KeepAlive"}', "nothing is open any more"
                transcriber.finish()

    async def test_words_that_come_late_are_waited_for(self) -> None:
        async with FakeDeepgram(Script(last_words_delay_seconds=0.2)) as fake:
            reports, complete = await transcribed(DEEPGRAM.open(fake.url), call_of([], said("one last word", 4.0), 5.0))
        assert complete
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
            counters = ProviderCounters()
            reports, complete = await transcribed(DEEPGRAM.open(url, counters), CALL[:10])
        assert (complete, counters.reconnects) == (True, 0)
        assert not told(reports, Lost)
        assert {heard.track for heard in told(reports, Recognized) if heard.closes} == set(TRACKS)

    async def test_the_providers_last_message_does_not_withdraw_unsettled_words(self) -> None:
        async def forget(socket: ServerConnection) -> None:
            await socket.send(results("well", 0.0, 0.2, final=False))
            await answer(socket, METADATA)

        async with puppet(forget) as url:
            reports, complete = await transcribed(DEEPGRAM.open(url), CALL[:10])
        assert complete
        assert [(heard.track, heard.text) for heard in told(reports, Recognized)] == [("inbound", "well"), ("outbound", "")]


class TestAttempts:
    """Which connections begin the count of attempts, and so the waits between them, anew."""

    @pytest.mark.parametrize(
        ("speaks", "lives_seconds", "attempt"),
        [
            pytest.param(True, 10.0, 1, id="one that spoke and lived for as long as a stable one"),
            pytest.param(True, 9.9, 2, id="not one that spoke and broke sooner"),
            pytest.param(False, 1000.0, 2, id="not one that lived for long and never said anything"),
        ],
    )
    async def test_a_connection_that_was_no_part_of_the_trouble(self, speaks: bool, lives_seconds: float, attempt: int) -> None:
        now, visits, may_speak, may_break = [100.0], 0, asyncio.Event(), asyncio.Event()

        async def break_twice(socket: ServerConnection) -> None:
            nonlocal visits
            visits += 1
            if visits == 2:
                await may_speak.wait()
                if speaks:
                    await socket.send(results("hello", 0.0, 0.2, final=False))
                await may_break.wait()
            if visits < 3:
                socket.transport.abort()

        async with puppet(break_twice) as url:
            transcriber = DEEPGRAM.open(url, limits=replace(HURRY, stable_seconds=10.0), clock=lambda: now[0])
            async with running(transcriber) as (reports, run):
                push(transcriber, CALL[:5])
                await until(lambda: bool(told(reports, Restored)))
                now[0] = 101.0
                may_speak.set()
                await until(lambda: not speaks or bool(told(reports, Recognized)))
                now[0] = 100.0 + lives_seconds
                may_break.set()
                await until(lambda: len(told(reports, Restored)) == 2)
                run.cancel()
        assert [lost.attempt for lost in told(reports, Lost)] == [1, attempt]
        assert [restored.attempt for restored in told(reports, Restored)] == [1, attempt]
