"""What waits for the engine on this machine, and what is dropped when that is too much."""

from hypothesis import given
from hypothesis import strategies as st

from hub.vendors.moonshine.waiting import WaitingAudio

BLOCK_BYTES, BLOCK_MS = 800, 100
BLOCK = bytes(BLOCK_BYTES)


def test_what_waits_comes_in_its_order_with_its_time() -> None:
    waiting = WaitingAudio(BLOCK_BYTES * 10)
    waiting.put(0.0, BLOCK)
    waiting.put(100.0, b"\x01" * BLOCK_BYTES)
    assert waiting.take() == (None, (0.0, BLOCK))
    assert waiting.take() == (None, (100.0, b"\x01" * BLOCK_BYTES))
    assert waiting.take() == (None, None)


def test_one_block_too_many_drops_one_long_stretch_and_keeps_the_newest_quarter() -> None:
    waiting = WaitingAudio(BLOCK_BYTES * 100)
    for count in range(101):
        waiting.put(count * BLOCK_MS, BLOCK)
    assert len(waiting.pieces) == 25
    assert waiting.take() == ((0, 7600), (7600, BLOCK))
    assert waiting.take() == (None, (7700, BLOCK))


def test_what_is_dropped_before_anything_is_taken_is_one_stretch_however_often_it_happens() -> None:
    waiting = WaitingAudio(BLOCK_BYTES * 100)
    for count in range(10_000):
        waiting.put(count * BLOCK_MS, BLOCK)
        assert len(waiting.pieces) <= 100
    dropped_ms, piece = waiting.take()
    assert piece
    assert dropped_ms == (0, piece[0])


def test_audio_at_twelve_times_the_pace_that_is_worked_off_makes_gaps_of_most_of_the_bound() -> None:
    waiting, gaps = WaitingAudio(BLOCK_BYTES * 1200), list[tuple[float, float]]()
    for count in range(36_000):  # an hour
        waiting.put(count * BLOCK_MS, BLOCK)
        if count % 12 == 0:
            dropped_ms, _ = waiting.take()
            gaps += [dropped_ms] if dropped_ms else []
    assert len(gaps) < 40
    assert all(end - start >= 90_000 for start, end in gaps)


def test_a_piece_larger_than_the_bound_is_kept() -> None:
    waiting = WaitingAudio(BLOCK_BYTES)
    waiting.put(0.0, BLOCK * 3)
    assert waiting.take() == (None, (0.0, BLOCK * 3))


def test_what_was_taken_is_kept_until_it_is_settled() -> None:
    waiting = WaitingAudio(BLOCK_BYTES * 10)
    for count in range(3):
        waiting.put(count * BLOCK_MS, BLOCK)
        waiting.take()
    waiting.settle(99.0)
    assert [at for at, _ in waiting.unsettled] == [0, 100, 200]
    waiting.settle(100.0)
    assert [at for at, _ in waiting.unsettled] == [100, 200]


@given(st.lists(st.sampled_from(["put", "put", "put", "take"]), max_size=200), st.integers(1, 20))
def test_every_piece_is_taken_or_told_as_dropped_once_and_in_order(steps: list[str], bound: int) -> None:
    waiting, put, seen = WaitingAudio(BLOCK_BYTES * bound), 0, list[float]()
    for step in [*steps, *["take"] * 200]:
        if step == "put":
            waiting.put(put * BLOCK_MS, BLOCK)
            put += 1
        else:
            dropped_ms, piece = waiting.take()
            if dropped_ms:
                seen += range(int(dropped_ms[0]), int(dropped_ms[1]), BLOCK_MS)
            seen += [piece[0]] if piece else []
    assert seen == [count * BLOCK_MS for count in range(put)]
