"""The engine on this machine, with its real model and the sample call that the demo plays."""

import asyncio
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import jiwer
import pytest

from hub.audio import g711
from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.errors import ConfigError, ProviderError
from hub.ops.counters import ProviderCounters
from hub.transcribers.session import SessionContext
from hub.transcribers.transcriber import Doubted, Report, Transcriber
from hub.transcribers.utterances import NotTranscribed, Recognized
from hub.vendors.moonshine import transcriber as local
from hub.vendors.moonshine.descriptor import EngineFactory
from hub.vendors.moonshine.doubt import REASON
from hub.vendors.moonshine.engine import NICENESS, LocalEngine, thread_count
from hub.vendors.moonshine.recognizer import MoonshineRecognizer, Reading
from hub.vendors.moonshine.transcriber import LocalTranscriber
from hub.vendors.speech_provider import NoSettings
from tests.providers.vendors import blocks
from tests.transcribers.runs import until
from tests.transcribers.sample import plain, said, tracks

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(90),  # it computes, with whatever else is computed here: seconds on a machine of its own
]


def wrong(truth: list[tuple[float, float, str]], heard: str) -> float:
    """The word error rate, once punctuation and the ways to write a number are out of the way."""
    return jiwer.wer(plain(" ".join(text for _, _, text in truth)), heard)


def finals(reports: list[Report], track: Track) -> list[Recognized]:
    return [report for report in reports if isinstance(report, Recognized) and report.track == track and report.settled]


def words(reports: list[Report], track: Track) -> str:
    return str(plain(" ".join(heard.text for heard in finals(reports, track))))


async def at_once(host: LocalEngine, call: list[Block], bound_ms: int = local.WAITING_BOUND_MS) -> list[Report]:
    """Push a whole call before anybody works on it; return what was reported. `bound_ms` is of what may wait."""
    reports: list[Report] = []
    transcriber = LocalTranscriber(host, waiting_bound_ms=bound_ms)
    for block in call:
        transcriber.push(block)
    transcriber.finish()
    transcriber.finish()
    assert await transcriber.run(reports.append)
    return reports


async def paced(host: LocalEngine, call: list[Block], speed: float) -> list[Report]:
    """Push a call's blocks at the pace at which they would come, times `speed`."""
    reports: list[Report] = []
    transcriber = LocalTranscriber(host)
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        run = group.create_task(transcriber.run(reports.append))
        began = loop.time()
        for count, block in enumerate(call, 1):
            transcriber.push(block)
            await asyncio.sleep(began + count * 0.1 / speed - loop.time())
        transcriber.finish()
    assert run.result()
    return reports


async def in_step(host: LocalEngine, call: list[Block]) -> list[Report]:
    """Push each block when the engine has done all that was due: however slow this machine is, it is in time."""
    reports: list[Report] = []
    transcriber = LocalTranscriber(host)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(transcriber.run(reports.append))
        for block in call:
            transcriber.push(block)
            await until(lambda: transcriber.interim_due() < 1 and not any(track.waiting.pieces for track in transcriber._tracks))
        transcriber.finish()
    assert run.result()
    return reports


@pytest.fixture(scope="module")
def host() -> Iterator[LocalEngine]:
    host = LocalEngine()
    host.load()
    yield host
    host.close()


def test_it_is_a_transcriber() -> None:
    transcriber: Transcriber = LocalTranscriber(LocalEngine())
    assert (transcriber.provider, transcriber.model) == ("local", "moonshine-tiny-en")


async def test_a_call_pushed_at_once_becomes_its_words_at_their_times(host: LocalEngine) -> None:
    reports = await at_once(host, blocks(*tracks(21.3)))
    assert not [report for report in reports if not isinstance(report, Recognized)]
    for track in g711.TRACKS:
        truth, heard = said(track, 21), finals(reports, track)
        assert wrong(truth, words(reports, track)) < 0.15
        assert len(heard) == len(truth) > 2
        for (start, end, _), final in zip(truth, heard, strict=True):
            assert math.isclose(final.start, start, abs_tol=0.3)
            assert math.isclose(final.end, end, abs_tol=0.3)
            assert final.closes
            assert final.words == ()
            assert final.confidence
            assert 0.5 < final.confidence < 1
    assert host.streams == 0


