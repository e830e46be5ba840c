"""The stereo timeline: what comes out is where its timestamp says, or silence, and everything is counted."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio.g711 import Track
from hub.audio.timeline import BLOCK_MS, LEAP_MS, PATIENCE_MS, Block
from tests.audio.timeline_feed import (
    TRACKS,
    check_in_place,
    chunk,
    feed,
    held_bytes,
    marked,
    placed,
    spans,
    timeline,
)


def test_a_block_leaves_as_soon_as_both_tracks_cover_it() -> None:
    line = timeline()
    assert feed(line, "inbound", 0, 20, 40, 60, 80) == []
    assert feed(line, "outbound", 0, 20, 40, 60) == []
    (block,) = feed(line, "outbound", 80)
    assert (block.start_ms, block.end_ms) == (0, BLOCK_MS)
    assert block.inbound == block.outbound == chunk(0, 800)


def test_stereo_interleaves_inbound_left() -> None:
    assert Block(0, b"\x01\x02", b"\x03\x04").stereo() == b"\x01\x03\x02\x04"


def test_a_one_sided_call_is_never_delayed_by_more_than_the_patience() -> None:
    line = timeline()
    blocks = feed(line, "inbound", *range(0, 30_000, 20))
    assert blocks[-1].end_ms >= 30_000 - PATIENCE_MS - BLOCK_MS
    check_in_place(blocks)
    assert set(b"".join(block.outbound for block in blocks)) == {0xFF}


def test_a_stream_of_one_track_does_not_wait_for_the_other() -> None:
    line = timeline("inbound")
    assert len(feed(line, "inbound", *range(0, 100, 20))) == 1
    assert line.lanes["outbound"].filled_bytes == 0


def test_outbound_that_starts_three_seconds_late_is_in_step_at_once() -> None:
    line = timeline()
    blocks = feed(line, "inbound", *range(0, 3000, 20))
    for at in range(3000, 4000, 20):
        blocks += feed(line, "inbound", at) + feed(line, "outbound", at)
    blocks += line.finish()
    check_in_place(blocks)
    assert b"".join(block.outbound for block in blocks) == b"\xff" * 24_000 + chunk(3000, 8000)
    assert line.lanes["outbound"].filled_bytes == 24_000


def test_outbound_that_starts_first_causes_no_skew() -> None:
    line = timeline()
    blocks = feed(line, "outbound", *range(0, 2000, 20))
    for at in range(2000, 3000, 20):
        blocks += feed(line, "outbound", at) + feed(line, "inbound", at)
    check_in_place(blocks + line.finish())


def test_a_late_chunk_fills_what_has_not_left() -> None:
    line = timeline()
    feed(line, "inbound", 0, 20, 60, 80, 100)
    feed(line, "outbound", 0, 20, 40, 60, 80)
    (block,) = feed(line, "inbound", 40)
    assert block.inbound == chunk(0, 800)
    assert line.lanes["inbound"].filled_bytes == 0


def test_a_chunk_that_comes_too_late_is_counted_and_never_placed() -> None:
    line = timeline()
    times = [at for at in range(0, 600, 20) if at != 40]
    blocks = []
    for at in times:
        blocks += feed(line, "inbound", at) + feed(line, "outbound", at)
    before = len(blocks)
    assert feed(line, "inbound", 40) == []
    lane = line.lanes["inbound"]
    assert (lane.late_bytes, lane.filled_bytes) == (160, 160)
    assert feed(line, "inbound", 40) == []
    assert lane.late_bytes == 160, "a late chunk that comes twice is late once"
    check_in_place(blocks + line.finish())
    assert before


def test_duplicates_change_nothing() -> None:
    once, twice = timeline(), timeline()
    blocks_once: list[Block] = []
    blocks_twice: list[Block] = []
    for at in range(0, 1000, 20):
        for track in TRACKS:
            blocks_once += feed(once, track, at)
            blocks_twice += feed(twice, track, at) + feed(twice, track, at) + feed(twice, track, max(0, at - 300))
    assert blocks_once + once.finish() == blocks_twice + twice.finish()
    assert [(lane.filled_bytes, lane.late_bytes, lane.dropped_bytes) for lane in twice.lanes.values()] == [(0, 0, 0)] * 2


def test_the_end_is_padded_and_flushed_to_the_last_byte() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in range(0, 2300, 20):
        blocks += feed(line, "inbound", at) + (feed(line, "outbound", at) if at < 2100 else [])
    blocks += line.finish()
    assert b"".join(block.inbound for block in blocks) == chunk(0, 2300 * 8)
    assert b"".join(block.outbound for block in blocks) == chunk(0, 2100 * 8) + b"\xff" * 1600
    assert blocks[-1].end_ms == 2300


def test_skipping_to_a_later_time_emits_nothing_for_the_time_between() -> None:
    line = timeline()
    feed(line, "inbound", 0, 20)
    line.skip_to(5000)
    (first,) = line.blocks()
    assert first.end_ms == 40
    feed(line, "inbound", 5000)
    (second,) = line.finish()
    assert (second.start_ms, second.inbound) == (5000, chunk(5000))


arrivals = st.lists(
    st.tuples(
        st.sampled_from(TRACKS),
        st.one_of(st.integers(0, 6000), st.integers(-50, 60), st.sampled_from([10**5, 10**9, 10**15, -(10**9)])),
        st.integers(0, 700),
    ),
    max_size=120,
)


@pytest.mark.timeout(180)  # it is bound by the processor, and takes as long as a busy machine takes
@settings(max_examples=300, deadline=None)
@given(arrivals, st.booleans())
def test_any_arrival_order_gives_each_sample_its_place_or_its_count(chunks: list[tuple[Track, int, int]], sort: bool) -> None:
    line = timeline()
    blocks: list[Block] = []
    came: dict[Track, list[tuple[int, int]]] = {"inbound": [], "outbound": []}
    for track, at, size in sorted(chunks, key=lambda each: each[1]) if sort else chunks:
        line.add(track, at, chunk(at, size))
        came[track].append((at * 8, size))
        blocks += line.blocks()
        for lane in line.lanes.values():
            assert held_bytes(lane) <= (LEAP_MS + PATIENCE_MS + BLOCK_MS) * 8 + 700
    blocks += line.finish()
    check_in_place(blocks)
    for earlier, later in pairwise(blocks):
        assert later.start_ms >= earlier.end_ms
    if not line.leaps:
        assert all(later.start_ms == earlier.end_ms for earlier, later in pairwise(blocks))
    for track in TRACKS:
        lane = line.lanes[track]
        total = sum(len(block.inbound) for block in blocks)
        end = round(blocks[-1].end_ms * 8) if blocks else 0
        has, could = placed(blocks, track, end), marked(came[track], end)
        assert int.from_bytes(has) | int.from_bytes(could) == int.from_bytes(could), "audio lies only where some was sent"
        assert has.count(1) + lane.filled_bytes == total, "what is not audio was filled, and counted"
        if not line.leaps:
            missing = could.count(1) - has.count(1)
            assert missing <= lane.late_bytes + lane.dropped_bytes, "what is missing was counted"


@pytest.mark.timeout(180)  # it is bound by the processor, and takes as long as a busy machine takes
@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 150), st.floats(0, 0.2), st.integers(0, 3000))
def test_jitter_within_the_patience_and_a_late_track_lose_nothing_but_what_was_lost(seed: int, jitter: int, lose: float, late: int) -> None:
    rng = random.Random(seed)
    frames = [(at + rng.uniform(0, jitter), at, track) for at in range(0, 4000, 20) for track in TRACKS if track == "inbound" or at >= late]
    kept = [frame for frame in sorted(frames) if rng.random() >= lose]
    line = timeline()
    blocks: list[Block] = []
    for _, at, track in kept:
        blocks += feed(line, track, at)
    blocks += line.finish()
    check_in_place(blocks)
    for track in TRACKS:
        lane = line.lanes[track]
        total = sum(len(block.inbound) for block in blocks)
        assert placed(blocks, track, total) == marked(((at * 8, 160) for _, at, name in kept if name == track), total)
        assert (lane.late_bytes, lane.dropped_bytes) == (0, 0)


def test_the_furthest_that_a_track_fell_behind_is_kept_for_that_track() -> None:
    line = timeline()
    feed(line, "inbound", *range(0, 200, 20))
    feed(line, "outbound", *range(0, 200, 20))
    assert [line.lanes[track].max_skew_bytes // 8 for track in TRACKS] == [0, 200]
    feed(line, "outbound", *range(200, 300, 20))
    feed(line, "inbound", *range(200, 300, 20))
    assert [line.lanes[track].max_skew_bytes // 8 for track in TRACKS] == [100, 200], "a smaller lag later on changes nothing"


def test_a_track_that_nobody_announced_is_not_behind() -> None:
    line = timeline("inbound")
    feed(line, "inbound", *range(0, 2000, 20))
    assert line.lanes["outbound"].max_skew_bytes == 0


def test_a_block_waits_for_a_missing_track_exactly_as_long_as_the_patience() -> None:
    line = timeline()
    assert feed(line, "inbound", *range(0, BLOCK_MS + PATIENCE_MS - 20, 20)) == []
    (block,) = feed(line, "inbound", BLOCK_MS + PATIENCE_MS - 20)
    assert (block.start_ms, block.end_ms) == (0, BLOCK_MS)


def test_a_block_waits_for_a_hole_exactly_as_long_as_the_patience_and_not_for_a_hole_after_it() -> None:
    line = timeline()
    feed(line, "outbound", *range(0, 280, 20))
    assert feed(line, "inbound", 0, 20, 60, 80, *range(100, 280, 20)) == [], "40-60 ms may still arrive"
    assert [block.start_ms for block in feed(line, "inbound", 280)] == [0, 100], "and the block after it is complete"
    line = timeline()
    feed(line, "inbound", 0, 20, 40, 60, 80, 120)
    assert len(feed(line, "outbound", 0, 20, 40, 60, 80)) == 1, "a hole that begins where the block ends does not concern it"


def test_skipping_never_goes_back() -> None:
    line = timeline("inbound")
    feed(line, "inbound", *range(0, 200, 20))
    line.skip_to(40)
    feed(line, "inbound", 200)
    (block,) = line.finish()
    assert (block.start_ms, block.inbound) == (200, chunk(200))


def test_audio_for_a_long_silence_is_late_however_long_the_silence_was() -> None:
    """The spans that left as silence are remembered as one where they touch, so that their number does not grow with each block."""
    line = timeline()
    feed(line, "inbound", *range(0, 60_000, 20))
    feed(line, "outbound", 0)
    assert spans(line, "outbound")[1] == 20


def test_late_audio_is_counted_once_for_each_part_of_a_span_in_any_order() -> None:
    line = timeline()
    for at in range(0, 600, 20):
        if not 40 <= at < 140:
            feed(line, "inbound", at)
        feed(line, "outbound", at)
    for _ in range(2):
        for at in (80, 100, 40, 120, 60):
            feed(line, "inbound", at)
    assert spans(line, "inbound") == (100, 100, 0)


def test_a_hole_is_filled_piece_by_piece_in_any_order() -> None:
    line = timeline()
    feed(line, "outbound", 0, 20, 40, 60, 80)
    feed(line, "inbound", 0, 80)
    feed(line, "inbound", 40)
    feed(line, "inbound", 20)
    (block,) = feed(line, "inbound", 60)
    assert block.inbound == chunk(0, 800)
    assert spans(line, "inbound") == (0, 0, 0)


def test_an_empty_chunk_changes_nothing() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    line.add("outbound", 5000, b"")
    line.add("inbound", 5000, b"")
    assert (line.end_ms, line.lanes["outbound"].expected) == (20, False)


def test_a_track_that_brings_audio_unannounced_is_expected_from_then_on() -> None:
    line = timeline("inbound")
    feed(line, "outbound", 0)
    assert line.lanes["outbound"].expected
    assert feed(line, "inbound", 0, 20, 40, 60, 80) == [], "the block waits for it"
