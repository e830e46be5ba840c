"""The webhooks' outbox: what webhooks are still to be sent stands beside the calls, changes with them, and goes with them."""

import pytest

from hub.archive.archive import Access, Archive
from hub.archive.opening import open_archive
from hub.archive.undelivered import Pending, Queue
from tests.archive.made import change, seal_all

EVERYTHING = {"crm": None}


@pytest.fixture
def archive(archive: Archive) -> Archive:
    """An archive with one webhook, which wants everything."""
    archive.undelivered.wanted = EVERYTHING
    return archive


def the_queue(archive: Archive, webhook: str = "crm", now: float = 0.0) -> Queue:
    """Return the only queue that is due."""
    (queue,) = archive.undelivered.due(webhook, now, 9)
    return queue


def offsets(archive: Archive, queue: Queue) -> list[int]:
    """Return what is to be sent next."""
    return [each.offset for each in archive.undelivered.pending(queue, None)]


def deliver(archive: Archive, webhook: str = "crm") -> list[int]:
    """Deliver all that is due of one call, and return its offsets."""
    queue, sent = the_queue(archive, webhook), list[int]()
    while found := archive.undelivered.pending(queue, archive.undelivered.wanted[webhook]):
        for each in found:
            is_last = not archive.undelivered.delivered(queue, each)
            sent.append(each.offset)
        if is_last:
            return sent
    archive.undelivered.settle(queue)
    assert archive.undelivered.due(webhook, float("inf"), 9) == []
    return sent


def test_what_is_stored_is_pending_until_it_was_delivered(archive: Archive) -> None:
    told: list[str] = []
    archive.undelivered.on_news = told.extend
    archive.write([change("CA1", "one", "two", at=1.0)])
    archive.write([change("CA1", "three", after=2)])
    assert told == ["crm", "crm"]
    queue = the_queue(archive)
    first, *rest = archive.undelivered.pending(queue, None)
    assert (first.offset, [each.offset for each in rest]) == (1, [2, 3])
    assert b'"one"' in first.payload
    assert archive.undelivered.delivered(queue, first)
    assert offsets(archive, queue) == [2, 3]
    assert deliver(archive) == [2, 3]
    assert archive.undelivered.due("crm", 0.0, 9) == []


def test_what_no_webhook_wants_is_not_in_the_outbox(archive: Archive) -> None:
    archive.undelivered.wanted = {"crm": frozenset({"call-ended"}), "all": frozenset({"final"})}
    told: list[str] = []
    archive.undelivered.on_news = told.extend
    archive.write([change("CA1", "one", at=1.0)])
    assert told == ["all"]
    assert archive.undelivered.due("crm", 0.0, 9) == []
    assert deliver(archive, "all") == [1]


def test_a_webhook_gets_nothing_from_before_it_was_there(archive: Archive) -> None:
    archive.undelivered.wanted = {}
    archive.write([change("CA1", "one", "two", at=1.0)])
    archive.undelivered.wanted = EVERYTHING
    archive.write([change("CA1", "three", after=2)])
    assert deliver(archive) == [3]


def test_what_came_meanwhile_is_not_settled_away(archive: Archive) -> None:
    archive.write([change("CA1", "one", at=1.0)])
    queue = the_queue(archive)
    (only,) = archive.undelivered.pending(queue, None)
    archive.undelivered.delivered(queue, only)
    archive.write([change("CA1", "two", after=1)])
    archive.undelivered.settle(queue)
    assert deliver(archive) == [2]


