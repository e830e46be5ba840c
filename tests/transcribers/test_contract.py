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
from hub.vendors.moonshine.transcriber import LocalEngine, LocalTranscriber
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
class Line:
    """What is said between two pauses, in seconds of the call."""

    start: float
    end: float
    text: str


@dataclass
class House:
    """A kind of transcriber, and a call for it whose words are known."""

    open: Callable[[], Transcriber]
    call: list[Block]
    lines: dict[Track, list[Line]]
    sessions: Callable[[], int]
    """How many sessions are open there now."""
    tolerance_seconds: float
    """Within which times must be right: no word has times of its own where the engine hears."""
    wrong: float
    """The share of words that may be wrong: none where words are scripted."""

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


def check(house: House, reports: list[Report], track: Track, *, times: int = 1, from_seconds: float = 0.0) -> None:
    """The track's words are there, in order, each `times` over in a row of as many calls, at their times in the first of them."""
    truth = plain(" ".join(line.text for _ in range(times) for line in house.lines[track]))
    assert jiwer.wer(truth, plain(text(reports, track))) <= house.wrong, text(reports, track)
    heard = [word for final in finals(reports, track) for word in final.words]
    if house.wrong:  # no word times: the edges of each utterance
        spans = [(final.start, final.end) for final in finals(reports, track)]
        expected = [(line.start, line.end) for line in house.lines[track]]
    else:
        spans = [(word.start, word.end) for word in heard]
        expected = [(word.start, word.end) for word in TALK[track]]
    assert len(spans) == times * len(expected)
    for (start, end), (true_start, true_end) in zip(spans, expected, strict=False):
        assert abs(start - from_seconds - true_start) <= house.tolerance_seconds
        assert abs(end - from_seconds - true_end) <= house.tolerance_seconds


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine()
    engine.load()
    yield engine
    engine.close()


def locally(engine: LocalEngine) -> House:
    lines = {track: [Line(*line) for line in sample.said(track, 13)] for track in TRACKS}
    call = blocks(*sample.tracks(13))
    return House(lambda: LocalTranscriber(engine), call, lines, lambda: engine.streams, tolerance_seconds=0.3, wrong=0.15)


def remotely(vendor: Vendor, fake: FakeProvider, counters: ProviderCounters) -> House:
    lines = {track: [Line(words[0].start, words[-1].end, " ".join(word.text for word in words))] for track, words in TALK.items()}
    call = call_of(TALK["inbound"], TALK["outbound"], SECONDS)
    return House(lambda: vendor.open(fake.url, counters), call, lines, lambda: fake.open_sessions, tolerance_seconds=0.1, wrong=0.0)


@pytest.fixture(
    params=[
        pytest.param(None, id="local", marks=[pytest.mark.engine, pytest.mark.timeout(90)]),
        *(pytest.param(each, id=each.name) for each in (DEEPGRAM, SEPARATE, CLASSIC, MIXED)),
    ]
)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """One of each kind, with nothing left open afterwards."""
    vendor: Vendor | None = request.param
    if vendor is None:
        if sys.platform == "win32":
            pytest.skip("the engine cannot keep tracks apart there")
        house = locally(request.getfixturevalue("engine"))
        yield house
        await until(lambda: house.sessions() == 0)
        return
    counters = ProviderCounters()
    async with vendor.fake(Script()) as fake:
        house = remotely(vendor, fake, counters)
        yield house
        await until(lambda: house.sessions() == 0)
        assert counters.open_sessions == 0


async def whole(house: House, call: list[Block]) -> list[Report]:
    """Transcribe a call that is pushed at once; it is complete."""
    reports, complete = await transcribed(house.open(), call)
    assert complete
    assert not [report for report in reports if not isinstance(report, Recognized)]
    return reports


async def test_words_come_on_their_track_at_their_times(house: House) -> None:
    reports = await whole(house, house.call)
    for track in TRACKS:
        check(house, reports, track)


async def test_audio_pushed_before_it_runs_is_heard_and_finishing_twice_is_finishing_once(house: House) -> None:
    transcriber = house.open()
    push(transcriber, house.call)
    transcriber.finish()
    transcriber.finish()
    async with running(transcriber) as (reports, run):
        await asyncio.sleep(0)
        transcriber.finish()
    assert run.result() is True
    for track in TRACKS:
        check(house, reports, track)


