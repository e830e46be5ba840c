"""The stereo timeline: what comes out is where its timestamp says, or silence, and everything is counted."""

import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio.g711 import Track
from hub.audio.timeline import BLOCK_MS, CALL_MS, LEAP_CHUNKS, LEAP_MS, PATIENCE_MS, Block, StereoTimeline, TrackLane

TRACKS: tuple[Track, ...] = ("inbound", "outbound")


PATTERN = bytes(range(251)) * 200
"""Audio whose every byte tells its position, modulo 251, and is never silence (0xFF)."""

IS_AUDIO = b"\1" * 255 + b"\0"
"""A translation table: silence becomes 0, audio becomes 1."""


def patterned(position: int, size: int) -> bytes:
    """Return the audio that belongs at a position, in bytes of call time."""
    return PATTERN[position % 251 :][:size]


def chunk(at_ms: int, size: int = 160) -> bytes:
    """Return the audio that belongs at a call time."""
    return patterned(at_ms * 8, size)


def placed(blocks: list[Block], track: Track, total: int) -> bytes:
    """Return one byte per position of call time up to `total`: 1 where a block has audio of this track, 0 elsewhere."""
    mask = bytearray(total)
    for block in blocks:
        start = round(block.start_ms * 8)
        mask[start : start + len(block.inbound)] = block.track(track).translate(IS_AUDIO)
    return bytes(mask)


def marked(spans: Iterable[tuple[int, int]], total: int) -> bytes:
    """Return one byte per position of call time up to `total`: 1 inside a span of (position, size), 0 elsewhere."""
    mask = bytearray(total)
    for start, size in spans:
        first, last = max(start, 0), min(start + size, total)
        if first < last:
            mask[first:last] = b"\1" * (last - first)
    return bytes(mask)


def timeline(*tracks: Track) -> StereoTimeline:
    made = StereoTimeline()
    made.expect(list(tracks or TRACKS))
    return made


def held_bytes(lane: TrackLane) -> int:
    return len(lane.data) + sum(map(len, lane.fresh))


def feed(line: StereoTimeline, track: Track, *times: int) -> list[Block]:
    for at in times:
        line.add(track, at, chunk(at))
    return line.blocks()


def check_in_place(blocks: list[Block]) -> None:
    """Every byte is silence or what its own position says, and both tracks have one length."""
    for block in blocks:
        assert len(block.inbound) == len(block.outbound)
        start = round(block.start_ms * 8)
        for track in TRACKS:
            audio, right = block.track(track), patterned(start, len(block.inbound))
            if audio != right:
                assert all(byte in (0xFF, expected) for byte, expected in zip(audio, right, strict=True))


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


def test_a_leap_needs_more_than_a_glitch() -> None:
    line = timeline("inbound")
    feed(line, "inbound", 0)
    for index in range(LEAP_CHUNKS - 1):
        line.add("inbound", 60_000 + index * 20, chunk(60_000 + index * 20))
    assert line.end_ms == 20
    line.add("inbound", 60_000 + LEAP_CHUNKS * 20, chunk(60_000 + LEAP_CHUNKS * 20))
    assert line.end_ms > 60_000


def spans(line: StereoTimeline, track: Track) -> tuple[int, int, int]:
    """Return what a track's lane counted, in ms: filled, late, dropped."""
    lane = line.lanes[track]
    return lane.filled_bytes // 8, lane.late_bytes // 8, lane.dropped_bytes // 8


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
