"""Feeds a stereo timeline with audio whose every byte tells its own position."""

from collections.abc import Iterable

from hub.audio.g711 import Track
from hub.audio.timeline import Block, StereoTimeline, TrackLane

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


def spans(line: StereoTimeline, track: Track) -> tuple[int, int, int]:
    """Return what a track's lane counted, in ms: filled, late, dropped."""
    lane = line.lanes[track]
    return lane.filled_bytes // 8, lane.late_bytes // 8, lane.dropped_bytes // 8
