"""The stereo timeline where a stream's clock is wrong, for one chunk or from then on."""

import pytest

from hub.audio.timeline import BACK_MS, BLOCK_MS, CALL_MS, LEAP_CHUNKS, LEAP_MS, SHIFT_CHUNKS, Block, Leap, StereoTimeline
from tests.audio.timeline_feed import TRACKS, check_in_place, chunk, feed, held_bytes, placed, spans, timeline


@pytest.mark.parametrize("wild_ms", [-20, LEAP_MS * 3, 3_600_000, 10**15])
def test_one_wild_timestamp_neither_allocates_nor_moves_the_clock(wild_ms: int) -> None:
    line, calm = timeline(), timeline()
    blocks: list[Block] = []
    expected: list[Block] = []
    for at in range(0, 1000, 20):
        for track in TRACKS:
            blocks += feed(line, track, at)
            expected += feed(calm, track, at)
            if at == 500 and track == "inbound":
                line.add("inbound", wild_ms, chunk(0))
                assert held_bytes(line.lanes["inbound"]) < 10_000
    assert blocks + line.finish() == expected + calm.finish()
    assert line.lanes["inbound"].dropped_bytes == 160


def test_a_wild_track_does_not_leap_away_from_its_calm_neighbour() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in range(0, 2000, 20):
        blocks += feed(line, "outbound", at)
        line.add("inbound", at + 3_600_000, chunk(0))
    blocks += line.finish()
    assert line.end_ms == 2000, "the call's clock stayed"
    assert b"".join(block.outbound for block in blocks) == chunk(0, 16_000)
    assert [leap.tracks for leap in line.leaps] == [("inbound",)], "the wild track is shifted to where the call is"
    assert placed(blocks, "inbound", 16_000)[8 * 20 * SHIFT_CHUNKS :].count(1) == 8 * (2000 - 20 * SHIFT_CHUNKS)


def test_a_leap_that_both_tracks_make_is_followed_and_reported() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in [*range(0, 1000, 20), *range(61_000, 62_000, 20)]:
        blocks += feed(line, "inbound", at) + feed(line, "outbound", at)
    blocks += line.finish()
    check_in_place(blocks)
    assert line.leaps == [Leap(TRACKS, 1000, 61_000)]
    assert sum(len(block.inbound) for block in blocks) == 16_000, "the minute between was skipped, not filled"
    assert sum(set(block.inbound) == {0xFF} for block in blocks) == 0


def test_a_leap_needs_more_than_a_glitch() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    for index in range(LEAP_CHUNKS - 1):
        line.add("inbound", 60_000 + index * 20, chunk(60_000 + index * 20))
    assert line.end_ms == 20
    line.add("inbound", 60_000 + LEAP_CHUNKS * 20, chunk(60_000 + LEAP_CHUNKS * 20))
    assert line.end_ms > 60_000


def test_a_chunk_at_the_edge_of_a_leap_is_placed_and_one_beyond_it_is_held() -> None:
    line = timeline("inbound")
    line.add("inbound", LEAP_MS, chunk(LEAP_MS))
    assert line.end_ms == LEAP_MS + 20
    line = timeline("inbound")
    line.add("inbound", LEAP_MS + 1, chunk(LEAP_MS + 1))
    assert line.end_ms == 0


def test_timestamps_after_the_longest_call_are_never_followed() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    for at in range(CALL_MS + 20, CALL_MS + 20 * 2 * LEAP_CHUNKS, 20):
        line.add("inbound", at, chunk(at))
    assert (line.end_ms, line.leaps) == (20, [])
    assert spans(line, "inbound") == (0, 0, 20 * (2 * LEAP_CHUNKS - 1))


def test_a_chunk_that_is_held_when_the_call_ends_is_dropped_and_counted_once() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    line.add("inbound", 60_000, chunk(60_000))
    line.finish()
    line.finish()
    assert spans(line, "inbound") == (0, 0, 20)


