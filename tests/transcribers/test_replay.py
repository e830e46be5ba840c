"""The replay buffer: no audio is lost without a report, no settled audio is sent twice, and memory has a bound."""

from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audio import g711
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track
from hub.audio.timeline import Block
from hub.transcribers.replay import AudioClock, ReplayBuffer

SOUND = b"\x01"
UNIT_MS = 20
"""All times in these tests are multiples of this."""


def block(start_ms: float, length_ms: float = 100.0) -> Block:
    sound = SOUND * round(length_ms * BYTES_PER_MS)
    return Block(start_ms, sound, sound)


def filled(*starts_ms: float, bound_ms: float = 60_000.0) -> ReplayBuffer:
    replay = ReplayBuffer(TRACKS, bound_ms)
    for start_ms in starts_ms:
        replay.push(block(start_ms))
    return replay


def sent(replay: ReplayBuffer, now: float = 0.0) -> list[Block]:
    """Send every block that is due."""
    blocks = []
    while replay.has_more:
        blocks.append(replay.next(now))
    return blocks


def starts(blocks: list[Block]) -> list[float]:
    return [each.start_ms for each in blocks]


def test_blocks_are_sent_once_and_in_order() -> None:
    replay = filled(0, 100, 200)
    assert starts(sent(replay)) == [0, 100, 200]
    assert sent(replay) == []
    replay.push(block(300))
    assert starts(sent(replay)) == [300]


def test_after_a_break_everything_unsettled_is_sent_again() -> None:
    replay = filled(0, 100, 200)
    sent(replay)
    for track in TRACKS:
        replay.settle(track, 100)
    replay.rewind()
    assert starts(sent(replay)) == [100, 200]


def test_a_settled_track_is_silent_in_what_is_sent_again() -> None:
    replay = filled(0, 100)
    sent(replay)
    replay.settle("inbound", 140)
    replay.rewind()
    first, second = sent(replay)
    assert (first.inbound, first.outbound) == (g711.silence(800), SOUND * 800)
    assert (second.inbound, second.outbound) == (g711.silence(320) + SOUND * 480, SOUND * 800)
    assert replay.unsettled() == [first, second]


def test_nothing_can_be_settled_that_was_not_sent() -> None:
    replay = filled(0, 100)
    replay.settle("inbound", 10_000)
    assert replay.settled_ms["inbound"] == 0
    replay.next(0.0)
    replay.settle("inbound", 10_000)
    assert replay.settled_ms["inbound"] == 100
    assert replay.next(0.0) == block(100)
    replay.rewind()
    replay.settle("inbound", 10_000)
    assert replay.settled_ms["inbound"] == 100


def test_what_was_dropped_before_it_was_sent_is_lost() -> None:
    replay = filled(0, 100, 200, 300, bound_ms=200)
    assert replay.take_lost() == [("inbound", (0, 200)), ("outbound", (0, 200))]
    assert replay.take_lost() == []
    assert starts(sent(replay)) == [200, 300]


def test_what_was_sent_and_dropped_is_lost_only_if_the_connection_breaks_before_its_words_come() -> None:
    replay = ReplayBuffer(TRACKS, 200)
    for at in (0, 100, 200, 300):
        replay.push(block(at))
        sent(replay)
    assert replay.take_lost() == []
    assert not replay.is_settled
    replay.settle("inbound", 150)
    replay.rewind()
    assert replay.take_lost() == [("inbound", (150, 200)), ("outbound", (0, 200))]


def test_words_of_audio_that_was_dropped_after_it_was_sent_still_count() -> None:
    replay = ReplayBuffer(TRACKS, 200)
    for at in (0, 100):
        replay.push(block(at))
    sent(replay)
    for at in (200, 300, 400, 500):  # the socket takes nothing any more
        replay.push(block(at))
    assert replay.settled_ms == {"inbound": 0, "outbound": 0}, "or the words of the first two blocks would be taken for repeats"
    for track in TRACKS:
        replay.settle(track, 200)
    assert replay.take_lost() == [("inbound", (200, 400)), ("outbound", (200, 400))]
    replay.rewind()
    assert replay.take_lost() == []


