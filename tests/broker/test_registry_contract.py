"""What every broker promises, on each kind, of nodes and their leases, of who owns a call, and of news."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from hub.broker.broker import Accepted, AgentsFull, Broker, BrokerError, Claimed, Fenced, Held, HoldTimes, Row
from tests.broker.clusters import HASTY, SHORT, ClusterInTest
from tests.broker.listening import CALL, OTHER_CALL, Listener, append, claimed, happens, node


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
    dying, living = await cluster.broker(times=SHORT), await cluster.broker(times=replace(HASTY, lease_seconds=SHORT.lease_seconds))
    await dying.beat(node("a", behind=True))
    await claimed(dying, CALL, "a", epoch="e1", number=7)
    await gone(living, "a")
    assert [row.call_sid for row in await living.lost()] == [CALL]
    row = Row(call_sid=CALL, owner="b", generation=2, epoch="e1", number=7)
    assert await living.claim(CALL, "b", epoch="e2", number=8) == Claimed(row, previous="a", behind=True)
    assert await dying.append([append(CALL, b"{}")]) == [Fenced(2)]


async def test_a_call_that_the_broker_has_lost_with_its_owner_is_claimed_in_the_generation_after_the_one_that_was_heard_of(
    cluster: ClusterInTest,
) -> None:
    first, fresh = await cluster.broker(), await cluster.broker(times=HoldTimes(steady_seconds=3.0))
    await first.beat(node("a"))
    await fresh.beat(node("b"))
    with pytest.raises(BrokerError):  # the owner may be about to tell it again
        await fresh.claim(CALL, "b", epoch="e", number=7, heard=4, gone=True)
    claim = await first.claim(CALL, "a", epoch="e", number=7, heard=4, gone=True)
    assert claim == Claimed(Row(call_sid=CALL, owner="a", generation=5, epoch="e", number=7))
    assert await first.append([replace(append(CALL, b"{}"), generation=4)]) == [Fenced(5)]


async def test_a_call_that_ended_is_not_gone_on_with_because_its_owner_is_gone(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    await second.beat(node("b"))
    row = await claimed(first, CALL, "a")
    over = msgspec.structs.replace(row, ended_at=1.0)
    await first.register([over], [None])
    await first.leave("a")
    assert await second.claim(CALL, "b", epoch="e", number=1, heard=1, gone=True) == Held(over)
    assert isinstance(await second.claim(CALL, "b", epoch="e", number=1, heard=1), Claimed), "by a stream that comes"


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
    assert await second.claim("CA4", "b", epoch="e", number=4, agents_at_most=2) == AgentsFull(2)
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
    assert {each.result() for each in claims if not isinstance(each.result(), Claimed)} == {AgentsFull(5)}


async def test_a_call_is_handed_over_once(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await first.beat(node("a"))
    await second.beat(node("b"))
    row = await claimed(first, CALL, "a")
    moved = msgspec.structs.replace(row, owner="b", generation=2)
    assert await first.hand_over(CALL, 1, "b") == Claimed(moved, previous="a")
    assert await first.hand_over(CALL, 1, "c") == Held(moved)
    assert await first.append([append(CALL, b"{}")]) == [Fenced(2)]
    assert isinstance((await second.append([append(CALL, b"{}", generation=2)]))[0], Accepted)


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
