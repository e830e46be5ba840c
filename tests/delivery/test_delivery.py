"""Webhooks are sent what is stored: at least once, in order per call, however the receiver behaves."""

import asyncio
from pathlib import Path

from hub.archive.archive import Access, Change, StoredEvent
from hub.events import CallEnded, encode
from tests.archive.made import WHOLE, change, seal_all
from tests.delivery.desk import DAY, HOUR, delivering, webhook
from tests.delivery.program import Program, serving


async def test_what_is_stored_is_sent_with_the_call_that_it_belongs_to(tmp_path: Path) -> None:
    async with serving(Program()) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "hello", "bye", from_="+14155550100")
        await program.until(2)
        await desk.until_settled()
    (first_id, first), (second_id, _) = program.taken
    assert first_id != second_id
    assert first_id.startswith("msg_")
    event, call = first["data"]["event"], first["data"]["call"]
    assert (first["type"], first["timestamp"]) == ("final", event["at"])
    assert (event["text"], event["offset"], call["callSid"], call["from"], call["live"]) == ("hello", 1, "CA1", "+14155550100", True)
    assert program.forged == []
    assert desk.counters["crm"].delivered == 2


async def test_the_end_of_a_call_brings_its_record(tmp_path: Path) -> None:
    at = "2026-11-26T10:00:00.000Z"
    ended = CallEnded(call_sid="CA1", at=at, epoch="e", offset=3, reason="stopped", duration=3.0, completeness=WHOLE, audio={})
    async with serving(Program()) as program, serving(Program()) as other:
        hooks = webhook(program, events=frozenset({"call-ended"})), webhook(other, "plain", record=False)
        async with delivering(str(tmp_path / "calls.db"), *hooks) as desk:
            said = change("CA1", "hello", "bye", at=1.0, ended_at=9.0)
            events = (*said.events, StoredEvent(3, encode(ended)), *change("CA1", "later", after=3).events)
            await desk.store(change("CA1", at=1.0), Change(call_sid="CA1", epoch="e", events=events, facts=said.facts))
            await desk.until_settled()
    ((_, told),) = program.taken
    record = told["data"]["record"]
    assert [each["text"] for each in record["utterances"]] == ["hello", "bye"]
    assert [each["type"] for each in record["events"]] == ["final", "final", "call-ended"]
    assert (record["callSid"], record["until"], record["whole"]) == ("CA1", 3, True)
    assert other.offsets() == [1, 2, 3, 4]
    assert all("record" not in told["data"] for _, told in other.taken)


async def test_only_calls_that_are_asked_for_are_sent(tmp_path: Path) -> None:
    async with serving(Program()) as program:
        hook = webhook(program, agents=frozenset({"sales"}), numbers=frozenset({"+14155550100"}))
        async with delivering(str(tmp_path / "calls.db"), hook) as desk:
            await desk.say("CA1", "one", agent="sales", to="+14155550100")
            await desk.say("CA2", "two", agent="support", to="+14155550100")
            await desk.say("CA3", "three", agent="sales", to="+14155550199")
            await desk.until_settled()
    assert program.by_call() == {"CA1": [1]}


async def test_a_receiver_that_fails_now_and_then_gets_everything_in_order(tmp_path: Path) -> None:
    program = Program(statuses=[500, 200, 503, 302, 200, 400])
    async with serving(program), delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one", "two", "three", "four")
        for failures in (1, 2, 3, 4):
            await desk.until_failed(failures)
            desk.move(HOUR)
        await program.until(4)
        await desk.until_settled()
        assert desk.counters["crm"].failed == 4
    assert program.offsets() == [1, 2, 3, 4]


async def test_a_message_that_cannot_be_taken_holds_up_its_own_call_only(tmp_path: Path) -> None:
    async with serving(Program(status_of={2: 500})) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one", "two", "three")
        for number in range(2, 20):
            await desk.say(f"CA{number}", "one")
        await program.until(19)
        assert program.by_call() == {f"CA{number}": [1] for number in range(1, 20)}
        program.status_of.clear()
        desk.move(HOUR)
        await desk.until_settled()
    assert program.offsets("CA1") == [1, 2, 3]


