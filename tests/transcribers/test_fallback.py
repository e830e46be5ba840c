"""The fallback: it gets the audio that the first transcriber did not settle. Without one, the audio that nobody transcribed is reported."""

import asyncio

import pytest

from hub.audio import g711
from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers.fallback import Fallback, Refusing
from hub.transcribers.transcriber import Lost, OnReport, Switched, Transcriber
from hub.transcribers.utterances import NotTranscribed
from tests.scripted import ScriptedTranscriber
from tests.transcribers.runs import running

SOUND, SILENCE = b"\x01" * 800, g711.silence(800)
REFUSED = ProviderError("Deepgram", "refused the key (401 INVALID_AUTH): check DEEPGRAM_API_KEY", retryable=False)


def block(tenth: int, inbound: bytes = SOUND, outbound: bytes = SOUND) -> Block:
    return Block(tenth * 100.0, inbound, outbound)


class Failing(ScriptedTranscriber):
    """Fails when `fails` is set; `left` is the audio that it did not settle."""

    def __init__(self, provider: str) -> None:
        super().__init__()
        self.provider = provider
        self.fails = asyncio.Event()
        self.left: list[Block] = []

    async def run(self, hear: OnReport) -> bool:
        self.hear = hear
        self.started.set()
        await self.fails.wait()
        raise REFUSED

    def unsettled(self) -> list[Block]:
        return self.left


def test_it_is_a_transcriber() -> None:
    transcriber: Transcriber = Fallback(ScriptedTranscriber(), None)
    refusing: Transcriber = Refusing("siri", "is no transcriber of this hub")
    assert (transcriber.provider, transcriber.model, refusing.provider) == ("scripted", "test", "siri")


@pytest.mark.parametrize("complete", [True, False])
async def test_the_fallback_stays_unused_while_the_first_one_works(complete: bool) -> None:
    first = ScriptedTranscriber()
    first.complete = complete
    fallback = Fallback(first, None)
    fallback.push(block(0))
    async with running(fallback) as (reports, run):
        fallback.push(block(1))
        await first.started.wait()
        first.final("hello")
        fallback.finish()
        fallback.finish()
    assert run.result() is complete
    assert first.blocks == [block(0), block(1)]
    assert len(reports) == 1
    assert fallback.unsettled() == first.blocks


async def test_the_fallback_gets_the_audio_that_the_first_one_did_not_settle_and_goes_on() -> None:
    first, second = Failing("deepgram"), ScriptedTranscriber()
    fallback = Fallback(first, lambda: second)
    async with running(fallback) as (reports, run):
        for tenth in range(3):
            fallback.push(block(tenth))
        first.left = [block(1, inbound=SILENCE), block(2)]
        first.fails.set()
        await second.started.wait()
        assert (fallback.provider, fallback.model) == ("scripted", "test")
        fallback.push(block(3))
        second.final("hello")
        fallback.finish()
    assert run.result() is True
    assert second.blocks == [block(1, inbound=SILENCE), block(2), block(3)]
    assert reports[:2] == [Lost("deepgram", REFUSED.problem, 0), Switched("scripted", REFUSED.problem, 0)]
    assert len(reports) == 3


async def test_a_call_that_is_over_is_finished_for_the_fallback_too() -> None:
    first, second = Failing("deepgram"), ScriptedTranscriber()
    fallback = Fallback(first, lambda: second)
    fallback.push(block(0))
    fallback.finish()
    first.left, first.fails = [block(0)], asyncio.Event()
    async with running(fallback) as (_, run):
        first.fails.set()
    assert run.result() is True
    assert (second.blocks, second.finished.is_set()) == ([block(0)], True)


@pytest.mark.parametrize("second", [None, Failing])
async def test_without_a_fallback_the_reason_is_reported_once_and_the_gaps_at_the_end(second: type[Failing] | None) -> None:
    first, last = Failing("deepgram"), Failing("assemblyai")
    fallback = Fallback(first, (lambda: last) if second else None)
    async with running(fallback) as (reports, run):
        for tenth in range(3):
            fallback.push(block(tenth))
        first.left = last.left = [
            block(1, inbound=SILENCE[:400] + SOUND[:400], outbound=SILENCE),
            block(2, inbound=SOUND, outbound=SILENCE),
        ]
        last.fails.set()
        first.fails.set()
        await first.started.wait()
        await asyncio.sleep(0)
        fallback.push(block(3, outbound=SILENCE))
        assert fallback.unsettled() == []
        fallback.finish()
    assert run.result() is False
    lost = [report for report in reports if isinstance(report, Lost)]
    assert [each.provider for each in lost] == (["deepgram", "assemblyai"] if second else ["deepgram"])
    assert {each.attempt for each in lost} == {0}
    assert [report for report in reports if isinstance(report, NotTranscribed)] == [NotTranscribed("inbound", 0.15, 0.4, "no transcriber")]


async def test_a_silent_track_is_no_gap_and_a_track_that_speaks_later_is_one_from_there_on() -> None:
    first = Failing("deepgram")
    first.fails.set()
    fallback = Fallback(first, None)
    async with running(fallback) as (reports, _):
        await first.started.wait()
        await asyncio.sleep(0)
        for tenth in range(5):
            fallback.push(block(tenth, SILENCE, SOUND if tenth > 2 else SILENCE))
        fallback.finish()
    assert [report for report in reports if isinstance(report, NotTranscribed)] == [NotTranscribed("outbound", 0.3, 0.5, "no transcriber")]


async def test_a_transcriber_that_this_hub_does_not_have_refuses_and_its_audio_goes_to_the_default() -> None:
    second = ScriptedTranscriber()
    fallback = Fallback(Refusing("siri", "is no transcriber of this hub"), lambda: second)
    fallback.push(block(0))
    async with running(fallback) as (reports, run):
        await second.started.wait()
        fallback.finish()
    assert run.result() is True
    assert second.blocks == [block(0)]
    assert reports == [Lost("siri", "is no transcriber of this hub", 0), Switched("scripted", "is no transcriber of this hub", 0)]


async def test_cancelling_reaches_the_transcriber_that_works_now() -> None:
    first, second = Failing("deepgram"), ScriptedTranscriber()
    first.fails.set()
    fallback = Fallback(first, lambda: second)
    async with running(fallback) as (_, run):
        await second.started.wait()
        run.cancel()
    assert second.cancelled


async def test_a_bug_is_not_treated_as_a_refusal() -> None:
    class Broken(ScriptedTranscriber):
        async def run(self, hear: OnReport) -> bool:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Fallback(Broken(), ScriptedTranscriber).run(lambda _: None)
