"""What every broker promises, on each kind, of calls' logs and of messages between nodes."""

from hub.broker.bodies import Events, call_topic, unpacked
from hub.broker.broker import Accepted, Fenced, Logged, Misplaced
from tests.broker.clusters import ClusterInTest
from tests.broker.listening import CALL, OTHER_CALL, Listener, append, claimed, happens, node, sent

# A call's log


async def test_events_are_read_back_behind_any_offset(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await claimed(first, CALL, "a")
    assert await second.log(CALL) is None
    assert await first.append([append(CALL, b'{"n":1}', b'{"n":2}', note=b"note one")]) == [Accepted(2, 0)]
    assert await first.append([append(CALL, b'{"n":3}', first=3)]) == [Accepted(3, 0)]
    assert await second.log(CALL) == Logged("e1", 1, 1, [b'{"n":1}', b'{"n":2}', b'{"n":3}'], b"note one")
    assert await second.log(CALL, 2) == Logged("e1", 1, 3, [b'{"n":3}'], b"note one")
    assert await second.log(CALL, 3) == Logged("e1", 1, 4, [], b"note one")


async def test_a_note_alone_is_kept(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"{}", note=b"one")])
    assert await broker.append([append(CALL, first=2, note=b"two")]) == [Accepted(1, 0)]
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
    assert await broker.append(appends) == [Accepted(1, 0), Misplaced(0), Fenced(2), Accepted(1, 0)]
    assert await broker.append([]) == []


async def test_a_new_owner_goes_on_where_the_log_ends(cluster: ClusterInTest) -> None:
    first, second = await cluster.broker(), await cluster.broker()
    await claimed(first, CALL, "a")
    await first.append([append(CALL, b"1", b"2")])
    await first.hand_over(CALL, 1, "b")
    await second.beat(node("b"))
    assert await second.append([append(CALL, b"3", first=3, generation=2)]) == [Accepted(3, 0)]
    assert await first.append([append(CALL, b"3", first=3)]) == [Fenced(2)]
    assert await second.log(CALL) == Logged("e1", 2, 1, [b"1", b"2", b"3"])


async def test_a_new_epoch_replaces_the_log(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    await broker.append([append(CALL, b"1", b"2", note=b"old")])
    assert await broker.append([append(CALL, b"3", first=3, epoch="e2")]) == [Misplaced(0)]
    assert await broker.log(CALL, 1) == Logged("e1", 1, 2, [b"2"], b"old")
    assert await broker.append([append(CALL, b"one", epoch="e2")]) == [Accepted(1, 0)]
    assert await broker.log(CALL) == Logged("e2", 1, 1, [b"one"])


async def test_a_log_that_lost_more_than_its_owner_has_begins_where_the_owner_does(cluster: ClusterInTest) -> None:
    broker = await cluster.broker()
    await claimed(broker, CALL, "a")
    assert await broker.append([append(CALL, b"9", first=9, oldest=8)]) == [Misplaced(0)]
    assert await broker.append([append(CALL, b"8", b"9", first=8, oldest=8)]) == [Accepted(9, 0)]
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
    assert await second.append([append(CALL, b"1")]) == [Accepted(1, 0)]


# Messages


async def test_events_are_sent_to_the_nodes_that_listen(cluster: ClusterInTest) -> None:
    listener, deaf = Listener(), Listener()
    owner, listening = await cluster.broker(deaf), await cluster.broker(listener)
    await listener.hears(listening, call_topic(CALL))
    await claimed(owner, CALL, "a")
    assert await owner.append([append(CALL, b'{"n":1}', b'{"n":2}'), append(OTHER_CALL, b"{}")]) == [Accepted(2, 1), Accepted(1, 0)]
    assert await owner.append([append(CALL, first=3, note=b"n")]) == [Accepted(2, 0)]
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

        async def is_heard(message: tuple[str, bytes] = (topic, topic.encode())) -> bool:
            # A machine that stands still for seconds makes a broker connect anew, and then a message may be lost.
            await sent(broker, *message)
            return message in listener.messages

        await happens(is_heard)


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