async def test_pace_company_and_block_size_change_nothing_that_is_settled(host: LocalEngine) -> None:
    inbound, outbound = tracks(13)
    whole = await at_once(host, blocks(inbound, outbound))
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(paced(host, blocks(inbound, outbound), speed)) for speed in (2.5, 3.0)]
        other = group.create_task(at_once(host, blocks(outbound[::-1], inbound[::-1])))
    muted = await at_once(host, blocks(inbound, g711.silence(len(inbound))))
    assert finals(whole, "inbound")
    for track in g711.TRACKS:
        for run in runs:
            assert finals(run.result(), track) == finals(whole, track)
    assert finals(muted, "inbound") == finals(whole, "inbound")
    assert finals(muted, "outbound") == []
    assert other.result() is not None


async def test_the_two_tracks_are_kept_apart(host: LocalEngine) -> None:
    reports = await at_once(host, blocks(*tracks(13)))
    assert "northwind coffee" in words(reports, "outbound")
    assert "northwind" not in words(reports, "inbound")
    assert "ordered a coffee machine" in words(reports, "inbound")
    assert "machine" not in words(reports, "outbound")


async def test_interims_grow_into_one_final_and_say_nothing_twice(host: LocalEngine) -> None:
    inbound, outbound = tracks(10)
    reports = await in_step(host, blocks(inbound, outbound))
    for track in g711.TRACKS:
        heard = [report for report in reports if isinstance(report, Recognized) and report.track == track]
        assert heard[-1].settled
        assert sum(not report.settled for report in heard) >= 3
        for before, after in pairwise(heard):
            if before.settled:
                assert after.start >= before.end
            else:
                assert not before.closes
                assert after.start == before.start
                assert after.settled or after.text != before.text


async def test_interims_are_given_up_while_audio_waits(host: LocalEngine) -> None:
    reports = await at_once(host, blocks(*tracks(13)))
    assert finals(reports, "inbound")
    assert all(report.settled for report in reports if isinstance(report, Recognized))


async def test_beyond_the_bound_one_long_stretch_is_dropped_and_the_rest_keeps_its_time(
    host: LocalEngine,
) -> None:
    reports = await at_once(host, blocks(*tracks(21.3)), 17_400)
    for track in g711.TRACKS:
        missed = [report for report in reports if isinstance(report, NotTranscribed) and report.track == track]
        assert missed == [NotTranscribed(track, 0.0, 13.2, local.OVERLOAD_REASON)]
        truth = [line for line in said(track, 21) if line[0] > 13.2]
        assert wrong(truth, words(reports, track)) < 0.15
        assert math.isclose(finals(reports, track)[0].start, truth[0][0], abs_tol=0.35)


def test_push_leaves_all_work_to_the_worker() -> None:
    threads = threading.active_count()
    idle = LocalEngine()
    transcriber = LocalTranscriber(idle)
    for block in blocks(*tracks(5)) * 100:
        transcriber.push(block)
    assert (threading.active_count(), idle.streams) == (threads, 0)
    idle.close()


async def test_a_cancelled_call_frees_its_streams_and_is_silent_then(host: LocalEngine) -> None:
    call = blocks(*tracks(13))
    reports: list[Report] = []

    async def abandoned() -> None:
        transcriber = LocalTranscriber(host)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(transcriber.run(reports.append))
            for block in call:
                transcriber.push(block)
            await until(lambda: host.streams > 0)
            run.cancel()

    for _ in range(3):
        await abandoned()
        told = len(reports)
        await until(lambda: host.streams == 0)
        await asyncio.sleep(0)
        assert len(reports) == told