async def test_a_receiver_that_is_away_for_an_hour_is_spared_and_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    program = Program()
    async with serving(program):
        pass
    port = int(program.url.rsplit(":", 1)[1].split("/")[0])
    async with delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        for minute in range(60):
            await desk.say(f"CA{minute % 10}", f"minute {minute}", after=minute // 10)
            desk.move(60.0)
        failed = desk.counters["crm"].failed
        async with serving(program, port):
            desk.move(300.0)
            await program.until(60)
            await desk.until_settled()
    assert failed <= 60
    assert program.by_call() == {f"CA{number}": [1, 2, 3, 4, 5, 6] for number in range(10)}
    assert set(program.repeats().values()) == {1}


async def test_a_receiver_that_hangs_holds_up_neither_the_others_nor_the_archive(tmp_path: Path) -> None:
    async with (
        serving(Program(holds=asyncio.Event())) as hanging,
        serving(Program()) as well,
        delivering(str(tmp_path / "calls.db"), webhook(hanging, "hanging"), webhook(well, "well")) as desk,
    ):
        for number in range(1, 31):
            await desk.say(f"CA{number}", "one", "two")
        await well.until(60)
        assert len(hanging.attempts) <= 8
        assert hanging.holds is not None
        hanging.holds.set()
        await hanging.until(60)
        await desk.until_settled()
    assert well.by_call() == hanging.by_call() == {f"CA{number}": [1, 2] for number in range(1, 31)}


async def test_a_receiver_that_does_not_answer_in_time_gets_the_message_again(tmp_path: Path) -> None:
    program = Program(holds=asyncio.Event())
    async with serving(program), delivering(str(tmp_path / "calls.db"), webhook(program, timeout_seconds=0.2)) as desk:
        await desk.say("CA1", "one", "two")
        await desk.until_failed(1)
        assert program.holds is not None
        program.holds.set()
        desk.move(HOUR)
        await desk.until_settled()
    assert program.offsets() == [1, 2]


async def test_an_address_without_a_receiver_is_left_alone_for_an_hour(tmp_path: Path) -> None:
    async with serving(Program(down=410)) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one")
        await desk.until_failed(1)
        for number in range(2, 6):
            await desk.say(f"CA{number}", "one")
            desk.move(240.0)
            await desk.threads.undelivered(lambda: None)
        assert len(program.attempts) == 1
        program.down = None
        desk.move(HOUR)
        await desk.until_settled()
    assert program.by_call() == {f"CA{number}": [1] for number in range(1, 6)}


async def test_what_was_refused_for_a_day_is_a_dead_letter_and_the_call_goes_on(tmp_path: Path) -> None:
    async with serving(Program(status_of={2: 422})) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one", "two", "three")
        await desk.until_failed(1)
        desk.move(DAY)
        await program.until(2)
        await desk.until_settled()
        (letter,) = desk.archive.undelivered.dead_letters("crm")
        assert (letter.call_sid, letter.offset, letter.type, letter.problem) == ("CA1", 2, "final", "answered 422")
        assert program.offsets() == [1, 3]
        program.status_of.clear()
        assert desk.archive.undelivered.send_again("crm") == 1
        desk.delivery.look_soon()
        await program.until(3)
        await desk.until_settled()
        assert desk.archive.undelivered.dead_letters("crm") == []
    assert program.offsets() == [1, 3, 2]


async def test_all_calls_of_a_receiver_that_is_away_for_days_become_dead_letters(tmp_path: Path) -> None:
    async with serving(Program(down=500)) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        for number in range(1, 11):
            await desk.say(f"CA{number}", "one", "two")
        for failures in (3, 4, 5):
            await desk.until_failed(failures)
            desk.move(HOUR)
        desk.move(2 * DAY)
        await desk.until_dead(20)
        assert len(program.attempts) < 25, "most are given up without an attempt"
        program.down = None
        desk.move(HOUR)
        await desk.say("CA11", "one")
        await program.until(1)
        assert desk.archive.undelivered.send_again("crm") == 20
        desk.delivery.look_soon()
        await program.until(21)
        await desk.until_settled()
    assert program.by_call() == {"CA11": [1]} | {f"CA{number}": [1, 2] for number in range(1, 11)}


async def test_nothing_of_an_erased_call_is_sent(tmp_path: Path) -> None:
    async with serving(Program(holds=asyncio.Event())) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one", "two", "three", ended=True)
        await program.until_tried(1)
        note = Access(at=1.0, subject="ann", action="erase")
        assert await desk.threads.upkeep(desk.archive.erase, ["CA1"], "on request", 3.0, note) == ["CA1"]
        assert program.holds is not None
        program.holds.set()
        await program.until(1)
        await desk.say("CA2", "one")
        await program.until(2)
        await desk.until_settled()
    assert program.by_call() == {"CA1": [1], "CA2": [1]}, "the first was on its way before"


async def test_a_delivery_goes_on_where_the_one_before_was(tmp_path: Path) -> None:
    place = str(tmp_path / "calls.db")
    async with serving(Program(down=500)) as program:
        async with delivering(place, webhook(program)) as desk:
            await desk.say("CA1", "one", "two", ended=True)
            await program.until_tried(1)
        program.down = None
        async with delivering(place, webhook(program)) as desk:
            seal_all(desk.archive)
            desk.move(HOUR)
            await desk.until_settled()
    assert program.offsets() == [1, 2]


async def test_a_call_can_be_sent_once_more_under_the_same_ids(tmp_path: Path) -> None:
    async with serving(Program()) as program, delivering(str(tmp_path / "calls.db"), webhook(program)) as desk:
        await desk.say("CA1", "one", "two")
        await desk.until_settled()
        assert desk.archive.undelivered.replay("crm", "CA1")
        desk.delivery.look_soon()
        await program.until(4)
        await desk.until_settled()
    assert set(program.repeats().values()) == {2}
