"""What every transcriber promises, by the same tests: the engine on this machine for real, the vendors through their fakes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass

import jiwer
import pytest

from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.audio.timeline import Block
from hub.ops.counters import ProviderCounters
from hub.transcribers.transcriber import Report, Transcriber
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.descriptor import MOONSHINE
from hub.vendors.moonshine.engine import LocalEngine
from hub.vendors.moonshine.transcriber import LocalTranscriber
from hub.vendors.registered import REGISTERED
from hub.vendors.speech_provider import Capabilities
from tests.providers.script import FakeProvider, Script, Word, said
from tests.providers.vendors import CLASSIC, DEEPGRAM, MIXED, SEPARATE, Vendor, blocks, call_of
from tests.transcribers import sample
from tests.transcribers.runs import push, running, transcribed, until
from tests.transcribers.sample import plain

# Nobody talks over another, so that the mixed form can tell them apart. The last word ends with the call, without a pause after it.
TALK: dict[Track, list[Word]] = {
    "inbound": [*said("hello I would like to order some flowers", 0.5), *said("roses please", 6.0), *said("thank you bye", 9.13)],
    "outbound": [*said("of course which ones then", 3.6), *said("that makes twelve euros", 7.5)],
}
SECONDS = 10.0


@dataclass(frozen=True)
class Phrase:
    """What is said between two pauses, in seconds of the call."""

    start: float
    end: float
    text: str


@dataclass
class Subject:
    """A kind of transcriber, and a call for it whose words are known."""

    open: Callable[[], Transcriber]
    call: list[Block]
    lines: dict[Track, list[Phrase]]
    sessions: Callable[[], int]
    """How many sessions are open there now."""
    tolerance_seconds: float
    """Within which times must be right: no word has times of its own where the engine hears."""
    wrong: float
    """The share of words that may be wrong: none if words are scripted."""
    able: Capabilities
    """What its descriptor says."""

    def part(self, first: float, last: float) -> list[Block]:
        """The call between two times in seconds, moved to its beginning."""
        return [
            Block(each.start_ms - first * 1000, each.inbound, each.outbound)
            for each in self.call
            if first * 1000 <= each.start_ms < last * 1000
        ]


def moved(call: Iterable[Block], by_ms: float) -> list[Block]:
    return [Block(each.start_ms + by_ms, each.inbound, each.outbound) for each in call]


def muted(call: Iterable[Block], *tracks: Track) -> list[Block]:
    mute = g711.silence
    return [
        Block(
            each.start_ms,
            mute(len(each.inbound)) if "inbound" in tracks else each.inbound,
            mute(len(each.outbound)) if "outbound" in tracks else each.outbound,
        )
        for each in call
    ]


def finals(reports: Iterable[Report], track: Track) -> list[Recognized]:
    return [report for report in reports if isinstance(report, Recognized) and report.track == track and report.settled and report.text]


def text(reports: Iterable[Report], track: Track) -> str:
    return " ".join(final.text for final in finals(reports, track))


def check(subject: Subject, reports: list[Report], track: Track, *, times: int = 1, from_seconds: float = 0.0) -> None:
    """The track's words are there, in order, each `times` over in a row of as many calls, at their times in the first of them."""
    truth = plain(" ".join(line.text for _ in range(times) for line in subject.lines[track]))
    assert jiwer.wer(truth, plain(text(reports, track))) <= subject.wrong, text(reports, track)
    heard = [word for final in finals(reports, track) for word in final.words]
    if subject.wrong:  # no word times: the edges of each utterance
        spans = [(final.start, final.end) for final in finals(reports, track)]
        expected = [(line.start, line.end) for line in subject.lines[track]]
    else:
        spans = [(word.start, word.end) for word in heard]
        expected = [(word.start, word.end) for word in TALK[track]]
    assert len(spans) == times * len(expected)
    for (start, end), (true_start, true_end) in zip(spans, expected, strict=False):
        assert abs(start - from_seconds - true_start) <= subject.tolerance_seconds
        assert abs(end - from_seconds - true_end) <= subject.tolerance_seconds


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    engine.load()
    yield engine
    engine.close()


def locally(engine: LocalEngine) -> Subject:
    lines = {track: [Phrase(*line) for line in sample.said(track, 13)] for track in TRACKS}
    call = blocks(*sample.tracks(13))
    return Subject(
        lambda: LocalTranscriber(engine),
        call,
        lines,
        lambda: engine.streams,
        tolerance_seconds=0.3,
        wrong=0.15,
        able=MOONSHINE.capabilities,
    )


def remotely(vendor: Vendor, fake: FakeProvider, counters: ProviderCounters) -> Subject:
    lines = {track: [Phrase(words[0].start, words[-1].end, " ".join(word.text for word in words))] for track, words in TALK.items()}
    call = call_of(TALK["inbound"], TALK["outbound"], SECONDS)
    able = REGISTERED.speech[vendor.name.split()[0]].capabilities
    return Subject(
        lambda: vendor.open(fake.url, counters), call, lines, lambda: fake.open_sessions, tolerance_seconds=0.1, wrong=0.0, able=able
    )


@pytest.fixture(
    params=[
        pytest.param(None, id="local", marks=[pytest.mark.engine, pytest.mark.timeout(90)]),
        *(pytest.param(each, id=each.name) for each in (DEEPGRAM, SEPARATE, CLASSIC, MIXED)),
    ]
)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """One of each kind, with nothing left open afterwards."""
    vendor: Vendor | None = request.param
    if vendor is None:
        if sys.platform == "win32":
            pytest.skip("the engine cannot keep tracks apart there")
        subject = locally(request.getfixturevalue("engine"))
        yield subject
        await until(lambda: subject.sessions() == 0)
        return
    counters = ProviderCounters()
    async with vendor.fake(Script()) as fake:
        subject = remotely(vendor, fake, counters)
        yield subject
        await until(lambda: subject.sessions() == 0)
        assert counters.open_sessions == 0