async def test_a_call_on_which_the_engine_fails_ends_and_the_others_go_on(host: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = (
        MoonshineRecognizer.recognize,
        iter([ProviderError("local", "failed: out of memory", retryable=False), ZeroDivisionError("odd")]),
    )

    def words_then(self: MoonshineRecognizer, mulaw: bytes, *, final: bool) -> Reading:
        failure = next(failures, None)
        if failure:
            raise failure
        return real(self, mulaw, final=final)

    monkeypatch.setattr(MoonshineRecognizer, "recognize", words_then)
    call = blocks(*tracks(5))
    with pytest.raises(ProviderError, match="out of memory") as failed:
        await at_once(host, call)
    assert not failed.value.retryable
    with pytest.raises(ProviderError, match="odd"):
        await at_once(host, call)
    assert "northwind" in words(await at_once(host, call), "outbound")
    assert host.streams == 0


async def test_what_was_not_settled_when_the_engine_failed_is_there_for_another(host: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    real, answers = MoonshineRecognizer.recognize, iter([True])

    def words_once(self: MoonshineRecognizer, mulaw: bytes, *, final: bool) -> Reading:
        if next(answers, False):
            return real(self, mulaw, final=final)
        raise ProviderError("local", "failed", retryable=False)

    call = blocks(*tracks(13))
    monkeypatch.setattr(MoonshineRecognizer, "recognize", words_once)
    first, reports = LocalTranscriber(host), list[Report]()
    for block in call:
        first.push(block)
    first.finish()
    with pytest.raises(ProviderError):
        await first.run(reports.append)
    monkeypatch.undo()
    unsettled = first.unsettled()
    assert [block.start_ms for block in unsettled] == [block.start_ms for block in call][-len(unsettled) :]
    reports += await at_once(host, unsettled)
    for track in g711.TRACKS:
        assert len(finals(reports, track)) == len(said(track, 13))
        assert wrong(said(track, 13), words(reports, track)) < 0.15
    assert LocalTranscriber(host).unsettled() == []


async def test_a_leap_of_the_stream_ends_the_utterance_and_moves_the_times(host: LocalEngine) -> None:
    inbound, outbound = (track[4000:40_000] for track in tracks(5))
    reports = await at_once(host, blocks(inbound, outbound) + blocks(inbound, outbound, start_ms=60_000))
    first, second = finals(reports, "outbound")
    assert first.text == second.text
    assert math.isclose(second.start - first.start, 60, abs_tol=0.001)
    assert first.end < 5


async def test_the_last_word_is_told_when_the_call_breaks_off(host: LocalEngine) -> None:
    _, end, text = said("inbound", 10)[0]
    inbound, outbound = tracks(end)
    reports = await at_once(host, blocks(inbound, outbound))
    assert plain(text).split()[-1] == words(reports, "inbound").split()[-1]


async def test_speech_that_is_not_english_is_doubted_once_on_its_track(host: LocalEngine) -> None:
    """Speech played backwards is a language that nobody speaks."""
    inbound, outbound = tracks(40)
    reports = await at_once(host, blocks(inbound[::-1], outbound))
    assert [report for report in reports if isinstance(report, Doubted)] == [Doubted("inbound", REASON)]
    assert finals(reports, "inbound")


async def test_a_closed_engine_ends_its_calls_and_takes_no_other() -> None:
    closing = LocalEngine()
    transcriber = LocalTranscriber(closing)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(transcriber.run(lambda _: None))
        for block in blocks(*tracks(5)):
            transcriber.push(block)
        await until(lambda: closing.streams > 0)
        await asyncio.to_thread(closing.close)
    assert run.result() is False
    assert closing.streams == 0
    with pytest.raises(ProviderError, match="closed"):
        await LocalTranscriber(closing).run(lambda _: None)


def test_the_model_loads_while_the_hub_starts_and_not_at_the_first_call() -> None:
    factory = EngineFactory(NoSettings(), SessionContext(time.monotonic, ProviderCounters()))
    factory.check()
    assert factory._shared()._loaded.wait(60)
    factory.close()


async def test_without_the_engine_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "hub.vendors.moonshine.engine")
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    bare = LocalEngine()
    with pytest.raises(ConfigError, match=r"^HUB_TRANSCRIBER local needs the engine: pip install 'transcript-hub\[local\]'"):
        bare.check()
    for _ in range(2):
        with pytest.raises(ProviderError, match="local needs the engine") as failed:
            await LocalTranscriber(bare).run(lambda _: None)
        assert not failed.value.retryable
    bare.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps a priority per thread")
def test_the_engines_threads_let_the_event_loop_go_first(host: LocalEngine) -> None:
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("local-engine")]
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert len(workers) >= thread_count() > 1
    for worker in workers:
        assert worker.native_id
        assert os.getpriority(os.PRIO_PROCESS, worker.native_id) == max(NICENESS, ours)