def test_storing_an_event_again_does_not_send_it_again(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", at=1.0)])
    queue = the_queue(archive)
    archive.undelivered.delivered(queue, archive.undelivered.pending(queue, None)[0])
    archive.write([change("CA1", "one", "two", at=1.0)])
    assert offsets(archive, the_queue(archive)) == [2]


def test_packed_events_are_found_one_after_the_other(archive: Archive) -> None:
    texts = [f"word{each}" for each in range(1, 251)]
    archive.write([change("CA1", *texts, at=1.0, ended_at=2.0)])
    seal_all(archive)
    archive.write([change("CA1", "late", after=250)])
    assert deliver(archive) == list(range(1, 252))


def test_a_type_that_stands_behind_many_others_is_found(archive: Archive) -> None:
    archive.write([change("CA1", *["word"] * 350, at=1.0)])
    assert archive.undelivered.pending(the_queue(archive), frozenset({"gap"})) == []
    assert [each.offset for each in archive.undelivered.pending(the_queue(archive), frozenset({"final"}))] == list(range(1, 101))


def test_a_failure_is_tried_again_later(archive: Archive) -> None:
    archive.write([change("CA1", "one", at=1.0), change("CA2", "one", at=2.0)])
    first, second = archive.undelivered.due("crm", 0.0, 9)
    archive.undelivered.failed(first, now=100.0, next_at=105.0, problem="answered 500")
    archive.undelivered.failed(first, now=105.0, next_at=115.0, problem="answered 500")
    assert [each.number for each in archive.undelivered.due("crm", 110.0, 9)] == [second.number]
    assert archive.undelivered.due("crm", 110.0, 9, [second.number]) == []
    failing = archive.undelivered.due("crm", 115.0, 9, [second.number])[0]
    assert (failing.failures, failing.failing_since) == (2, 100.0)
    backlog = archive.undelivered.backlogs()["crm"]
    assert (backlog.calls, backlog.failing_since, backlog.problem, backlog.dead) == (2, 100.0, "answered 500", 0)
    archive.undelivered.hurry("crm")
    assert len(archive.undelivered.due("crm", 0.0, 9)) == 2
    archive.undelivered.delivered(failing, archive.undelivered.pending(failing, None)[0])
    assert archive.undelivered.backlogs()["crm"].failing_since is None


def test_a_dead_letter_is_sent_again_before_what_is_new(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", "three", at=1.0), change("CA2", "one", at=2.0)])
    queue, other = archive.undelivered.due("crm", 0.0, 9)
    archive.undelivered.delivered(other, archive.undelivered.pending(other, None)[0])
    archive.undelivered.settle(other)
    for each in archive.undelivered.pending(queue, None)[:2]:
        archive.undelivered.set_aside(queue, each, 200.0, "answered 500")
    (first, second) = archive.undelivered.dead_letters("crm")
    assert (first.call_sid, first.offset, first.type, first.at, first.problem) == ("CA1", 1, "final", 200.0, "answered 500")
    assert second.offset == 2
    assert (archive.undelivered.dead_letters("other"), archive.undelivered.dead_letters("", "CA2")) == ([], [])
    assert archive.undelivered.backlogs()["crm"].dead == 2
    assert offsets(archive, queue) == [3]
    assert archive.undelivered.send_again("crm", "CA2") == 0
    assert archive.undelivered.send_again("crm") == 2
    assert archive.undelivered.backlogs()["crm"].dead == 0
    assert deliver(archive) == [1, 2, 3]
    assert archive.undelivered.dead_letters() == []


def test_a_dead_letter_can_be_sent_again_when_nothing_else_waits(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", at=1.0)])
    queue = the_queue(archive)
    first, second = archive.undelivered.pending(queue, None)
    archive.undelivered.set_aside(queue, first, 200.0, "answered 500")
    archive.undelivered.delivered(queue, second)
    archive.undelivered.settle(queue)
    assert archive.undelivered.due("crm", 0.0, 9) == []
    assert archive.undelivered.send_again("crm", "CA1") == 1
    assert deliver(archive) == [1]


def test_a_dead_letter_that_fails_again_is_a_dead_letter_again(archive: Archive) -> None:
    archive.write([change("CA1", "one", at=1.0)])
    queue = the_queue(archive)
    archive.undelivered.set_aside(queue, archive.undelivered.pending(queue, None)[0], 200.0, "answered 500")
    archive.undelivered.send_again("crm")
    (again,) = archive.undelivered.pending(queue, None)
    assert again.again
    archive.undelivered.set_aside(queue, again, 300.0, "answered 501")
    assert archive.undelivered.pending(queue, None) == []
    (letter,) = archive.undelivered.dead_letters()
    assert (letter.at, letter.problem, letter.again) == (300.0, "answered 501", False)


def test_a_call_can_be_sent_once_more(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", at=1.0, ended_at=2.0)])
    assert deliver(archive) == [1, 2]
    seal_all(archive)
    assert archive.undelivered.replay("crm", "CA1")
    assert not archive.undelivered.replay("crm", "CA2")
    assert deliver(archive) == [1, 2]


def test_a_call_that_is_sent_once_more_is_sent_from_its_beginning_also_while_it_is_being_sent(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", "three", at=1.0)])
    queue = the_queue(archive)
    first, second, third = archive.undelivered.pending(queue, None)
    archive.undelivered.delivered(queue, first)
    queue = the_queue(archive)
    assert archive.undelivered.replay("crm", "CA1")
    for each in (second, third):
        assert not archive.undelivered.delivered(queue, each)
    archive.undelivered.settle(queue)
    assert deliver(archive) == [1, 2, 3]


def test_an_erased_call_leaves_nothing_in_the_outbox(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", at=1.0, ended_at=2.0)])
    queue = the_queue(archive)
    first, second = archive.undelivered.pending(queue, None)
    archive.undelivered.set_aside(queue, first, 200.0, "answered 500")
    note = Access(at=1.0, subject="ann", action="erase")
    assert archive.erase(["CA1"], "on request", 3.0, note) == ["CA1"]
    assert (archive.undelivered.due("crm", 0.0, 9), archive.undelivered.dead_letters(), archive.undelivered.backlogs()) == ([], [], {})
    assert archive.undelivered.pending(queue, None) == []
    assert not archive.undelivered.delivered(queue, second), "what was read of it before may not be sent"
    archive.undelivered.set_aside(queue, second, 200.0, "answered 500")
    archive.write([change("CA1", "three", after=2)])
    assert archive.undelivered.backlogs() == {}


def test_a_log_with_another_epoch_goes_on_where_the_queue_was(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", "three", at=1.0)])
    queue = the_queue(archive)
    archive.undelivered.delivered(queue, archive.undelivered.pending(queue, None)[0])
    log = archive.log("CA1")
    assert log is not None
    archive.restamp("CA1", "another", log.payloads)
    assert not archive.undelivered.delivered(queue, Pending(call_sid="CA1", offset=2, payload=b"")), "it is another log"
    assert deliver(archive) == [2, 3]


def test_a_log_that_begins_anew_is_sent_from_its_beginning(archive: Archive) -> None:
    archive.write([change("CA1", "one", "two", at=1.0)])
    archive.undelivered.delivered(the_queue(archive), Pending(call_sid="CA1", offset=1, payload=b""))
    archive.write([change("CA1", "uno", "due", at=1.0, epoch="another")])
    assert [each.payload.count(b"uno") for each in archive.undelivered.pending(the_queue(archive), None)] == [1, 0]


def test_what_a_new_owner_wrote_in_the_place_of_old_events_is_sent(postgres: object) -> None:
    place: str = postgres.schema()  # type: ignore[attr-defined]
    old, new = open_archive(place, node="old"), open_archive(place, node="new")
    try:
        old.undelivered.wanted = new.undelivered.wanted = EVERYTHING
        old.write([change("CA1", "one", "two", "three", at=1.0, generation=1)])
        queue = the_queue(old)
        for each in old.undelivered.pending(queue, None)[:2]:
            old.undelivered.delivered(queue, each)
        old.undelivered.set_aside(queue, old.undelivered.pending(queue, None)[0], 200.0, "answered 500")
        new.write([change("CA1", "deux", "trois", after=1, generation=2)])
        assert new.undelivered.dead_letters() == []
        assert deliver(new) == [2, 3]
    finally:
        old.close()
        new.close()


def test_a_command_uses_the_outbox_beside_a_hub_that_runs(archive: Archive, place: str) -> None:
    archive.write([change("CA1", "one", at=1.0)])
    queue = the_queue(archive)
    archive.undelivered.set_aside(queue, archive.undelivered.pending(queue, None)[0], 200.0, "answered 500")
    beside = open_archive(place, alone=False)
    try:
        assert len(beside.undelivered.dead_letters("crm")) == 1
        assert beside.undelivered.send_again("crm") == 1
    finally:
        beside.close()
    assert deliver(archive) == [1]
