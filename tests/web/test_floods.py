"""What a peer can make the event loop do: pings whose answers are not read, messages in masses, lists and replays again and again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import websockets.asyncio.client as websockets

from hub.tokens import OPEN, Grant
from hub.topics.outbox import Outbox
from hub.web.doors.protocol import Subscribe, Unsubscribe
from hub.web.doors.subscriptions import CALLS_PER_TURN, Subscriptions
from hub.web.sockets import HubSocket
from hub.web.turns import MESSAGES, LoopTurns
from tests.frames import PING, frame, handshake, knock
from tests.house import House, house, impatient
from tests.media import CONNECTED, media, start
from tests.publishing import FROM, ScriptedCall
from tests.web.watchers import ALL, SECRET, connect, token, until

MANY = 5000
LEAN = impatient(messages_at_once=1000.0, messages_per_second=0.001)


class Sink:
    """A socket that takes everything at once."""

    def write(self, data: bytes) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


@asynccontextmanager
async def crowded(**settings: object) -> AsyncIterator[House]:
    """A hub that knows thousands of calls of two numbers."""
    async with house(secret=SECRET, **settings) as home:  # type: ignore[arg-type]
        for number in range(MANY):
            ScriptedCall(home.state, f"CA{number}", from_=FROM if number % 10 else "+14155550199", to=None)
        yield home


async def test_pings_whose_answers_are_not_read_fill_nothing() -> None:
    """On a stream, and mixed with audio, as on a subscriber's socket."""
    async with house(limits=impatient(close_seconds=0.2)) as home:
        streams = frame(CONNECTED) + frame(start())
        flood = b"".join(frame(media("inbound", at * 20)) + frame(b"x" * 125, PING) * 20 for at in range(10))
        for path, begins in (("/twilio", streams), ("/client", b"")):
            async with knock(home.port, begins, path) as (_, writer):
                await asyncio.sleep(0)
                (socket,) = await opened(home)
                assert socket._req is not None
                transport = socket._req.transport
                assert transport is not None
                for _ in range(200):
                    writer.write(flood if path == "/twilio" else frame(b"x" * 125, PING) * 200)
                    await asyncio.sleep(0)
                    assert transport.get_write_buffer_size() < 64 * 1024
                    assert socket._reader is None or len(socket._reader._buffer) < 5000
                    if transport.is_closing():
                        break
                writer.transport.abort()
            while home.state.sockets:
                await asyncio.sleep(0.01)


async def opened(home: House) -> list[HubSocket]:
    while not home.state.sockets:
        await asyncio.sleep(0.005)
    return list(home.state.sockets)


async def test_a_stream_that_floods_the_hub_with_pings_is_closed_and_a_few_are_answered() -> None:
    async with house() as home, websockets.connect(f"ws://127.0.0.1:{home.port}/twilio") as socket:
        await (await socket.ping())
        for _ in range(1000):
            await socket.ping()
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1008, "too many pings")


@pytest.mark.parametrize("message", ['{"event":"new"}', '{"event":"dtmf","dtmf":{"digit":"1"}}', CONNECTED])
async def test_a_stream_that_sends_masses_of_what_is_no_audio_is_closed(message: str) -> None:
    async with house() as home, websockets.connect(f"ws://127.0.0.1:{home.port}/twilio") as socket:
        await socket.send(CONNECTED)
        await socket.send(start())
        for _ in range(300):
            await socket.send(message)
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1008, "sent too many messages that are no audio")


async def test_a_token_for_one_call_costs_one_call_however_many_there_are() -> None:
    async with crowded() as home:
        registry = home.state.registry
        assert [each.call_sid for each in registry.allowed(Grant(frozenset({"CA7", "CA3", "CA-unknown"})))] == ["CA3", "CA7"]
        assert len(registry.allowed(Grant(frozenset({"+14155550199", "CA10", "CA1"})))) == MANY // 10 + 1
        assert len(registry.allowed(Grant(frozenset({"*", "CA1"})))) == MANY
        assert not registry.with_number("+19995550100")


async def test_a_list_again_and_again_uses_up_the_allowance() -> None:
    async with crowded(limits=LEAN) as home:
        socket = await connect(home, token())
        await socket.receive()
        for _ in range(3):
            await socket.send_json(ALL)
            assert len((await until(socket, "calls"))["calls"]) == MANY
            await socket.send_json(ALL | {"action": "unsubscribe"})
            await until(socket, "unsubscribed")
        await socket.send_json(ALL)
        assert (await until(socket, "error"))["code"] == "too-many"
        assert (await socket.receive()).data == 4503


async def test_replay_again_and_again_uses_up_the_allowance() -> None:
    async with house(limits=LEAN) as home:
        script = ScriptedCall(home.state)
        while script.record.topic.log.total_bytes < 60 * 64 * 1024:
            script.final("x" * 1000)
        socket = await connect(home)
        for _ in range(15):
            await socket.send_json({"action": "subscribe", "callSid": script.call})
            await until(socket, "subscribed")
            await socket.send_json({"action": "unsubscribe", "callSid": script.call})
            await until(socket, "unsubscribed")
        await socket.send_json({"action": "subscribe", "callSid": script.call})
        await socket.send_json({"action": "unsubscribe", "callSid": script.call})
        await socket.send_json({"action": "subscribe", "callSid": script.call})
        assert (await until(socket, "error"))["code"] == "too-many"


