"""Where a call is cut in two: in a pause of both sides, and each byte of it lies in exactly one half."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audio import g711
from hub.audio.cut import CutSearch, split
from hub.audio.g711 import silence
from hub.audio.timeline import Block

LOUD = g711.to_mulaw(b"".join(round(8000 * math.sin(at * 0.6)).to_bytes(2, "little", signed=True) for at in range(800)))
QUIET = silence(800)


def blocks(inbound: str, outbound: str = "", start_ms: float = 10_000.0) -> list[Block]:
    """Blocks of 100 ms: `x` is speech, anything else is silence."""
    pairs = zip(inbound, outbound.ljust(len(inbound)), strict=True)
    sound = [(LOUD if left == "x" else QUIET, LOUD if right == "x" else QUIET) for left, right in pairs]
    return [Block(start_ms + 100 * number, *both) for number, both in enumerate(sound)]


def searched(search: CutSearch, given_blocks: list[Block]) -> list[Block]:
    return [passed for block in given_blocks for passed in search.take(block)]


def joined(given_blocks: list[Block]) -> tuple[bytes, bytes]:
    return b"".join(block.inbound for block in given_blocks), b"".join(block.outbound for block in given_blocks)


@pytest.mark.parametrize(
    ("inbound", "outbound", "from_ms", "cut_ms"),
    [
        ("xxxx...xxx", "", 10_000, 10_550),  # the middle of the first 300 ms of a pause
        ("xx..xxx....", "", 10_000, 10_850),  # a pause of 200 ms is too short
        ("xx....xxxx..", "..xxx......x", 10_000, None),  # one side speaks always
        ("....xxxx...", "", 10_200, 10_950),  # a pause that the other node has too little of
        ("....xx", "", 10_100, 10_250),  # a pause counts from there on
        ("...", "", 9_000, 10_150),
        ("..", "", 10_000, None),
    ],
)
def test_a_call_is_cut_in_the_first_pause_of_both_sides(inbound: str, outbound: str, from_ms: float, cut_ms: float | None) -> None:
    search = CutSearch(from_ms)
    searched(search, blocks(inbound, outbound))
    assert search.cut_ms == cut_ms


def test_speech_is_held_back_by_nobody_and_a_pause_for_a_moment_only() -> None:
    search = CutSearch(10_000)
    passed = [[block.start_ms for block in search.take(block)] for block in blocks("xx..xx")]
    assert passed == [[10_000], [10_100], [], [], [10_200, 10_300, 10_400], [10_500]]


def test_without_a_pause_the_call_is_cut_after_five_seconds_where_it_is_quietest() -> None:
    search = CutSearch(10_000)
    given_blocks = blocks("x" * 60)
    quiet = Block(14_300.0, LOUD[:160] + silence(160) + LOUD[320:], QUIET)
    given_blocks[43] = quiet
    passed = searched(search, given_blocks)
    assert search.cut_ms == 14_330.0
    assert joined(passed + search.behind) == joined(given_blocks)


def test_where_no_audio_comes_any_more_the_cut_lies_behind_all_of_it() -> None:
    search = CutSearch(10_000)
    given_blocks = blocks("xx..")
    passed = searched(search, given_blocks)
    passed += search.end(10_400.0)
    assert (search.cut_ms, passed, search.behind) == (10_400.0, given_blocks, [])


def test_what_is_held_can_be_taken_back() -> None:
    search = CutSearch(10_000)
    given_blocks = blocks("xx....xx")
    passed = searched(search, given_blocks)
    assert joined(passed + search.release()) == joined(given_blocks)
    assert search.release() == []


@given(st.lists(st.sampled_from([LOUD, QUIET]), min_size=1, max_size=90), st.floats(0, 3000), st.randoms(use_true_random=False))
def test_each_byte_lies_in_exactly_one_half_whatever_is_said(sound: list[bytes], from_ms: float, chance: random.Random) -> None:
    given_blocks = [Block(number * 100.0, inbound, chance.choice([LOUD, QUIET])) for number, inbound in enumerate(sound)]
    search = CutSearch(from_ms)
    before = searched(search, given_blocks)
    before += search.end(len(sound) * 100.0)
    assert joined(before + search.behind) == joined(given_blocks)
    assert search.cut_ms is not None
    assert sum(len(block.inbound) for block in before) == round(search.cut_ms * 8)
    assert search.cut_ms >= min(from_ms, len(sound) * 100.0)


def test_a_block_is_split_at_a_byte() -> None:
    block = Block(0.0, bytes(range(16)), bytes(range(16, 32)))
    before, behind = split([block], 0.625)
    assert before == [Block(0.0, bytes(range(5)), bytes(range(16, 21)))]
    assert behind == [Block(0.625, bytes(range(5, 16)), bytes(range(21, 32)))]