def test_losses_are_reported_in_order_whatever_caused_them() -> None:
    replay = ReplayBuffer(TRACKS, 200)
    for at in (0, 100):
        replay.push(block(at))
    sent(replay)
    for at in (200, 300, 400, 500):
        replay.push(block(at))
    replay.rewind()
    assert replay.take_lost() == [("inbound", (0, 400)), ("outbound", (0, 400))]


def test_a_leap_of_the_streams_clock_costs_no_audio_and_is_no_loss() -> None:
    replay = filled(0, 100, 3_600_000, 3_600_100, bound_ms=400)
    assert replay.take_lost() == []
    assert starts(sent(replay)) == [0, 100, 3_600_000, 3_600_100]
    replay.abandon()
    assert replay.take_lost() == [
        ("inbound", (0, 200)), ("inbound", (3_600_000, 3_600_200)), ("outbound", (0, 200)), ("outbound", (3_600_000, 3_600_200)),
    ]  # fmt: skip


def test_all_is_settled_when_no_audio_waits_for_its_words() -> None:
    replay = ReplayBuffer(TRACKS, 60_000)
    assert replay.is_settled
    replay.push(block(0))
    sent(replay)
    replay.settle("inbound", 100)
    assert not replay.is_settled
    replay.settle("outbound", 100)
    assert replay.is_settled


def test_a_buffer_of_one_track_leaves_the_other_alone() -> None:
    replay = ReplayBuffer(("outbound",), 60_000)
    replay.push(block(0))
    sent(replay)
    replay.settle("outbound", 60)
    replay.rewind()
    (again,) = sent(replay)
    assert (again.inbound, again.outbound) == (SOUND * 800, g711.silence(480) + SOUND * 320)


def test_it_knows_when_audio_was_sent_also_behind_a_leap() -> None:
    replay = filled(1000, 1100, 1200, 9000)
    assert replay.sent_at(1050) is None
    for now in (7.0, 7.1, 7.2, 8.0):
        replay.next(now)
    assert [replay.sent_at(at) for at in (1050, 1100, 1250, 500, 5000)] == [7.0, 7.0, 7.2, None, None]
    replay.rewind()
    assert replay.sent_at(1050) is None
    assert ReplayBuffer(TRACKS, 60_000).sent_at(0) is None


Unit: TypeAlias = tuple[Track, int]


@dataclass
class Account:
    """What is known of every 20 ms of audio that was ever pushed."""

    replay: ReplayBuffer
    pushed: set[Unit] = field(default_factory=set)
    on_the_way: set[Unit] = field(default_factory=set)
    """Sent on the present connection."""
    settled: set[Unit] = field(default_factory=set)
    lost: set[Unit] = field(default_factory=set)
    at_ms: int = 0

    def push(self, length: int, leap: int) -> None:
        self.at_ms += leap * UNIT_MS
        self.replay.push(block(self.at_ms, length * UNIT_MS))
        self.pushed |= {(track, self.at_ms + unit * UNIT_MS) for unit in range(length) for track in TRACKS}
        self.at_ms += length * UNIT_MS

    def send(self) -> None:
        if self.replay.has_more:
            self.on_the_way |= self.audible(self.replay.next(0.0))

    def settle(self, track: Track, until: int) -> None:
        self.replay.settle(track, until * UNIT_MS)
        self.settled |= {(which, at) for which, at in self.on_the_way if which == track and at + UNIT_MS <= until * UNIT_MS}

    def rewind(self) -> None:
        self.replay.rewind()
        self.on_the_way.clear()

    def hear_of_losses(self) -> None:
        for track, (start, end) in self.replay.take_lost():
            self.lost |= {(track, at) for at in range(round(start), round(end), UNIT_MS)}

    def audible(self, each: Block) -> set[Unit]:
        size = UNIT_MS * BYTES_PER_MS
        units = set()
        for track in TRACKS:
            mulaw = each.track(track)
            for at in range(0, len(mulaw), size):
                assert mulaw[at : at + size] in (SOUND * size, g711.silence(size))
                if mulaw[at : at + size] == SOUND * size:
                    units.add((track, round(each.start_ms) + at // BYTES_PER_MS))
        assert not units & self.settled, "nothing settled goes out again"
        assert not units & self.lost, "what was told to be lost stays lost"
        return units


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(1, 5), st.sampled_from((0, 0, 0, 0, 7, 1000))),
        st.tuples(st.just("send")),
        st.tuples(st.just("settle"), st.sampled_from(TRACKS), st.integers(0, 60)),
        st.tuples(st.just("rewind")),
        st.tuples(st.just("losses")),
    ),
    max_size=80,
)  # fmt: skip