def test_far_timestamps_that_contradict_each_other_are_never_followed() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    for number in range(1, 21):
        line.add("inbound", 60_000 + number * 15_000, chunk(0))
    line.finish()
    assert line.leaps == []
    assert spans(line, "inbound") == (0, 0, 400)


def test_a_leap_lands_on_the_earliest_of_the_chunks_that_agree() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    times = [60_020, 60_000, 60_040, 60_060, 60_080]
    for at in times:
        line.add("inbound", at, chunk(at))
    assert line.leaps == [Leap(("inbound",), 20, 60_000)]
    blocks = line.finish()
    check_in_place(blocks)
    assert b"".join(block.inbound for block in blocks) == chunk(0) + chunk(60_000, 800)


def test_a_calm_chunk_takes_back_the_agreement_of_those_before_it() -> None:
    line = timeline("inbound")
    for index in range(LEAP_CHUNKS * 4):
        feed(line, "inbound", index * 20)
        for _ in range(LEAP_CHUNKS - 1):
            line.add("inbound", 60_000, chunk(60_000))
    assert line.leaps == []


def both(line: StereoTimeline, at_ms: int, audio_ms: int) -> list[Block]:
    """Feed both tracks with the audio that belongs at `audio_ms`, stamped `at_ms`."""
    for track in TRACKS:
        line.add(track, at_ms, chunk(audio_ms))
    return line.blocks()


def test_a_clock_that_goes_back_to_zero_goes_on_from_there_and_the_leap_is_told() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in range(0, 5000, 20):
        blocks += both(line, at, at)
    for at in range(0, 3000, 20):
        blocks += both(line, at, 5000 + BLOCK_MS + at)
    blocks += line.finish()
    check_in_place(blocks)
    assert line.leaps == [Leap((track,), 5000, 5000 + BLOCK_MS) for track in TRACKS]
    assert line.end_ms == 8000 + BLOCK_MS
    for track in TRACKS:
        assert placed(blocks, track, 8 * (8000 + BLOCK_MS)).count(0) == 8 * BLOCK_MS, "all audio is there, after the leap"
    assert [spans(line, track)[1:] for track in TRACKS] == [(0, 0)] * 2
    assert line.lost_percent() == 0.0, "the gap tells it"


def test_a_clock_may_go_back_more_than_once_and_forward_again() -> None:
    line = timeline()
    total = 0
    for first in (0, 0, 30_000, 500):
        for at in range(first, first + 4000, 20):
            total += sum(len(block.inbound) for block in both(line, at, at))
    total += sum(len(block.inbound) for block in line.finish())
    assert [leap.tracks for leap in line.leaps] == [("inbound",), ("outbound",), TRACKS, ("inbound",), ("outbound",)]
    assert total == 8 * (4 * 4000 + 2 * BLOCK_MS)


@pytest.mark.parametrize("every", [1, 2, 10])
def test_single_stamps_of_zero_are_glitches(every: int) -> None:
    line = timeline()
    blocks: list[Block] = []
    for number, at in enumerate(range(0, 4000, 20)):
        blocks += both(line, at, at)
        if number % every == 0:
            line.add("inbound", 0, chunk(0))
    check_in_place(blocks)
    assert line.leaps == []
    assert line.end_ms == 4000


def test_stamps_that_stand_still_are_dropped_and_counted() -> None:
    line = timeline("inbound")
    for at in range(0, 2000, 20):
        feed(line, "inbound", at)
    for _ in range(100):
        feed(line, "inbound", 0)
    line.finish()
    assert line.leaps == []
    assert spans(line, "inbound") == (0, 0, 2000)
    assert line.lost_percent() > 50


def test_a_track_that_was_delayed_and_comes_in_one_burst_is_late_not_back() -> None:
    line = timeline()
    for at in range(0, 1000, 20):
        both(line, at, at)
    for at in range(1000, 6000, 20):
        feed(line, "outbound", at)
    for at in range(1000, 6000, 20):
        feed(line, "inbound", at)
    assert line.leaps == []
    assert spans(line, "inbound")[1] == pytest.approx(4800, abs=100)


