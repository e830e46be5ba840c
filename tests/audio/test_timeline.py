"""The stereo timeline: each byte comes out where its timestamp says, the rest is silence, and everything is counted."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio.g711 import Track
from hub.audio.timeline import BLOCK_MS, LEAP_CHUNKS, LEAP_MS, PATIENCE_MS, Block, StereoTimeline, TrackTimeline

TRACKS: tuple[Track, ...] = ("inbound", "outbound")


def chunk(at_ms: int, size: int = 160) -> bytes:
    """Audio whose every byte tells its position, and is never silence (0xFF)."""
    return bytes((at_ms * 8 + i) % 251 for i in range(size))


def timeline(*tracks: Track) -> StereoTimeline:
    made = StereoTimeline()
    made.expect(list(tracks or TRACKS))
    return made


def held_bytes(lane: TrackTimeline) -> int:
    return len(lane.data) + sum(map(len, lane.fresh))


def feed(line: StereoTimeline, track: Track, *times: int) -> list[Block]:
    for at in times:
        line.add(track, at, chunk(at))
    return line.blocks()


def check_in_place(blocks: list[Block]) -> None:
    """Every byte is silence or what its own position says, and both tracks have the same length."""
    for block in blocks:
        assert len(block.inbound) == len(block.outbound)
        start = round(block.start_ms * 8)
        for track in TRACKS:
            for index, byte in enumerate(block.track(track)):
                assert byte == 0xFF or byte == (start + index) % 251


def test_a_block_leaves_as_soon_as_both_tracks_cover_it() -> None:
    line = timeline()
    assert feed(line, "inbound", 0, 20, 40, 60, 80) == []
    assert feed(line, "outbound", 0, 20, 40, 60) == []
    (block,) = feed(line, "outbound", 80)
    assert (block.start_ms, block.end_ms) == (0, BLOCK_MS)
    assert block.inbound == block.outbound == chunk(0, 800)


def test_stereo_interleaves_inbound_left() -> None:
    assert Block(0, b"\x01\x02", b"\x03\x04").stereo() == b"\x01\x03\x02\x04"


def test_a_one_sided_call_flows_with_no_more_than_the_patience() -> None:
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


def test_a_chunk_too_late_is_counted_and_never_appended() -> None:
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


def test_the_end_is_padded_and_flushed_to_the_last_byte() -> None:
    line = timeline()
    blocks: list[Block] = []
    for at in range(0, 2300, 20):
        blocks += feed(line, "inbound", at) + (feed(line, "outbound", at) if at < 2100 else [])
    blocks += line.finish()
    assert b"".join(block.inbound for block in blocks) == chunk(0, 2300 * 8)
    assert b"".join(block.outbound for block in blocks) == chunk(0, 2100 * 8) + b"\xff" * 1600
    assert blocks[-1].end_ms == 2300


def test_going_on_later_skips_without_audio() -> None:
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
        st.one_of(st.integers(0, 6000), st.integers(-50, 60), st.sampled_from([10**6, 10**9, 10**15, -(10**9)])),
        st.integers(0, 700),
    ),
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(arrivals, st.booleans())
def test_any_arrival_order_gives_each_sample_its_place_or_its_count(chunks: list[tuple[Track, int, int]], sort: bool) -> None:
    line = timeline()
    blocks: list[Block] = []
    came: dict[Track, set[int]] = {"inbound": set(), "outbound": set()}
    for track, at, size in sorted(chunks, key=lambda each: each[1]) if sort else chunks:
        line.add(track, at, chunk(at, size))
        came[track].update(range(at * 8, at * 8 + size))
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
        placed = {round(b.start_ms * 8) + i for b in blocks for i, byte in enumerate(b.track(track)) if byte != 0xFF}
        total = sum(len(block.inbound) for block in blocks)
        assert placed <= came[track]
        assert len(placed) + lane.filled_bytes == total, "what was not audio was filled, and counted"
        if not line.leaps:
            could = {position for position in came[track] if 0 <= position < total}
            assert len(could - placed) <= lane.late_bytes + lane.dropped_bytes, "what is missing was counted"


@pytest.mark.timeout(120)  # it computes, with whatever else is computed here
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
        expected = {position for _, at, name in kept if name == track for position in range(at * 8, at * 8 + 160)}
        placed = {round(b.start_ms * 8) + i for b in blocks for i, byte in enumerate(b.track(track)) if byte != 0xFF}
        assert placed == expected
        assert (lane.late_bytes, lane.dropped_bytes) == (0, 0)


def test_a_leap_needs_more_than_a_glitch() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    for index in range(LEAP_CHUNKS - 1):
        line.add("inbound", 60_000 + index * 20, chunk(60_000 + index * 20))
    assert line.end_ms == 20
    line.add("inbound", 60_000 + LEAP_CHUNKS * 20, chunk(60_000 + LEAP_CHUNKS * 20))
    assert line.end_ms > 60_000
