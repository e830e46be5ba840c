"""A call's statistics: told while it lives, published right before its end, and the same for whoever reads its log."""

import json

import pytest

from hub.events import CallEnded, Gap, Statistics, decode, decode_durable
from hub.topics.past import Past
from tests.calls.statistics_desk import NAME, Desk
from tests.topics.audience import Peer


@pytest.fixture
def desk() -> Desk:
    return Desk()


def told(peer: Peer) -> list[dict[str, object]]:
    """Return the messages about statistics that a peer got."""
    return [message for message in peer.socket.messages() if message["type"] == "statistics"]


def covered(peer: Peer) -> list[object]:
    """Return up to which moment each of them counts."""
    return [message["figures"]["seconds"] for message in told(peer)]  # type: ignore[index]


def test_who_follows_a_live_call_is_told_what_has_changed_at_most_every_five_seconds(desk: Desk) -> None:
    peer = desk.peer()
    peer.follow(desk.record.topic)
    desk.tell()
    assert told(peer) == [], "nothing was said"
    desk.say(0, 1)
    desk.tell()
    desk.say(2, 3)
    desk.clock.advance(4.9)
    desk.tell()
    assert covered(peer) == [1.0]
    desk.clock.advance(0.1)
    desk.tell()
    desk.clock.advance(5.0)
    desk.tell()
    assert covered(peer) == [1.0, 3.0], "what has not changed is not told again"


def test_an_event_that_changes_no_figure_has_none_told(desk: Desk) -> None:
    peer = desk.peer()
    peer.follow(desk.record.topic)
    desk.say(0, 1)
    desk.tell()
    desk.publisher.began("MZ2", {}, ["inbound"], NAME)
    desk.clock.advance(5.0)
    desk.tell()
    assert covered(peer) == [1.0]


def test_statistics_of_a_live_call_have_no_offset_and_are_neither_kept_nor_told_to_who_wants_no_interims(desk: Desk) -> None:
    durable, late = desk.peer(), desk.peer()
    durable.follow(desk.record.topic, interims=False)
    desk.say(0, 1)
    desk.tell()
    late.follow(desk.record.topic)
    assert told(durable) == []
    (message,) = told(late)
    assert "offset" not in message
    assert "epoch" not in message
    assert isinstance(decode(json.dumps(message)), Statistics)
    assert not any(isinstance(event, Statistics) for event in desk.events())


def test_a_call_that_is_over_has_its_figures_right_before_its_end_and_no_newer_ones(desk: Desk) -> None:
    peer = desk.peer()
    peer.follow(desk.record.topic)
    desk.say(0, 2)
    desk.tell()
    desk.end(10.0)
    desk.clock.advance(5.0)
    desk.tell()
    late = desk.peer()
    late.follow(desk.record.topic)
    assert covered(peer) == [2.0, 10.0]
    assert covered(late) == [10.0], "what was told before is gone"
    figures, ended = desk.events()[-2:]
    assert isinstance(figures, Statistics)
    assert isinstance(ended, CallEnded)
    assert (figures.figures.seconds, figures.figures.silence_seconds) == (10.0, 8.0)
    assert desk.record.summary().statistics == figures.figures


def test_a_call_without_a_word_has_figures_too(desk: Desk) -> None:
    assert desk.record.summary().statistics is None
    desk.end(3.0)
    assert isinstance(figures := desk.events()[-2], Statistics)
    assert (figures.figures.silence_seconds, figures.figures.sides["inbound"].talk_share) == (3.0, None)


def test_a_call_that_goes_on_after_its_end_has_the_figures_of_all_its_parts_before_each_end(desk: Desk) -> None:
    desk.say(0, 2)
    desk.end(10.0)
    desk.publisher.began("MZ2", {}, ["inbound", "outbound"], NAME)
    for track in ("inbound", "outbound"):
        desk.publisher.publish(Gap(call_sid="CA1", track=track, start=10.0, end=12.0, reason="no stream"))
    desk.say(12, 13)
    desk.end(14.0)
    kinds = [type(event).__name__ for event in desk.events()]
    assert kinds == ["CallStarted", "Final", "Statistics", "CallEnded", "CallStarted", "Gap", "Gap", "Final", "Statistics", "CallEnded"]
    assert isinstance(last := desk.events()[-2], Statistics)
    assert (last.figures.sides["inbound"].talk_seconds, last.figures.silence_seconds, last.figures.unknown_seconds) == (3.0, 9.0, 2.0)


def test_a_process_that_goes_on_with_the_call_has_the_same_figures_from_the_log(desk: Desk) -> None:
    """As after a restart or a take-over: the first one dies, the second one says the rest."""
    desk.say(0, 2)
    desk.say(4, 5)
    second, whole = Desk(Past(desk.record.topic.log.after(0))), Desk()
    for each in (0, 2), (4, 5):
        whole.say(*each)
    for each in (second, whole):
        each.say(9, 11)
        each.end(20.0)
    assert isinstance(mine := second.events()[-2], Statistics)
    assert mine.figures == whole.record.summary().statistics
    assert Past(second.record.topic.log.after(0)).outline.figures == mine.figures


def test_files_of_a_call_that_an_earlier_version_has_kept_count_it_anew(desk: Desk) -> None:
    desk.say(0, 2)
    desk.end(10.0)
    older = [payload for payload in desk.record.topic.log.after(0) if not isinstance(decode_durable(payload), Statistics)]
    found = Past(older).outline.summary("CA1", "epoch", len(older)).statistics
    assert (found, found is None) == (desk.record.summary().statistics, False)


def test_a_call_that_ends_before_another_node_has_handed_it_over_counts_what_that_node_has_said(desk: Desk) -> None:
    desk.record.held_back = []
    desk.say(9, 11)
    desk.end(20.0)
    assert [type(event).__name__ for event in desk.events()] == ["CallStarted"]
    other = Desk()
    other.say(0, 4)
    past = Past(other.record.topic.log.after(0))
    record = desk.registry.learn("CA1", "other", other.record.topic.log.epoch, 1)
    record.held_back, desk.record.held_back = desk.record.held_back, None
    desk.registry.fill(record, past)
    desk.registry.own(record, 2)
    figures = [event for payload in record.topic.log.after(0) if isinstance(event := decode_durable(payload), Statistics)]
    assert [each.figures.sides["inbound"].talk_seconds for each in figures] == [6.0]
    assert record.summary().statistics == figures[0].figures