def test_one_of_two_streams_may_leap_back_while_the_other_goes_on() -> None:
    line = timeline()
    for at in range(0, 5000, 20):
        both(line, at, at)
    for at in range(0, 2000, 20):
        line.add("outbound", 5000 + at, chunk(5000 + at))
        line.add("inbound", at, chunk(at))
    blocks = line.finish()
    (leap,) = line.leaps
    assert (leap.tracks, leap.start_ms) == (("inbound",), 5000)
    assert leap.end_ms <= 5000 + 2 * BLOCK_MS
    assert abs(line.lanes["inbound"].end - line.lanes["outbound"].end) <= 8 * 2 * BLOCK_MS
    assert blocks


def test_a_new_stream_of_a_track_has_a_clock_of_its_own() -> None:
    line = timeline("inbound")
    for at in [*range(0, 3000, 20), *range(0, 1000, 20)]:
        feed(line, "inbound", at)
    assert line.lanes["inbound"].shift > 0
    line.expect(["inbound"])
    assert line.lanes["inbound"].shift == 0


def test_silence_is_never_filled_in_faster_than_real_time_passes() -> None:
    elapsed_ms = 5000.0
    line = StereoTimeline(lambda: elapsed_ms)
    line.expect(["inbound"])
    blocks: list[Block] = []
    for number in range(800):
        blocks += feed(line, "inbound", number * 9900)
    blocks += line.finish()
    silent_ms = sum(len(block.inbound) for block in blocks) / 8
    assert silent_ms <= elapsed_ms + LEAP_MS + 800 * 20


def test_audio_that_comes_faster_than_real_time_is_whole() -> None:
    line = StereoTimeline(lambda: 0.0)
    line.expect(["inbound"])
    blocks: list[Block] = []
    for at in range(0, 60_000, 20):
        if at % 1000:  # one frame a second is lost
            blocks += feed(line, "inbound", at)
    blocks += line.finish()
    check_in_place(blocks)
    assert placed(blocks, "inbound", 480_000).count(1) == 8 * 20 * 49 * 60


@pytest.mark.parametrize("back_ms", [BACK_MS - 100, BACK_MS + 100])
def test_only_a_second_back_is_a_leap(back_ms: int) -> None:
    line = timeline("inbound")
    for at in range(0, 3000, 20):
        feed(line, "inbound", at)
    for at in range(3000 - back_ms, 3000 - back_ms + 100, 20):
        feed(line, "inbound", at)
    assert bool(line.leaps) == (back_ms > BACK_MS)


def test_what_was_lost_is_counted_between_the_first_and_the_last_audio_of_a_track() -> None:
    line = timeline()
    for at in range(0, 20_000, 20):
        feed(line, "inbound", at)
        if 5000 <= at < 19_000 and at % 100:
            feed(line, "outbound", at)
    line.finish()
    lane = line.lanes["outbound"]
    assert lane.lead_bytes == 8 * 5020, "nobody had answered yet"
    assert lane.lost_bytes == pytest.approx(0.2 * 8 * 14_000, rel=0.02)
    assert line.lost_percent() == pytest.approx(100 * 2.8 / 15, abs=0.5)
    assert line.lost_percent(["inbound"]) == 0.0


def test_a_track_that_stops_long_before_the_other_has_lost_the_rest() -> None:
    line = timeline()
    for at in range(0, 20_000, 20):
        feed(line, "inbound", at)
        if at < 10_000:
            feed(line, "outbound", at)
    line.finish()
    assert line.lost_percent() == 50.0
    line.told("outbound", 10_000, 20_000)
    assert line.lost_percent() == 0.0


def test_a_track_without_any_audio_has_lost_nothing() -> None:
    line = timeline()
    for at in range(0, 20_000, 20):
        feed(line, "inbound", at)
    line.finish()
    assert (line.lost_percent(), line.lanes["outbound"].silent, line.lanes["inbound"].silent) == (0.0, True, False)