async def whole(subject: Subject, call: list[Block]) -> list[Report]:
    """Transcribe a call that is pushed at once; it is complete."""
    reports, complete = await transcribed(subject.open(), call)
    assert complete
    assert not [report for report in reports if not isinstance(report, Recognized)]
    return reports


async def test_words_come_on_their_track_at_their_times(subject: Subject) -> None:
    reports = await whole(subject, subject.call)
    for track in TRACKS:
        check(subject, reports, track)
        told, able = finals(reports, track), subject.able
        assert {bool(final.words) for final in told} == {able.word_times}, "as its descriptor says"
        assert {final.confidence is not None for final in told} == {able.confidence}


async def test_audio_pushed_before_run_is_transcribed_and_finishing_twice_is_finishing_once(subject: Subject) -> None:
    transcriber = subject.open()
    push(transcriber, subject.call)
    transcriber.finish()
    transcriber.finish()
    async with running(transcriber) as (reports, run):
        await asyncio.sleep(0)
        transcriber.finish()
    assert run.result() is True
    for track in TRACKS:
        check(subject, reports, track)


async def test_times_are_call_time_wherever_the_audio_begins(subject: Subject) -> None:
    reports = await whole(subject, moved(subject.call, 3_600_000))
    for track in TRACKS:
        check(subject, reports, track, from_seconds=3600)


async def test_the_last_words_come_before_it_ends(subject: Subject) -> None:
    last = subject.lines["inbound"][0]
    reports = await whole(subject, subject.part(0, last.end if subject.wrong else SECONDS))
    words = plain(text(reports, "inbound")).split()
    assert words[-1] == plain(last.text).split()[-1] if subject.wrong else words[-1] == "bye"


async def test_cancelling_closes_the_session_at_once_and_nothing_is_reported_afterwards(subject: Subject) -> None:
    transcriber = subject.open()
    async with running(transcriber) as (reports, run):
        push(transcriber, subject.call)
        await until(lambda: bool(reports))
        run.cancel()
        await asyncio.wait([run])
        told = len(reports)
        await until(lambda: subject.sessions() == 0)
    assert run.cancelled()
    assert len(reports) == told


async def test_cancelling_while_it_connects_leaves_nothing(subject: Subject) -> None:
    for turns in range(6):
        transcriber = subject.open()
        transcriber.push(subject.call[0])
        async with running(transcriber) as (_, run):
            for _turn in range(turns):
                await asyncio.sleep(0)
            run.cancel()
        await until(lambda: subject.sessions() == 0)


async def test_unsettled_audio_is_there_for_another_transcriber(subject: Subject) -> None:
    transcriber = subject.open()
    assert transcriber.unsettled() == []
    half = len(subject.call) * 6 // 10
    push(transcriber, subject.call[:half])
    assert transcriber.unsettled() == subject.call[:half]
    async with running(transcriber) as (first, run):
        await until(lambda: bool(finals(first, "inbound") or finals(first, "outbound")))
        run.cancel()
    unsettled = transcriber.unsettled()
    assert len(unsettled) <= half
    rest = await whole(subject, unsettled + subject.call[half:])
    for track in TRACKS:
        check(subject, first + rest, track)


async def test_the_audio_of_words_reported_in_the_moment_of_cancelling_is_not_there_for_another(subject: Subject) -> None:
    transcriber, first = subject.open(), list[Report]()
    half = len(subject.call) * 6 // 10
    push(transcriber, subject.call[:half])

    def hear(report: Report) -> None:
        first.append(report)
        if finals([report], "inbound") or finals([report], "outbound"):
            run.cancel()

    run = asyncio.ensure_future(transcriber.run(hear))
    await asyncio.wait([run])
    assert run.cancelled()
    rest = await whole(subject, transcriber.unsettled() + subject.call[half:])
    for track in TRACKS:
        check(subject, first + rest, track)


async def test_a_leap_of_the_streams_clock_moves_the_words_behind_it_and_loses_none(subject: Subject) -> None:
    behind = len(subject.call) * 100 + 60_000
    reports = await whole(subject, subject.call + moved(subject.call, behind))
    for track in TRACKS:
        check(subject, reports, track, times=2)
        second = [final for final in finals(reports, track) if final.start > 60]
        assert abs(second[0].start - finals(reports, track)[0].start - behind / 1000) <= 0.1
        assert not any(final.start < 60 < final.end for final in finals(reports, track))


@pytest.mark.parametrize("silent", TRACKS)
async def test_a_call_with_one_speaker_has_the_words_of_that_speaker(subject: Subject, silent: Track) -> None:
    reports = await whole(subject, muted(subject.call, silent))
    assert finals(reports, silent) == []
    for track in TRACKS:
        if track != silent:
            check(subject, reports, track)


async def test_silence_is_complete_and_has_no_words(subject: Subject) -> None:
    reports = await whole(subject, muted(subject.call, *TRACKS))
    assert not [report for report in reports if isinstance(report, Recognized) and report.text]


async def test_a_call_without_any_audio_ends(subject: Subject) -> None:
    assert not text(await whole(subject, []), "inbound")


async def test_a_short_remainder_at_the_end_is_transcribed_too(subject: Subject) -> None:
    rest = subject.call[-1]
    short = Block(rest.start_ms + 100, g711.silence(8), g711.silence(8))  # 1 ms: less than AssemblyAI takes in a frame
    reports = await whole(subject, [*subject.call, short])
    for track in TRACKS:
        check(subject, reports, track)