async def test_times_are_call_time_wherever_the_audio_begins(house: House) -> None:
    reports = await whole(house, moved(house.call, 3_600_000))
    for track in TRACKS:
        check(house, reports, track, from_seconds=3600)


async def test_the_last_words_come_before_it_ends(house: House) -> None:
    last = house.lines["inbound"][0]
    reports = await whole(house, house.part(0, last.end if house.wrong else SECONDS))
    words = plain(text(reports, "inbound")).split()
    assert words[-1] == plain(last.text).split()[-1] if house.wrong else words[-1] == "bye"


async def test_cancelling_closes_the_session_at_once_and_nothing_is_told_then(house: House) -> None:
    transcriber = house.open()
    async with running(transcriber) as (reports, run):
        push(transcriber, house.call)
        await until(lambda: bool(reports))
        run.cancel()
        await asyncio.wait([run])
        told = len(reports)
        await until(lambda: house.sessions() == 0)
    assert run.cancelled()
    assert len(reports) == told


async def test_cancelling_while_it_connects_leaves_nothing(house: House) -> None:
    for turns in range(6):
        transcriber = house.open()
        transcriber.push(house.call[0])
        async with running(transcriber) as (_, run):
            for _turn in range(turns):
                await asyncio.sleep(0)
            run.cancel()
        await until(lambda: house.sessions() == 0)


async def test_what_it_did_not_settle_is_there_for_another(house: House) -> None:
    transcriber = house.open()
    assert transcriber.unsettled() == []
    half = len(house.call) * 6 // 10
    push(transcriber, house.call[:half])
    assert transcriber.unsettled() == house.call[:half]
    async with running(transcriber) as (first, run):
        await until(lambda: bool(finals(first, "inbound") or finals(first, "outbound")))
        run.cancel()
    unsettled = transcriber.unsettled()
    assert len(unsettled) <= half
    rest = await whole(house, unsettled + house.call[half:])
    for track in TRACKS:
        check(house, first + rest, track)


async def test_words_told_at_the_very_moment_it_is_cancelled_are_not_there_for_another(house: House) -> None:
    transcriber, first = house.open(), list[Report]()
    half = len(house.call) * 6 // 10
    push(transcriber, house.call[:half])

    def hear(report: Report) -> None:
        first.append(report)
        if finals([report], "inbound") or finals([report], "outbound"):
            run.cancel()

    run = asyncio.ensure_future(transcriber.run(hear))
    await asyncio.wait([run])
    assert run.cancelled()
    rest = await whole(house, transcriber.unsettled() + house.call[half:])
    for track in TRACKS:
        check(house, first + rest, track)


async def test_a_leap_of_the_streams_clock_moves_the_words_behind_it_and_loses_none(house: House) -> None:
    behind = len(house.call) * 100 + 60_000
    reports = await whole(house, house.call + moved(house.call, behind))
    for track in TRACKS:
        check(house, reports, track, times=2)
        second = [final for final in finals(reports, track) if final.start > 60]
        assert abs(second[0].start - finals(reports, track)[0].start - behind / 1000) <= 0.1
        assert not any(final.start < 60 < final.end for final in finals(reports, track))


@pytest.mark.parametrize("silent", TRACKS)
async def test_a_call_with_one_side_has_the_words_of_that_side(house: House, silent: Track) -> None:
    reports = await whole(house, muted(house.call, silent))
    assert finals(reports, silent) == []
    for track in TRACKS:
        if track != silent:
            check(house, reports, track)


async def test_silence_is_complete_and_says_nothing(house: House) -> None:
    reports = await whole(house, muted(house.call, *TRACKS))
    assert not [report for report in reports if isinstance(report, Recognized) and report.text]


async def test_a_call_without_any_audio_ends(house: House) -> None:
    assert not text(await whole(house, []), "inbound")


async def test_a_short_rest_at_the_end_is_heard_too(house: House) -> None:
    rest = house.call[-1]
    short = Block(rest.start_ms + 100, g711.silence(8), g711.silence(8))  # 1 ms: less than AssemblyAI takes in a frame
    reports = await whole(house, [*house.call, short])
    for track in TRACKS:
        check(house, reports, track)