async def test_busy_peers_have_one_turn_of_the_event_loop_after_the_other() -> None:
    turns, now = LoopTurns(), 0
    had: list[tuple[int, str]] = []

    async def busy(name: str) -> None:
        for _ in range(3):
            await turns.next()
            had.append((now, name))

    async with asyncio.TaskGroup() as group:
        peers = [group.create_task(busy(name)) for name in "abc"]
        while not all(peer.done() for peer in peers):
            await asyncio.sleep(0)
            now += 1
    assert [name for _, name in had] == [*"abc"] * 3
    assert len({turn for turn, _ in had}) == 9


async def test_what_many_peers_ask_for_in_one_turn_is_bounded() -> None:
    turns, now = LoopTurns(), 0
    had: Counter[int] = Counter()

    async def busy() -> None:
        for _ in range(50):
            had[now] += 1
            await turns.spend(1.0)

    async with asyncio.TaskGroup() as group:
        peers = [group.create_task(busy()) for _ in range(20)]
        while not all(peer.done() for peer in peers):
            await asyncio.sleep(0)
            now += 1
    assert max(had.values()) < MESSAGES + 20, "each peer has one message before it is counted"


async def test_a_number_again_and_again_uses_up_the_allowance_though_its_calls_are_over() -> None:
    async with house(secret=SECRET, limits=LEAN) as home:
        for each in range(MANY):
            ScriptedCall(home.state, f"CA{each}").end()
        socket = await connect(home, token())
        await socket.receive()
        number = {"action": "subscribe", "number": FROM}
        for _ in range(3):
            await socket.send_json(number)
            await until(socket, "watching")
            await socket.send_json(number | {"action": "unsubscribe"})
            await until(socket, "unsubscribed")
        await socket.send_json(number)
        assert (await until(socket, "error"))["code"] == "too-many"
        assert (await socket.receive()).data == 4503


async def test_what_a_peer_asked_for_is_not_done_when_it_is_gone() -> None:
    async with house() as home:
        script = ScriptedCall(home.state)
        async with knock(home.port) as (_, writer):
            (socket,) = await opened(home)
            await home.state.turns._queue.acquire()  # a busy peer has its turn
            writer.write(frame(b'{"action":"ping"}') * MESSAGES + frame(script.call))
            while not home.state.turns._queue._waiters:
                await asyncio.sleep(0)
        assert socket._req is not None
        while socket._req.transport is not None:
            await asyncio.sleep(0)
        home.state.turns._queue.release()
        while home.state.sockets:
            await asyncio.sleep(0)
        assert script.record.topic.audience.delivered == (0, 0)


async def test_following_a_number_and_making_a_list_leave_turns_to_others() -> None:
    async with crowded() as home:
        outbox = Outbox(Sink(), home.state.rounds, lambda payload: payload, lambda reason: None)
        mine = Subscriptions(home.state, outbox, OPEN, lambda: None)
        followed = MANY - MANY // 10
        assert sum(1 for _ in mine.subscribe(Subscribe(number=FROM))) == followed // CALLS_PER_TURN
        assert len(mine._followings) == followed
        assert sum(1 for _ in mine.unsubscribe(Unsubscribe(number=FROM))) == followed // CALLS_PER_TURN
        assert not mine._followings
        assert sum(1 for _ in mine.subscribe(Subscribe(calls="all"))) == MANY // CALLS_PER_TURN
        list(mine.unsubscribe(Unsubscribe(calls="all")))
        assert sum(1 for _ in mine.subscribe(Subscribe(calls="all"))) == 0, "the summaries are kept until something happens"
        mine.close()


async def test_a_call_that_begins_while_a_number_is_being_followed_is_followed_once() -> None:
    async with crowded() as home:
        outbox = Outbox(Sink(), home.state.rounds, lambda payload: payload, lambda reason: None)
        state = replace(home.state, limits=replace(home.state.limits, calls_followed=10_000))
        mine = Subscriptions(state, outbox, OPEN, lambda: None)
        steps = mine.subscribe(Subscribe(number=FROM))
        next(steps)
        ScriptedCall(home.state, "CA-new")
        last = home.state.registry.find(f"CA{MANY - 1}")
        assert last is not None
        list(steps)
        assert {"CA-new", last.call_sid} <= mine._followings.keys()
        assert len(mine._followings) == MANY - MANY // 10 + 1
        mine.close()


async def test_subscribers_who_all_come_at_once_from_one_address_are_all_let_in() -> None:
    """Behind a proxy everyone has one address, and a node that dies sends all of its subscribers to the others."""
    async with house() as home:
        home.state.unproved.most = 200
        async with asyncio.TaskGroup() as group:
            coming = [group.create_task(home.open("/client")) for _ in range(300)]
        for task in coming:
            assert (await task.result().receive_json(timeout=30)) == []
        assert home.state.unproved.dropped == 0


async def test_who_goes_while_it_waits_for_its_turn_holds_nobody_up() -> None:
    async with house(secret=SECRET) as home:
        tasks = asyncio.all_tasks()
        async with home.state.turns._queue:
            gone = [await asyncio.open_connection("127.0.0.1", home.port) for _ in range(20)]
            for _, writer in gone:
                writer.write(handshake("/client"))
            while len(asyncio.all_tasks() - tasks) < 20 or len(home.state.turns._queue._waiters or ()) < 20:
                await asyncio.sleep(0.01)
            for _, writer in gone:
                writer.transport.abort()
            while any(not waiter.done() for waiter in home.state.turns._queue._waiters or ()):
                await asyncio.sleep(0.01)