@given(steps)
def test_any_interleaving_loses_nothing_unreported_and_sends_nothing_settled_again(story: list[tuple[object, ...]]) -> None:
    account = Account(ReplayBuffer(TRACKS, bound_ms=400))
    for step in story:
        match step:
            case ("push", int(length), int(leap)):
                account.push(length, leap)
            case ("send",):
                account.send()
            case ("settle", "inbound" | "outbound" as track, int(until)):
                account.settle(track, until)
            case ("rewind",):
                account.rewind()
            case ("losses",):
                account.hear_of_losses()
        assert account.replay.held_ms <= 400
        assert len(account.replay.unsettled()) <= 20
    account.rewind()
    account.hear_of_losses()
    again: set[Unit] = set()
    while account.replay.has_more:
        again |= account.audible(account.replay.next(0.0))
    assert account.settled | account.lost | again == account.pushed
    assert not account.settled & account.lost, "nothing that was transcribed is called lost"


class TestAudioClock:
    """A connection's own time, told in call time."""

    def test_an_empty_clock_changes_nothing(self) -> None:
        assert AudioClock().call_ms(1234.5) == 1234.5

    @pytest.mark.parametrize(("moment_ms", "call_ms"), [(-3.0, 5000), (1e308 * 10, 5200), (250.0, 5200), (150.0, 5150)])
    def test_a_moment_outside_the_audio_is_the_nearest_one_inside(self, moment_ms: float, call_ms: float) -> None:
        clock = AudioClock()
        clock.sent(block(5000))
        clock.sent(block(5100))
        assert clock.call_ms(moment_ms) == call_ms

    def test_it_begins_where_its_first_block_does(self) -> None:
        clock = AudioClock()
        clock.sent(block(5000))
        clock.sent(block(5100))
        assert clock.total_ms == 200
        assert [clock.call_ms(at) for at in (0, 150, 200)] == [5000, 5150, 5200]

    def test_a_moment_at_a_leap_belongs_to_the_word_it_bounds(self) -> None:
        clock = AudioClock()
        clock.sent(block(0))
        clock.sent(block(60_000))
        assert (clock.call_ms(100), clock.call_ms(100, end=True)) == (60_000, 100)
        assert (clock.call_ms(99), clock.call_ms(101, end=True)) == (99, 60_001)

    def test_silence_that_only_fills_a_frame_is_no_call_time(self) -> None:
        clock = AudioClock()
        clock.sent(block(0, 20), padding_ms=30)
        clock.sent(block(20))
        assert (clock.total_ms, clock.call_ms(20, end=True), clock.call_ms(50), clock.call_ms(150, end=True)) == (150, 20, 20, 120)

    @given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from((0, 0, 0, 20, 500, 100_000)), st.sampled_from((0, 0, 25))), min_size=1))
    def test_every_moment_of_every_block_comes_back_as_itself(self, parts: list[tuple[int, int, int]]) -> None:
        clock, at_ms, known = AudioClock(), 0.0, []
        for units, leap_ms, padding_ms in parts:
            at_ms += leap_ms
            length_ms = units * 2.0
            known.append((clock.total_ms, at_ms, length_ms))
            clock.sent(block(at_ms, length_ms), padding_ms)
            at_ms += length_ms
        for sent_ms, call_ms, length_ms in known:
            assert clock.call_ms(sent_ms) == call_ms
            assert clock.call_ms(sent_ms + length_ms / 2) == call_ms + length_ms / 2
            assert clock.call_ms(sent_ms + length_ms, end=True) == call_ms + length_ms
