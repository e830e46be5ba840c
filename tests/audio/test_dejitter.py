"""Pieces of one voice, joined although their times jitter."""

from hypothesis import given
from hypothesis import strategies as st

from hub.audio.dejitter import JITTER_MS, Dejitter
from hub.audio.g711 import BYTES_PER_MS


def test_a_piece_that_seems_to_begin_early_or_a_little_late_follows_the_one_before() -> None:
    voice = Dejitter()
    assert voice.place(1000.0, b"a" * 800) == (1000, b"a" * 800)
    assert voice.place(1100.0 + JITTER_MS, b"b" * 800) == (1100, b"b" * 800)
    assert voice.place(1150.4, b"c" * 800) == (1200, b"c" * 800)


def test_a_piece_that_begins_later_than_jitter_explains_stands_after_a_pause() -> None:
    voice = Dejitter()
    voice.place(0.0, b"a" * 800)
    assert voice.place(101.0 + JITTER_MS, b"b" * 800) == (101 + JITTER_MS, b"b" * 800)


def test_bytes_that_fill_no_millisecond_go_with_the_next_piece() -> None:
    voice = Dejitter()
    assert voice.place(0.0, b"a" * 3) == (0, b"")
    assert voice.place(0.4, b"b" * 6) == (0, b"aaabbbbb")
    assert voice.place(1.0, b"c" * 7) == (1, b"bccccccc")


@given(st.lists(st.tuples(st.floats(0, 5000), st.binary(max_size=50)), max_size=30))
def test_no_byte_is_lost_doubled_or_put_before_the_one_that_was_spoken_before_it(pieces: list[tuple[float, bytes]]) -> None:
    voice, end_ms, placed = Dejitter(), 0, b""
    for start_ms, mulaw in pieces:
        at_ms, whole = voice.place(start_ms, mulaw)
        assert at_ms >= end_ms
        end_ms, placed = at_ms + len(whole) // BYTES_PER_MS, placed + whole
    spoken = b"".join(mulaw for _, mulaw in pieces)
    assert placed == spoken[: len(placed)]
    assert len(spoken) - len(placed) < BYTES_PER_MS
