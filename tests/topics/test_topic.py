"""The topic: events in order, each durable one once, replay joined to live, and nothing for who left."""

import pytest

from hub.events import Position
from hub.topics.audience import SLICE
from tests.topics.audience import Town


@pytest.fixture
def town() -> Town:
    return Town()


def test_durable_events_carry_consecutive_offsets_and_the_epoch(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic)
    town.key("1")
    town.interim("hel")
    town.key("2")
    messages = peer.socket.messages()
    assert [(m["type"], m.get("epoch"), m.get("offset")) for m in messages] == [
        ("dtmf", "epoch", 1),
        ("interim", None, None),
        ("dtmf", "epoch", 2),
    ]
    assert messages[0]["at"] == "1970-01-01T00:16:40.000Z"


def test_a_late_joiner_gets_the_history_then_the_newest_interims_then_what_comes(town: Town) -> None:
    town.key("1")
    town.interim("hel")
    town.interim("hello")
    town.interim("other", "u2")
    peer = town.peer()
    peer.follow(town.topic)
    town.final("Hello.")
    assert [(m["type"], m.get("text")) for m in peer.socket.messages()] == [
        ("dtmf", None),
        ("interim", "hello"),
        ("interim", "other"),
        ("final", "Hello."),
    ]


def test_a_position_is_resumed_exactly(town: Town) -> None:
    for digit in "123":
        town.key(digit)
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 2))
    assert whole
    assert peer.offsets() == [3]


@pytest.mark.parametrize("position", [Position("another", 2), Position("epoch", 99), Position("epoch", -1)])
def test_a_position_that_cannot_be_resumed_starts_over_and_says_so(town: Town, position: Position) -> None:
    town.key()
    peer = town.peer()
    _, whole = peer.follow(town.topic, position)
    assert not whole
    assert peer.offsets() == [1]


def test_a_log_that_is_too_long_loses_its_oldest_and_says_so() -> None:
    town = Town(log_bytes=5000)
    for _ in range(100):
        town.key()
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 3))
    assert not whole
    assert peer.offsets() == list(range(int(str(peer.offsets()[0])), 101))
    assert len(peer.offsets()) < 60


def test_without_interims_only_durable_events_come(town: Town) -> None:
    peer = town.peer()
    peer.follow(town.topic, interims=False)
    town.interim("hel")
    town.final("Hello.")
    assert peer.texts() == ["Hello."]


def test_the_last_event_completes_a_following_once(town: Town) -> None:
    early, late = town.peer(), town.peer()
    early.follow(town.topic)
    town.key(last=True)
    late.follow(town.topic)
    town.clock.advance(0.1)
    assert (early.completed, late.completed) == (1, 1)


def test_a_large_audience_is_served_in_slices_in_order_and_wholly(town: Town) -> None:
    peers = [town.peer() for _ in range(SLICE * 3 + 5)]
    for peer in peers:
        peer.follow(town.topic)
    town.key("1")
    assert [bool(peer.offsets()) for peer in peers].count(True) == SLICE
    town.key("2")
    town.interim("hello")
    town.topic.audience.leave(next(iter(town.topic.audience.followings)))
    town.clock.advance(0.1)
    assert all(peer.offsets() == [1, 2] for peer in peers[1:])
    assert all(peer.texts()[-1] == "hello" for peer in peers[1:])


def test_who_left_gets_nothing_more(town: Town) -> None:
    peer = town.peer()
    following, _ = peer.follow(town.topic)
    town.topic.audience.leave(following)
    town.topic.audience.leave(following)
    town.key()
    assert peer.offsets() == []


def test_who_leaves_while_a_large_audience_is_served_gets_nothing_more(town: Town) -> None:
    peers = [town.peer() for _ in range(SLICE + 5)]
    followings = [peer.follow(town.topic)[0] for peer in peers]
    town.key("1")
    town.topic.audience.leave(followings[-1])
    town.clock.advance(0.1)
    assert [len(peer.offsets()) for peer in peers[-3:]] == [1, 1, 0]


def test_who_comes_back_at_the_tip_gets_no_interim_of_what_is_settled(town: Town) -> None:
    town.interim("half")
    town.final("half of it")
    peer = town.peer()
    _, whole = peer.follow(town.topic, Position("epoch", 1))
    assert whole
    assert peer.texts() == []
