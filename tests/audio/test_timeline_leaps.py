"""The stereo timeline where a stream's clock is wrong, for one chunk or from then on."""

import pytest

from hub.audio.timeline import CALL_MS, LEAP_CHUNKS, LEAP_MS, Block
from tests.audio.timeline_feed import TRACKS, check_in_place, chunk, feed, held_bytes, spans, timeline


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
    for at in range(0, 2000, 20):
        feed(line, "outbound", at)
        line.add("inbound", at + 3_600_000, chunk(0))
    assert line.end_ms == 2000
    assert line.leaps == []


def test_a_leap_that_both_tracks_make_is_followed_and_reported() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in [*range(0, 1000, 20), *range(61_000, 62_000, 20)]:
        blocks += feed(line, "inbound", at) + feed(line, "outbound", at)
    blocks += line.finish()
    check_in_place(blocks)
    assert line.leaps == [(1000, 61_000)]
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
    assert line.leaps == [(20, 60_000)]
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
