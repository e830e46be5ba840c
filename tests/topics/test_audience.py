"""The audience: those who are up to date share one place, whoever is behind has a cursor, and nobody's failure is another's."""

import pytest

from hub.events import Position
from hub.topics.audience import SLICE, Following
from hub.topics.outbox import FREE_BYTES
from hub.web.frames import text_frame
from tests.topics.audience import Peer, Socket, Town


@pytest.fixture
def town() -> Town:
    return Town()


class FailingSocket(Socket):
    """A transport that fails in a way nobody foresaw."""

    def write(self, data: bytes) -> None:
        raise ZeroDivisionError


def apart(town: Town) -> list[bool]:
    return [following.apart for following in town.topic.audience.followings]


def joined(town: Town, count: int, **more: bool) -> list[Peer]:
    peers = [town.peer() for _ in range(count)]
    for peer in peers:
        peer.follow(town.topic, **more)
    return peers


def test_subscribers_who_are_up_to_date_need_no_cursor_of_their_own(town: Town) -> None:
    peers = joined(town, 3)
    town.key()
    assert apart(town) == [False] * 3
    written: list[bytes] = []
    for peer in peers:
        peer.socket.write = written.append  # type: ignore[method-assign]
    town.key()
    assert written[0] is written[1] is written[2], "framed once, written to each"


def test_a_subscriber_without_room_takes_a_cursor_and_gives_it_back_when_up_to_date(town: Town) -> None:
    slow, quick = joined(town, 2)
    town.key()
    slow.socket.stalled = True
    slow.socket.write(b"x" * (FREE_BYTES + 1))
    town.key()
    town.key()
    assert sorted(apart(town)) == [False, True]
    assert quick.offsets() == [1, 2, 3]
    slow.socket.stalled, slow.socket.buffered = False, b""
    town.clock.advance(0.1)
    assert slow.offsets() == [1, 2, 3]
    town.key()
    assert apart(town) == [False, False]
    assert slow.offsets() == quick.offsets() == [1, 2, 3, 4]


def test_subscribers_with_and_without_interims_are_served_side_by_side(town: Town) -> None:
    (watching,), (reading,) = joined(town, 1), joined(town, 1, interims=False)
    town.key()
    town.interim("hel")
    town.interim("hello")
    town.final("Hello.")
    assert watching.texts() == [None, "hel", "hello", "Hello."]
    assert reading.texts() == [None, "Hello."]


def test_what_is_published_while_a_large_audience_is_served_comes_in_one_write_afterwards(town: Town) -> None:
    peers = joined(town, SLICE + 1)
    town.key()
    town.clock.advance(0.01)
    writes: list[bytes] = []
    peers[-1].socket.write = writes.append  # type: ignore[method-assign]
    for digit in "234":
        town.key(digit)
    town.interim("hello")
    town.clock.advance(0.01)
    assert [data.count(b'"type"') for data in writes] == [1, 3], "the first event, and then all that came meanwhile"


def test_a_subscriber_that_joins_while_a_large_audience_is_served_misses_and_repeats_nothing(town: Town) -> None:
    joined(town, SLICE + 1)
    town.key("1")
    (late,) = joined(town, 1)
    town.key("2")
    assert late.offsets() == [1]
    town.clock.advance(0.01)
    assert late.offsets() == [1, 2]
    town.key("3")
    town.clock.advance(0.01)
    assert late.offsets() == [1, 2, 3]


def test_one_subscribers_failure_is_its_own(town: Town) -> None:
    first, broken, last = (town.peer() for _ in range(3))
    reasons: list[Exception] = []
    broken.outbox._on_cut_off = reasons.append
    for peer in (first, broken, last):
        peer.follow(town.topic)
    town.key()
    broken.outbox.sink = FailingSocket()
    town.key()
    town.key()
    assert first.offsets() == last.offsets() == [1, 2, 3]
    assert [type(reason) for reason in reasons] == [ZeroDivisionError]
    assert broken.outbox.closed


def test_a_subscriber_that_fails_while_it_is_behind_is_visited_no_more_and_the_others_are(town: Town) -> None:
    broken, other = joined(town, 2)
    reasons: list[Exception] = []
    broken.outbox._on_cut_off = reasons.append
    for peer in (broken, other):
        peer.socket.stalled = True
        peer.socket.write(b"x" * (FREE_BYTES + 1))
    town.key()
    broken.outbox.sink = FailingSocket()
    other.socket.stalled, other.socket.buffered = False, b""
    town.clock.advance(0.1)
    assert other.offsets() == [1]
    assert [type(reason) for reason in reasons] == [ZeroDivisionError]
    assert len(town.rounds) == 0


def test_a_pass_that_fails_leaves_the_audience_to_the_next_one(town: Town) -> None:
    peers = joined(town, 2)
    town.key()

    def broken(_: bytes) -> bytes:
        raise ZeroDivisionError

    stranger = town.peer()
    stranger.outbox.frame = broken
    stranger.outbox._on_cut_off = lambda _: None
    stranger.follow(town.topic, Position("epoch", 1))
    town.key()
    town.key()
    assert stranger.outbox.closed
    assert all(peer.offsets() == [1, 2, 3] for peer in peers)


def test_deliveries_are_counted_and_stay_counted_when_subscribers_leave(town: Town) -> None:
    (watching,), (reading,) = joined(town, 1), joined(town, 1, interims=False)
    town.key()
    town.interim("hel")
    town.final("Hello.")
    assert town.topic.audience.delivered == (4, 1)
    gone: Following = town.topic.audience.followings[0]
    town.topic.audience.leave(gone)
    town.topic.audience.leave(gone)
    town.key()
    assert town.topic.audience.delivered == (5, 1)
    assert len(town.topic.audience) == 1
    assert watching.outbox is not reading.outbox


def test_an_audience_that_all_left_holds_nobody(town: Town) -> None:
    joined(town, 2)
    town.key()
    for following in town.topic.audience.followings:
        town.topic.audience.leave(following)
    town.key()
    assert (len(town.topic.audience), town.topic.audience._current) == (0, {})


def test_who_follows_alone_has_each_message_framed_right_before_it_is_written(town: Town) -> None:
    """What a frame says, such as a position over all calls, would otherwise be ahead of what the subscriber has got."""
    framed: list[bytes] = []

    def frame(payload: bytes) -> bytes:
        framed.append(payload)
        return text_frame(payload)

    peer = town.peer()
    peer.outbox.frame = frame
    town.topic.audience.follow(peer.outbox, alone=True)
    for key in "123":
        town.key(key)
        assert len(framed) == len(peer.offsets()) == int(key)
    peer.socket.stalled = True
    peer.socket.write(b"\x8a\x00" * FREE_BYTES)
    for key in "456":
        town.key(key)
    assert len(framed) == 3
    assert peer.outbox.behind
    peer.socket.stalled = False
    peer.socket.buffered = b""
    town.clock.advance(1)
    assert len(framed) == len(peer.offsets()) == 6
