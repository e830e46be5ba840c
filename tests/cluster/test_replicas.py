"""Calls of other nodes: who reads them here receives what those receive who read them on their own node."""

import asyncio

import pytest

from hub.broker.bodies import Events, Revised, packed
from hub.broker.broker import BrokerError, Logged, News, Row
from hub.calls.live_statistics import LiveStatistics
from hub.cluster.directory import LOST_SECONDS
from hub.errors import Moved
from hub.events import Durable
from hub.topics.record import Record
from hub.transcribers.utterances import NotTranscribed
from tests.cluster.nodes import nodes, until


async def test_a_subscriber_on_another_node_gets_the_same_bytes_in_the_same_order() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        call.final("before anybody came")
        there, here = await a.follow("CA1"), await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        for number in range(3):
            call.interim(f"some {number}", f"u{number + 2}")
            call.final(f"some words {number}", f"u{number + 2}")
        call.end()
        await until(lambda: here.completed and there.completed)
        assert here.whole
        durable = [message for message in there.messages if "offset" in message]
        assert [message for message in here.messages if "offset" in message] == durable
        assert here.offsets == list(range(1, len(durable) + 1))
        assert there.record.topic.log.after(0) == here.record.topic.log.after(0)
        assert here.record.summary_json() == there.record.summary_json()


async def test_interims_come_behind_the_events_before_them_and_open_ones_at_once_for_who_joins() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        call.interim("hel")
        first = await b.follow("CA1")
        await until(lambda: "hel" in first.texts)
        call.final("hello")
        call.interim("how", "u2")
        await until(lambda: first.texts == ["hel", "hello", "how"])
        second, without = await b.follow("CA1"), await b.follow("CA1", interims=False)
        assert second.texts == ["hello", "how"]
        assert without.texts == ["hello"]


async def test_each_node_tells_its_own_readers_a_live_calls_statistics_and_they_are_the_same() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        there, here = await a.follow("CA1"), await b.follow("CA1")
        call.final("some words")
        await until(lambda: "some words" in here.texts)
        for node, reader in (a, there), (b, here):
            LiveStatistics(node.registry).tell(reader.record)
        call.interim("who comes to listen gets interims from the owner, and no statistics", "u2")
        await until(lambda: len(here.texts) == 2)
        figures = [[message["figures"] for message in reader.messages if message["type"] == "statistics"] for reader in (there, here)]
        assert figures[0] == figures[1]
        assert len(figures[0]) == 1
        assert [utterance for utterance, _ in there.record.topic.audience.newest_interims] == ["u2"]


async def test_an_interim_does_not_come_behind_its_final() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        call.interim("late")
        late = packed_interim(call.record)
        call.final("in time")
        await until(lambda: "in time" in reader.texts)
        b.cluster.received("call:CA1", late)
        assert "late" not in reader.texts[reader.texts.index("in time") :]


def packed_interim(record: Record) -> bytes:
    """Return the newest interim as its owner sends it."""
    ((utterance, payload),) = record.topic.audience.newest_interims
    return packed(Revised(record.generation, record.topic.log.offset, utterance, payload))


async def test_an_interim_waits_for_the_events_before_it_and_has_them_read_if_they_were_lost() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        deliver, b.broker.deliver = b.broker.deliver, lambda topic, body: True  # type: ignore[method-assign]
        call.final("before", "u1")
        call.interim("behind", "u2")
        await a.cluster.keeper.settled()
        interim = packed_interim(call.record)
        b.broker.deliver = deliver  # type: ignore[method-assign]
        b.cluster.received("call:CA1", interim)
        assert reader.texts == [], "the event before it is not here"
        await until(lambda: reader.texts == ["before", "behind"])


