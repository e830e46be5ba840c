"""The stereo timeline where a track's clock is behind, slow, or stands still, at the pace of speech."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio.g711 import Track
from hub.audio.late_run import LATE_MS
from hub.audio.timeline import BLOCK_MS, Block, Leap, StereoTimeline
from tests.audio.timeline_feed import TRACKS, chunk, timeline


class Call:
    """A timeline whose chunks come at the pace of speech, one of each track every 20 ms, unless a test says otherwise."""

    def __init__(self) -> None:
        self.elapsed_ms = 0.0
        self.line = StereoTimeline(lambda: self.elapsed_ms)
        self.line.expect(list(TRACKS))
        self.blocks: list[Block] = []

    def bring(self, inbound: list[int], outbound: list[int], pace_ms: float = 20.0) -> None:
        for at in range(max(len(inbound), len(outbound))):
            for track, times in (("inbound", inbound), ("outbound", outbound)):
                if at < len(times):
                    self.line.add(track, times[at], chunk(times[at]))
            self.elapsed_ms += pace_ms
            self.blocks += self.line.blocks()

    def audio_ms(self, track: Track) -> float:
        self.blocks += self.line.finish()
        return sum(len(block.track(track)) - block.track(track).count(0xFF) for block in self.blocks) / 8


def steady(from_ms: int, to_ms: int) -> list[int]:
    return list(range(from_ms, to_ms, 20))


def test_a_track_that_counts_from_its_own_first_audio_is_put_where_the_call_is() -> None:
    call = Call()
    call.bring(steady(0, 20_000), [])
    call.bring(steady(20_000, 30_000), steady(0, 10_000))
    assert [call.audio_ms(track) for track in TRACKS] == [30_000, 10_000]
    assert call.line.leaps == [], "it rang: nothing is missing"
    assert call.line.lost_percent() == 0.0
    assert call.line.lanes["outbound"].end <= 8 * 30_100


@pytest.mark.parametrize("pace_ms", [0, 1, 20])
def test_a_track_without_audio_so_far_is_put_where_the_call_is_at_any_pace(pace_ms: float) -> None:
    call = Call()
    call.bring(steady(0, 5000), [], pace_ms)
    call.bring(steady(5000, 9000), steady(0, 4000), pace_ms)
    assert [call.audio_ms(track) for track in TRACKS] == [9000, 4000]


def test_a_track_of_which_all_audio_was_late_has_lost_all() -> None:
    line = timeline()
    for at in steady(0, 5000):
        line.add("inbound", at + 5000, chunk(at + 5000))
    for at in steady(0, 3000):
        line.add("outbound", at, chunk(at))
    line.finish()
    assert line.lost_percent(["outbound"]) == 100.0


def test_a_track_that_begins_by_its_own_clock_after_the_other_has_stopped_loses_nothing() -> None:
    call = Call()
    call.bring(steady(0, 5000), [])
    call.bring([], steady(0, 5000))
    assert [call.audio_ms(track) for track in TRACKS] == [5000, 5000]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 200), st.integers(15, 200), st.sampled_from(TRACKS))
def test_a_track_whose_clock_falls_behind_loses_no_audio_whatever_the_lag(begin: int, lag: int, track: Track) -> None:
    call = Call()
    calm = steady(0, 16_000)
    behind = steady(0, begin * 20 + 4000) + steady(begin * 20 + 4000 - lag * 20, 16_000 - lag * 20)
    call.bring(*((behind, calm) if track == "inbound" else (calm, behind)))
    assert [call.audio_ms(each) for each in TRACKS] == [16_000, 16_000]
    (leap,) = call.line.leaps
    assert leap.tracks == (track,)
    assert leap.end_ms - leap.start_ms <= 200, "and both tracks stay in step"
    assert call.line.lost_percent() == 0.0


def test_both_tracks_may_go_back_by_less_than_a_second() -> None:
    call = Call()
    times = steady(0, 5000) + steady(4500, 9500)
    call.bring(times, times)
    assert [call.audio_ms(track) for track in TRACKS] == [10_000, 10_000]
    assert call.line.leaps == [Leap((track,), 5000, 5000 + BLOCK_MS) for track in TRACKS]
    assert call.line.lanes["inbound"].end == call.line.lanes["outbound"].end


def test_audio_that_was_delayed_and_catches_up_stays_late_and_in_its_place() -> None:
    call = Call()
    call.bring(steady(0, 3000), steady(0, 3000))
    call.bring([], steady(3000, 6000))
    call.bring(steady(3000, 6000), [], pace_ms=1)
    call.bring(steady(6000, 9000), steady(6000, 9000))
    assert call.line.leaps == []
    assert call.line.lanes["inbound"].shift == 0
    assert call.audio_ms("inbound") + call.line.lanes["inbound"].late_bytes / 8 == 9000


def test_blocks_wait_for_a_track_that_is_behind_and_for_no_longer_when_it_goes_silent() -> None:
    call = Call()
    call.bring(steady(0, 3000), steady(0, 3000))
    call.bring(steady(2500, 2700), steady(3000, 3200))
    held = call.blocks[-1].end_ms
    call.bring([], steady(3200, 3700))
    assert call.blocks[-1].end_ms <= held + BLOCK_MS, "for a moment"
    call.bring([], steady(3700, 6000))
    assert call.blocks[-1].end_ms >= 6000 - 1000


def test_without_a_clock_no_track_is_taken_to_be_behind() -> None:
    line = timeline()
    for at in steady(0, 5000):
        line.add("outbound", at + 5000, chunk(at + 5000))
        line.add("inbound", at, chunk(at))
    line.finish()
    assert line.leaps == []
    assert line.lanes["inbound"].late_bytes > 8 * 4000


@pytest.mark.parametrize(
    ("times", "percent"),
    [
        (steady(0, 5000) + [4980] * 250, 50.0),
        ([0] * 500, 100.0),
        ([at * 10 for at in range(500)], 50.0),
        ([at * 19 for at in range(500)], 5.0),
    ],
)
def test_time_that_stands_still_or_is_slow_is_counted_as_lost(times: list[int], percent: float) -> None:
    call = Call()
    call.bring(times, times)
    assert call.line.lost_percent() == pytest.approx(percent, abs=0.5)


def test_chunks_that_come_twice_are_not_lost() -> None:
    call = Call()
    times = [at // 2 * 20 for at in range(1000)]
    call.bring(times, times, pace_ms=10)
    call.elapsed_ms += 60_000  # the call ends long after its last audio
    assert call.line.lost_percent() <= 50.0
    call.elapsed_ms -= 60_000
    assert call.line.lost_percent() == 0.0


def test_a_run_shorter_than_is_judged_is_put_when_the_call_ends() -> None:
    call = Call()
    call.bring(steady(0, 3000), steady(0, 3000))
    call.bring(steady(2000, 2000 + LATE_MS - 40), steady(3000, 3000 + LATE_MS - 40))
    call.line.finish()
    assert not call.line.lanes["inbound"].late
