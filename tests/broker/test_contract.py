"""What every broker promises, on each kind: nodes and their leases, who owns a call, a call's log, messages, and news."""

import asyncio

import msgspec
import pytest

from hub.broker.bodies import Events, call_topic, unpacked
from hub.broker.broker import Broker, BrokerError, Claimed, Fenced, Full, Held, HoldTimes, Kept, Logged, Misplaced, Row
from tests.broker.clusters import SHORT, ClusterInTest
from tests.broker.listening import CALL, OTHER_CALL, Listener, append, claimed, happens, node, sent


async def gone(broker: Broker, node_id: str) -> None:
    """Wait until a node's lease has ended, as another node sees it."""

    async def is_gone() -> bool:
        return node_id not in {each.id for each in await broker.beat(node("watching"))}

    await happens(is_gone)


# Nodes


async def test_nodes_see_each_other_until_they_leave(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    itself = node("a", live=3)
    assert await first.beat(itself) == [itself]
    assert {each.id for each in await second.beat(node("b"))} == {"a", "b"}
    await second.leave("b")
    assert [each.id for each in await first.beat(node("a"))] == ["a"]


async def test_a_node_that_does_not_beat_loses_its_lease(cluster: ClusterInTest) -> None:
    dying, living = await cluster.broker(times=SHORT), await cluster.broker()
    await dying.beat(node("a"))
    await gone(living, "a")


@pytest.mark.parametrize(("facts", "problem"), [({"secret": "other"}, "HUB_SECRET"), ({"protocol": 2}, "protocol")])
async def test_a_node_that_others_cannot_understand_does_not_join(cluster: ClusterInTest, facts: dict[str, object], problem: str) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a", name="amber"))
    with pytest.raises(BrokerError, match=f"amber.*{problem}"):
        await second.beat(node("b", **facts))
    assert [each.id for each in await first.beat(node("a"))] == ["a"]


async def test_the_clocks_of_two_nodes_agree(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    assert abs(first.now() - second.now()) < 1.0


# Who owns a call


async def test_a_call_that_nobody_knows_becomes_the_first_claimants(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    row = await claimed(first, CALL, "a", epoch="e1", number=7)
    assert row == Row(call_sid=CALL, owner="a", generation=1, epoch="e1", number=7)
    assert await second.claim(CALL, "b", epoch="e2", number=8) == Held(row)
    with pytest.raises(BrokerError):  # the broker has lost what this node has heard of
        await second.claim(CALL, "b", epoch="e2", number=8, heard=row.generation + 1)
    with pytest.raises(BrokerError):
        await second.claim("CA9", "b", epoch="e2", number=8, heard=1)


async def test_of_many_claims_at_once_one_succeeds(cluster: ClusterInTest) -> None:
    brokers = [await cluster.broker() for _ in range(8)]
    for index, each in enumerate(brokers):
        await each.beat(node(f"n{index}"))
    async with asyncio.TaskGroup() as group:
        claims = [group.create_task(each.claim(CALL, f"n{index}", epoch="e", number=1)) for index, each in enumerate(brokers)]
    assert sorted(type(each.result()).__name__ for each in claims) == ["Claimed"] + ["Held"] * 7


async def test_a_call_of_this_node_is_claimed_in_the_same_generation(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await broker.beat(node("a"))
    row = await claimed(broker, CALL, "a")
    assert await broker.claim(CALL, "a", epoch="other", number=9) == Claimed(row)


async def test_the_call_of_a_node_that_is_gone_is_claimed_in_the_next_generation(cluster: ClusterInTest) -> None:
    dying, living = await cluster.broker(times=SHORT), await cluster.broker()
    await dying.beat(node("a", behind=True))
    await claimed(dying, CALL, "a", epoch="e1", number=7)
    await gone(living, "a")
    assert [row.call_sid for row in await living.lost()] == [CALL]
    row = Row(call_sid=CALL, owner="b", generation=2, epoch="e1", number=7)
    assert await living.claim(CALL, "b", epoch="e2", number=8) == Claimed(row, previous="a", behind=True)
    assert await dying.append([append(CALL, b"{}")]) == [Fenced(2)]


async def test_a_node_that_has_left_gives_its_calls_up_at_once(cluster: ClusterInTest) -> None:
    leaving, other = await cluster.broker(), await cluster.broker()
    await leaving.beat(node("a"))
    await claimed(leaving, CALL, "a")
    await leaving.leave("a")
    await other.beat(node("b"))
    assert [row.owner for row in await other.lost()] == ["a"]


async def test_nothing_is_lost_in_the_eyes_of_a_node_that_has_not_beaten_for_long(cluster: ClusterInTest) -> None:
    leaving, fresh = await cluster.broker(), await cluster.broker(times=HoldTimes(steady_seconds=3.0))
    await leaving.beat(node("a"))
    row = await claimed(leaving, CALL, "a")
    await leaving.leave("a")
    await fresh.beat(node("b"))
    assert await fresh.lost() == []
    assert await fresh.claim(CALL, "b", epoch="e", number=1) == Held(row)


async def test_a_call_that_has_ended_is_claimed_by_anybody_and_lives_again(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    row = await claimed(first, CALL, "a")
    assert await first.register([msgspec.structs.replace(row, ended_at=first.now())], [b'{"end":1}']) == [True]
    assert await first.lost() == []
    again = await second.claim(CALL, "b", epoch="e2", number=8)
    assert again == Claimed(msgspec.structs.replace(row, owner="b", generation=2), previous="a")


async def test_agents_answer_so_many_calls_in_the_whole_cluster(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    await second.beat(node("b"))
    assert isinstance(await first.claim("CA1", "a", epoch="e", number=1, agents_at_most=2), Claimed)
    assert isinstance(await first.claim("CA2", "a", epoch="e", number=2), Claimed)  # transcribed: not counted
    assert isinstance(await second.claim("CA3", "b", epoch="e", number=3, agents_at_most=2), Claimed)
    assert await second.claim("CA4", "b", epoch="e", number=4, agents_at_most=2) == Full(2)
    assert isinstance(await second.claim("CA3", "b", epoch="e", number=3, agents_at_most=2), Claimed)  # it counts already
    row = await claimed(first, "CA1", "a")
    assert not row.agent  # the agent has passed the caller on
    assert isinstance(await second.claim("CA4", "b", epoch="e", number=4, agents_at_most=2), Claimed)


async def test_the_agents_limit_holds_when_all_claim_at_once(cluster: ClusterInTest) -> None:
    brokers = [await cluster.broker() for _ in range(4)]
    for index, each in enumerate(brokers):
        await each.beat(node(f"n{index}"))
    async with asyncio.TaskGroup() as group:
        claims = [
            group.create_task(each.claim(f"CA{index}-{call}", f"n{index}", epoch="e", number=1, agents_at_most=5))
            for index, each in enumerate(brokers)
            for call in range(5)
        ]
    assert sum(isinstance(each.result(), Claimed) for each in claims) == 5
    assert {each.result() for each in claims if not isinstance(each.result(), Claimed)} == {Full(5)}


async def test_a_call_is_handed_over_once(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    await second.beat(node("b"))
    row = await claimed(first, CALL, "a")
    moved = msgspec.structs.replace(row, owner="b", generation=2)
    assert await first.hand_over(CALL, 1, "b") == Claimed(moved, previous="a")
    assert await first.hand_over(CALL, 1, "c") == Held(moved)
    assert await first.append([append(CALL, b"{}")]) == [Fenced(2)]
    assert isinstance((await second.append([append(CALL, b"{}", generation=2)]))[0], Kept)


async def test_a_call_that_the_broker_does_not_know_cannot_be_handed_over(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    with pytest.raises(BrokerError, match=CALL):
        await broker.hand_over(CALL, 1, "b")


async def test_what_an_older_owner_registers_is_not_taken(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    old = await claimed(first, CALL, "a")
    await first.hand_over(CALL, 1, "b")
    rival = msgspec.structs.replace(old, generation=2, owner="c")
    new = msgspec.structs.replace(old, generation=2, owner="b", summary=msgspec.Raw(b'{"words":5}'))
    assert await second.register([old, rival, new], [b"{}", None, None]) == [False, False, True]
    assert (await first.snapshot()).rows == [new]


async def test_a_call_of_which_the_broker_lost_the_row_is_its_owners_again(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker = await cluster.broker(listener)
    await broker.snapshot()
    await broker.beat(node("a"))
    row = Row(call_sid=CALL, owner="a", generation=5, epoch="e1", number=7)
    assert await broker.register([row], [None]) == [True]
    await listener.until(lambda: listener.news)
    assert listener.news[0].row == row
    assert bytes(listener.news[0].event) == b"null"


# News


async def test_everyone_is_told_news_in_order_once(cluster: ClusterInTest) -> None:
    listener = Listener()
    first, second = await cluster.broker(), await cluster.broker(listener)
    await listener.until(lambda: listener.misses)
    before = await second.snapshot()
    row = await claimed(first, CALL, "a")
    for count in range(20):
        await first.register([row], [b'{"count":%d}' % count])
        await first.register([row], [None])
    await listener.until(lambda: len(listener.news) == 21)
    assert [each.number for each in listener.news] == list(range(before.number + 1, before.number + 22))
    assert [bytes(each.event) for each in listener.news] == [b"null", *(b'{"count":%d}' % count for count in range(20))]
    assert all(each.row == row for each in listener.news)


async def test_nothing_is_told_before_the_snapshot_is_read(cluster: ClusterInTest) -> None:
    listener = Listener()
    first, second = await cluster.broker(), await cluster.broker(listener)
    row = await claimed(first, CALL, "a")
    await listener.until(lambda: listener.misses)
    snapshot = await second.snapshot()
    assert snapshot.rows == [row]
    assert snapshot.life
    await first.register([row], [b'{"next":1}'])
    await listener.until(lambda: listener.news)
    assert [bytes(each.event) for each in listener.news] == [b'{"next":1}']
    assert listener.news[0].number == snapshot.number + 1


async def test_rows_of_calls_that_ended_long_ago_are_forgotten(cluster: ClusterInTest) -> None:
    broker = await cluster.broker(times=HoldTimes(keep_seconds=60.0))
    rows = [
        Row(call_sid=call_sid, owner="a", generation=1, epoch="e", number=1, ended_at=broker.now() - seconds)
        for call_sid, seconds in ((CALL, 61.0), (OTHER_CALL, 0.0))
    ]
    await broker.register(rows, [b"{}", b"{}"])
    await broker.beat(node("a"))
    assert [row.call_sid for row in (await broker.snapshot()).rows] == [OTHER_CALL]


async def test_an_erased_call_is_gone_and_does_not_come_back(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker = await cluster.broker(listener)
    await broker.beat(node("a"))
    row = await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b'{"text":"hello"}', ended=True)])
    with pytest.raises(BrokerError, match="live"):
        await broker.erase(CALL)
    ended = msgspec.structs.replace(row, ended_at=broker.now())
    await broker.register([ended], [b"{}"])
    await broker.snapshot()
    await broker.erase(CALL)
    await listener.until(lambda: listener.news)
    assert listener.news[-1].erased
    assert listener.news[-1].row.call_sid == CALL
    assert (await broker.snapshot()).rows == []
    assert await broker.log(CALL) is None
    await broker.beat(node("a"))
    assert await broker.register([ended], [b"{}"]) == [False]
    assert isinstance((await broker.append([append(CALL, b"{}", first=2)]))[0], Fenced)
    assert await broker.log(CALL) is None


# A call's log


async def test_events_are_read_back_behind_any_offset(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await claimed(first, CALL, "a")
    assert await second.log(CALL) is None
    assert await first.append([append(CALL, b'{"n":1}', b'{"n":2}', note=b"note one")]) == [Kept(2, 0)]
    assert await first.append([append(CALL, b'{"n":3}', first=3)]) == [Kept(3, 0)]
    assert await second.log(CALL) == Logged("e1", 1, 1, [b'{"n":1}', b'{"n":2}', b'{"n":3}'], b"note one")
    assert await second.log(CALL, 2) == Logged("e1", 1, 3, [b'{"n":3}'], b"note one")
    assert await second.log(CALL, 3) == Logged("e1", 1, 4, [], b"note one")


async def test_a_note_alone_is_kept(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"{}", note=b"one")])
    assert await broker.append([append(CALL, first=2, note=b"two")]) == [Kept(1, 0)]
    assert await broker.append([append(CALL, first=3, note=b"three")]) == [Misplaced(1)]
    assert await broker.log(CALL, 1) == Logged("e1", 1, 2, [], b"two")


async def test_events_that_do_not_follow_are_refused_whole(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    assert await broker.append([append(CALL, b"5", first=5)]) == [Misplaced(0)]
    await broker.append([append(CALL, b"1", b"2")])
    assert await broker.append([append(CALL, b"2", b"3", first=2)]) == [Misplaced(2)]
    assert await broker.append([append(CALL, b"4", first=4)]) == [Misplaced(2)]
    logged = await broker.log(CALL)
    assert logged is not None
    assert logged.payloads == [b"1", b"2"]


async def test_each_call_of_an_append_has_its_own_answer(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    for call_sid in ("CA1", "CA2", "CA3"):
        await claimed(broker, call_sid, "a")
    await broker.hand_over("CA3", 1, "b")
    appends = [append("CA1", b"1"), append("CA2", b"9", first=9), append("CA3", b"1"), append("CA4", b"1")]
    assert await broker.append(appends) == [Kept(1, 0), Misplaced(0), Fenced(2), Kept(1, 0)]
    assert await broker.append([]) == []


async def test_a_new_owner_goes_on_where_the_log_ends(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await claimed(first, CALL, "a")
    await first.append([append(CALL, b"1", b"2")])
    await first.hand_over(CALL, 1, "b")
    await second.beat(node("b"))
    assert await second.append([append(CALL, b"3", first=3, generation=2)]) == [Kept(3, 0)]
    assert await first.append([append(CALL, b"3", first=3)]) == [Fenced(2)]
    assert await second.log(CALL) == Logged("e1", 2, 1, [b"1", b"2", b"3"])


async def test_a_new_epoch_replaces_the_log(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"1", b"2", note=b"old")])
    assert await broker.append([append(CALL, b"3", first=3, epoch="e2")]) == [Misplaced(0)]
    assert await broker.log(CALL, 1) == Logged("e1", 1, 2, [b"2"], b"old")
    assert await broker.append([append(CALL, b"one", epoch="e2")]) == [Kept(1, 0)]
    assert await broker.log(CALL) == Logged("e2", 1, 1, [b"one"])


async def test_a_log_that_lost_more_than_its_owner_has_begins_where_the_owner_does(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    assert await broker.append([append(CALL, b"9", first=9, oldest=8)]) == [Misplaced(0)]
    assert await broker.append([append(CALL, b"8", b"9", first=8, oldest=8)]) == [Kept(9, 0)]
    assert await broker.log(CALL) == Logged("e1", 1, 8, [b"8", b"9"])


async def test_events_that_the_owner_has_forgotten_are_forgotten(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, *(b"%d" % offset for offset in range(1, 11)))])
    await broker.append([append(CALL, b"11", first=11, oldest=9)])
    assert await broker.log(CALL) == Logged("e1", 1, 9, [b"9", b"10", b"11"])
    assert await broker.log(CALL, 10) == Logged("e1", 1, 11, [b"11"])


async def test_two_owners_of_one_generation_do_not_write_into_one_log(cluster: ClusterInTest) -> None:
    """A broker that lost its data may give a call to another node, in the generation that the owner has."""
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    await claimed(second, CALL, "b", epoch="e1")
    assert await first.append([append(CALL, b"1")]) == [Fenced(1)]
    assert await second.append([append(CALL, b"1")]) == [Kept(1, 0)]


# Messages


async def test_events_are_sent_to_the_nodes_that_listen(cluster: ClusterInTest) -> None:
    listener, deaf = Listener(), Listener()
    owner, listening = await cluster.broker(deaf), await cluster.broker(listener)
    await listener.hears(listening, call_topic(CALL))
    await claimed(owner, CALL, "a")
    assert await owner.append([append(CALL, b'{"n":1}', b'{"n":2}'), append(OTHER_CALL, b"{}")]) == [Kept(2, 1), Kept(1, 0)]
    assert await owner.append([append(CALL, first=3, note=b"n")]) == [Kept(2, 0)]
    await listener.until(lambda: listener.messages)
    ((topic, body),) = listener.messages
    assert (topic, unpacked(body)) == (call_topic(CALL), Events(1, 1, [b'{"n":1}', b'{"n":2}']))
    assert deaf.messages == []


async def test_any_bytes_are_sent_to_all_who_listen_and_to_nobody_else(cluster: ClusterInTest) -> None:
    listeners = [Listener() for _ in range(3)]
    brokers = [await cluster.broker(each) for each in listeners]
    for listener, broker in zip(listeners, brokers, strict=True):
        await listener.hears(broker, "node:all")
    body = bytes(range(256)) * 4
    assert await sent(brokers[0], "node:all", body) == 3
    assert await sent(brokers[0], "node:nobody", b"?") == 0
    for listener in listeners:
        await listener.until(lambda listener=listener: listener.messages)
        assert listener.messages == [("node:all", body)]


async def test_what_is_not_listened_to_any_more_does_not_come(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker = await cluster.broker(listener)
    await listener.hears(broker, "audio:one")
    await listener.hears(broker, "audio:two")
    broker.unlisten("audio:one")
    broker.unlisten("audio:one")
    broker.unlisten("audio:never")

    async def is_silent() -> bool:
        return await sent(broker, "audio:one", b"no") == 0

    await happens(is_silent)
    assert await broker.send([("audio:two", b"yes"), ("audio:one", b"no"), ("audio:two", b"too")]) == [1, 0, 1]
    await listener.until(lambda: len(listener.messages) == 2)
    assert listener.messages == [("audio:two", b"yes"), ("audio:two", b"too")]
    await listener.hears(broker, "audio:one")
    await sent(broker, "audio:one", b"again")
    await listener.until(lambda: ("audio:one", b"again") in listener.messages)


async def test_a_topic_that_is_taken_up_at_once_again_is_listened_to(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker = await cluster.broker(listener)
    for _ in range(50):
        broker.listen("audio:one")
        broker.unlisten("audio:one")
    await listener.hears(broker, "audio:one")

    async def is_heard() -> bool:
        return await sent(broker, "audio:one", b"yes") == 1

    await happens(is_heard)


async def test_a_thousand_topics_are_listened_to(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker = await cluster.broker(listener)
    topics = [f"call:CA{index}" for index in range(1100)]
    for topic in topics:
        broker.listen(topic)
    await listener.until(lambda: set(topics) <= set(listener.topics))
    for topic in topics[::100]:
        # A machine that stands still for seconds makes a broker connect anew, and subscribe to all of them again.
        await happens(lambda topic=topic: sent(broker, topic, topic.encode()))
    await listener.until(lambda: [body.decode() for _, body in listener.messages] == topics[::100])


async def test_a_broker_is_closed_twice_and_hears_nothing_more(cluster: ClusterInTest) -> None:
    listener = Listener()
    broker, other = await cluster.broker(listener), await cluster.broker()
    await listener.hears(broker, "node:one")
    await broker.close()
    await broker.close()

    async def is_silent() -> bool:
        return await sent(other, "node:one", b"no") == 0

    await happens(is_silent)
    assert listener.messages == []