async def test_an_interim_waits_also_while_the_broker_has_lost_the_events_before_it() -> None:
    async with nodes("a", "b") as (shared, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        b.broker.deliver, deliver = (lambda topic, body: True), b.broker.deliver  # type: ignore[method-assign]
        call.final("before", "u1")
        call.interim("behind", "u2")
        await a.cluster.keeper.settled()
        del shared.logs["CA1"]
        b.broker.deliver = deliver  # type: ignore[method-assign]
        b.cluster.received("call:CA1", packed_interim(call.record))
        b.cluster.received("call:CA1", packed_interim(call.record))
        for _ in range(20):
            await asyncio.sleep(0)
        assert reader.texts == []
        call.key("1")  # so its owner notices
        await until(lambda: reader.texts == ["before", "behind"])


async def test_what_an_earlier_owner_still_sends_is_not_taken() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        record = reader.record
        stale = packed(Events(record.generation - 1, 2, [call.record.topic.log.after(0)[0]]))
        b.cluster.received("call:CA1", stale)
        assert reader.offsets == [1]
        call.key("1")
        await until(lambda: reader.offsets == [1, 2])
        assert record.topic.log.after(0) == call.record.topic.log.after(0)


async def test_a_log_that_turns_out_to_be_another_one_is_read_anew() -> None:
    async with nodes("a", "b") as (shared, (a, b)):
        call = a.call()
        call.key("1")
        reader = await b.follow("CA1")
        stored = shared.logs["CA1"].payloads
        stored[-1] = stored[-1].replace(b'"digit":"1"', b'"digit":"9"')
        b.cluster.subscribed("call:CA1")
        await until(lambda: isinstance(reader.cut, Moved))
        back = await b.follow("CA1")
        assert [message.get("digit") for message in back.messages] == [None, "9"]


async def test_a_subscriber_takes_its_position_to_another_node() -> None:
    async with nodes("a", "b", "c") as (_, (a, b, c)):
        call = a.call()
        call.key("1")
        on_b = await b.follow("CA1")
        call.key("2")
        await until(lambda: on_b.offsets == [1, 2, 3])
        on_b.leave()
        call.key("3")
        on_c = await c.follow("CA1", on_b.position)
        call.key("4")
        await until(lambda: on_c.offsets == [4, 5])
        assert on_c.whole


async def test_what_pub_sub_lost_is_read_from_the_log() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        b.broker.unlisten("call:CA1")  # as a connection that is open on one side only
        call.key("1")
        call.key("2")
        await a.cluster.keeper.settled()
        assert reader.offsets == [1]
        b.broker.listen("call:CA1")
        await until(lambda: reader.offsets == [1, 2, 3])
        assert b.counters.catch_ups == 1


async def test_a_jump_is_noticed_by_the_next_event() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        await until(lambda: call.record.topic.audience.relay)
        forward, b.broker.deliver = b.broker.deliver, lambda topic, body: True  # type: ignore[method-assign]
        call.key("1")
        await a.cluster.keeper.settled()
        b.broker.deliver = forward  # type: ignore[method-assign]
        call.key("2")
        await until(lambda: reader.offsets == [1, 2, 3])


async def test_the_broker_is_away_and_comes_back_empty() -> None:
    async with nodes("a", "b") as (shared, (a, b)):
        call = a.call()
        reader = await b.follow("CA1")
        for node in a, b:
            node.broker.cut()
        call.key("1")
        call.interim("spoken meanwhile")
        shared.lose()
        for node in a, b:
            node.broker.mend()
        call.key("2")
        await until(lambda: reader.offsets == [1, 2, 3])
        assert reader.following.outbox.open


async def test_calls_that_cannot_be_read_now_say_so_and_can_be_read_later() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call()
        record = await b.known("CA1")
        came: list[Record] = []
        b.broker.cut("the broker cannot be reached")
        with pytest.raises(BrokerError, match="cannot be reached"):
            await b.cluster.replicas.load(record)
        b.cluster.replicas.soon(record, came.append)
        b.broker.mend()
        await until(lambda: came)
        assert came[0].topic.log.after(0) == call.record.topic.log.after(0)


async def test_a_replica_is_unloaded_once_nobody_reads_it_and_its_row_stays() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        call = a.call(**{"from": "+14155550123"})
        reader = await b.follow("CA1")
        call.final("hello")
        await until(lambda: "hello" in reader.texts)
        b.cluster.replicas.sweep(0.0)
        assert reader.record.loaded, "somebody reads it"
        reader.leave()
        b.cluster.replicas.sweep(0.0)
        assert not reader.record.loaded
        assert b.registry.known("CA1") is reader.record
        assert reader.record.summary_json() == call.record.summary_json()
        assert b.counters.replicas == 0
        call.final("again", "u2")
        assert (await b.follow("CA1")).texts == ["hello", "again"]


async def test_those_who_follow_the_list_are_told_of_calls_of_other_nodes_once_each() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        told: list[tuple[str, int]] = []

        def watcher(record: Record, event: Durable, payload: bytes) -> None:
            told.append((str(event.__struct_config__.tag), event.offset))

        b.registry.watch(watcher)
        call = a.call()
        await until(lambda: told)
        await b.follow("CA1")
        call.key("1")
        call.end()
        await until(lambda: len(told) == 3)
        a.call("CA2").end()
        await until(lambda: len(told) == 6)
        await b.loaded("CA2")
        await asyncio.sleep(0)
        first = [("call-started", 1), ("statistics", 3), ("call-ended", 4)]
        assert told == [*first, ("call-started", 1), ("statistics", 2), ("call-ended", 3)]


async def test_another_owner_goes_on_under_the_same_epoch_and_who_reads_elsewhere_notices_nothing() -> None:
    async with nodes("a", "b", "c") as (_, (a, b, c)):
        call = a.call()
        call.key("1")
        on_b, on_c = await b.follow("CA1"), await c.follow("CA1")
        call.key("2")
        await a.cluster.keeper.settled()
        record = await b.loaded("CA1")
        claim = await a.broker.hand_over("CA1", 1, b.cluster.node_id)
        b.cluster.keeper.adopted(record, record.topic.log.offset)
        b.registry.own(record, claim.row.generation)
        b.call("CA1")
        await until(lambda: on_c.offsets == [1, 2, 3, 4])
        await until(lambda: on_b.offsets == [1, 2, 3, 4])
        b.cluster.keeper.listened(record)
        assert on_c.position.epoch == call.record.topic.log.epoch
        await until(lambda: a.registry.known("CA1") is not call.record)
        on_a = await a.follow("CA1", on_c.position)
        assert on_a.whole
        assert c.registry.known("CA1") is on_c.record


async def test_who_reads_a_log_that_was_replaced_is_cut_off_and_comes_back() -> None:
    async with nodes("a", "b", "c") as (shared, (a, b, c)):
        a.call().key("1")
        reader = await b.follow("CA1")
        shared.lose()
        for node in (a,):
            node.registry.lose(node.registry.known("CA1"))
            node.cluster.keeper.forget(reader.record)
        c.registry.lose(await c.known("CA1"))
        again = c.call("CA1")
        await until(lambda: isinstance(reader.cut, Moved))
        back = await b.follow("CA1", reader.position)
        assert not back.whole
        assert back.record.topic.log.epoch == again.record.topic.log.epoch


async def test_a_very_long_call_whose_oldest_events_are_gone_is_summed_up_as_by_its_owner() -> None:
    async with nodes("a", "b", log_bytes=20_000) as (_, (a, b)):
        call = a.call(**{"from": "+14155550123"})
        call.publisher.report(NotTranscribed("inbound", 0.0, 5.0, "no stream"))
        for number in range(300):
            call.final("some words", f"u{number}")
            if number % 100 == 98:
                await a.cluster.keeper.settled()
        await a.cluster.keeper.settled()
        assert call.record.topic.log.first > 1
        await until(lambda: (record := b.registry.known("CA1")) and record.summary().utterances == 300)
        late = await b.follow("CA1")
        assert not late.whole, "as at its owner"
        call.final("more words", "u300")
        await until(lambda: late.position.offset == call.record.topic.log.offset)
        assert late.record.summary_json() == call.record.summary_json()
        call.end()
        await until(lambda: late.completed)
        assert late.record.summary_json() == call.record.summary_json()


@pytest.mark.parametrize("fails", [True, False])
async def test_a_replica_that_is_dropped_while_its_log_is_read_harms_nobody(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with nodes("a", "b") as (_, (a, b)):
        a.call("CA1")
        a.call("CA2")
        await b.known("CA1")
        reads, may_answer, asked = b.broker.log, asyncio.Event(), asyncio.Event()

        async def slow(call_sid: str, after: int = 0) -> Logged | None:
            if call_sid == "CA1":
                asked.set()
                await may_answer.wait()
                if fails:
                    raise BrokerError("the broker does not answer")
            return await reads(call_sid, after)

        monkeypatch.setattr(b.broker, "log", slow)
        record = b.registry.known("CA1")
        assert record is not None
        loading = asyncio.ensure_future(b.cluster.replicas.load(record))
        await asked.wait()
        b.registry.erase("CA1")
        b.cluster.replicas.sweep()
        may_answer.set()
        with pytest.raises(BrokerError):
            await loading
        assert (await b.follow("CA2")).whole


async def test_calls_are_listed_in_the_order_in_which_they_began() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        for number in range(6):
            (a, b)[number % 2].call(f"CA{number}")
            await asyncio.sleep(0.002)
        for node in a, b:
            await until(lambda node=node: len(node.registry) == 6)
            assert node.registry.live() == [f"CA{number}" for number in range(6)]


@pytest.mark.parametrize(("generation", "is_to_be_served"), [(1, False), (2, True)])
async def test_a_call_is_to_be_served_here_only_if_it_became_this_nodes_after_it_was_anothers(
    generation: int, is_to_be_served: bool
) -> None:
    """News of a claim may come after the call was handed on."""
    async with nodes("a", "b") as (_, (a, b)):
        a.call("CA1")
        await b.known("CA1")
        row = Row(call_sid="CA1", owner=b.cluster.node_id, generation=generation, epoch="e", number=1)
        b.cluster.directory.told(News(number=1000, row=row))
        assert b.cluster.directory.unserved(0.0) == ([row] if is_to_be_served else [])


async def test_a_live_call_that_nobody_goes_on_with_is_forgotten() -> None:
    async with nodes("a", "b") as (_, (a, b)):
        a.call("CA1")
        b.call("CA2")
        await b.known("CA1")
        reader = await b.follow("CA1")
        living = {b.cluster.node_id}
        b.cluster.directory.forget_lost(living, 0.0)
        b.cluster.directory.forget_lost(living | {a.cluster.node_id}, LOST_SECONDS)
        b.cluster.directory.forget_lost(living, LOST_SECONDS + 1)
        assert sorted(b.registry.live()) == ["CA1", "CA2"], "its owner was there in between"
        b.cluster.directory.forget_lost(living, 2 * LOST_SECONDS + 1)
        assert b.registry.live() == ["CA2"]
        assert isinstance(reader.cut, Moved)
