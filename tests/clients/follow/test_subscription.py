"""The library that others import: every durable event once, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from websockets.asyncio.server import ServerConnection

from clients.follow import Followed, Position, Refused, follow, newest
from hub import events, tokens
from hub.backoff import Backoff
from tests.check.breaking import breaking_line, random_lives
from tests.clients.scripted_hub import scripted_hub
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall

SOON = Backoff(0.001, 0.01)
"""Waits that a test can afford."""


def url(home: House) -> str:
    return f"ws://127.0.0.1:{home.port}/client"


def offset(event: Followed) -> int:
    assert isinstance(event, events.Durable), event
    return event.offset


async def durable(followed: AsyncIterator[Followed]) -> list[events.Durable]:
    return [event async for event in followed if isinstance(event, events.Durable)]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_durable_event_comes_once_however_often_the_line_is_cut(seed: int) -> None:
    async with house() as home, breaking_line(home.port, random_lives(seed, 2000, 2500)) as cut:
        publisher = ScriptedCall(home.state)
        followed: list[Followed] = []

        async def listen() -> None:
            async with aclosing(follow(cut.url, CALL, backoff=SOON)) as all_events:
                async for event in all_events:
                    followed.append(event)

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            for number in range(2, 200):
                publisher.interim(f"word {number} and")
                publisher.final(f"word {number}")
                # Publish at the pace of the drops: a listener that is always behind would only ever be replayed to.
                while len(followed) < publisher.offset - 10:
                    await asyncio.sleep(0.001)
            publisher.end()
        counted = [event for event in followed if isinstance(event, events.Durable)]
        assert [event.offset for event in counted] == list(range(1, 201))
        assert [event.text for event in counted if isinstance(event, events.Final)] == [f"word {number}" for number in range(2, 200)]
        assert not [event for event in followed if isinstance(event, events.Subscribed)], "nothing was missing, so nothing is said"
        assert cut.cuts >= 20


async def test_who_is_too_slow_is_cut_off_and_goes_on_where_it_was() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        async with aclosing(follow(url(home), CALL, interims=False, backoff=SOON)) as followed:
            assert offset(await anext(followed)) == 1
            while not home.state.counters.lagged:  # nobody reads, until the hub gives up
                for _ in range(100):
                    publisher.final("x" * 1000)
                await asyncio.sleep(0.02)
            publisher.end()
            offsets = [event.offset for event in await durable(followed)]
        assert offsets == list(range(2, publisher.offset + 1))


async def test_a_hub_that_stops_and_starts_anew_is_told_and_followed_from_its_first_event() -> None:
    async with breaking_line(None) as cut:
        async with house() as first:
            cut.target = first.port
            ScriptedCall(first.state).final("of the first hub")
            followed = follow(cut.url, CALL, backoff=SOON)
            assert [offset(await anext(followed)) for _ in range(2)] == [1, 2]
        cut.target = None
        async with house() as second:
            publisher = ScriptedCall(second.state)
            publisher.final("of the second hub")
            publisher.end()
            cut.target = second.port
            told = await anext(followed)
            assert isinstance(told, events.Subscribed)
            assert (told.whole, told.offset, told.epoch) == (False, 0, publisher.record.topic.log.epoch)
            assert [event.offset for event in await durable(followed)] == [1, 2, 3]


async def test_a_call_that_the_new_hub_does_not_know_ends_in_words() -> None:
    async with breaking_line(None) as cut:
        async with house() as first:
            cut.target = first.port
            ScriptedCall(first.state)
            followed = follow(cut.url, CALL, backoff=SOON)
            await anext(followed)
        async with house() as second:
            cut.target = second.port
            with pytest.raises(Refused, match="no such call") as refused:
                await anext(followed)
    assert refused.value.refusal_code == "unknown-call"


async def test_a_position_is_resumed_and_one_too_old_is_said_to_be() -> None:
    async with house() as home:
        home.state.registry._log_bytes = 20_000
        publisher = ScriptedCall(home.state)
        for number in range(300):
            publisher.final(f"word {number}")
        publisher.end()
        epoch = publisher.record.topic.log.epoch
        recent = [event.offset for event in await durable(follow(url(home), CALL, Position(epoch, 298)))]
        assert recent == [299, 300, 301, 302]
        old = [event async for event in follow(url(home), CALL, Position(epoch, 3))]
        assert isinstance(old[0], events.Subscribed)
        assert not old[0].whole
        assert [offset(event) for event in old[1:]] == list(range(old[0].offset + 1, 303))


async def test_an_end_after_which_the_call_went_on_does_not_end_it() -> None:
    async with house() as home:
        ScriptedCall(home.state).end()
        again = ScriptedCall(home.state)
        again.final("as I said")
        again.end()
        followed = await durable(follow(url(home), CALL))
        assert [offset(event) for event in followed] == [1, 2, 3, 4, 5]
        since = Position(followed[0].epoch, 1)
        assert await durable(follow(url(home), CALL, since)) == followed[1:]


async def test_a_hub_that_is_away_for_a_while_is_waited_for() -> None:
    async with house() as home, breaking_line(home.port) as cut:
        publisher = ScriptedCall(home.state)
        followed = follow(cut.url, CALL, backoff=SOON)
        await anext(followed)
        cut.target = None
        cut.cut()
        publisher.final("while nobody could hear")
        publisher.end()
        before = cut.connections

        async def come_back() -> None:
            while cut.connections < before + 20:
                await asyncio.sleep(0.005)
            cut.target = home.port

        async with asyncio.TaskGroup() as group:
            group.create_task(come_back())
            assert [event.offset for event in await durable(followed)] == [2, 3]


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("ftp://127.0.0.1:1/client", "address", "must begin with ws://, wss://, http:// or https://"),
        ("ws://127.0.0.1:99999/client", "address", "is not a hub's address: Port out of range"),
        ("ws://127.0.0.1:1/client", "unreachable", "no hub answers at ws://127.0.0.1:1/client: Connection refused"),
    ],
)
async def test_a_wrong_address_is_one_sentence(address: str, code: str, says: str) -> None:
    with pytest.raises(Refused, match=says) as refused:
        await anext(follow(address, CALL, backoff=SOON))
    assert refused.value.refusal_code == code
    with pytest.raises(Refused, match=says):
        await newest(address)


async def test_a_server_that_is_no_hub_is_one_sentence() -> None:
    async with breaking_line(None) as cut:
        with pytest.raises(Refused, match="closes every connection"):
            await anext(follow(cut.url, CALL, backoff=SOON))
    async with house() as home:
        with pytest.raises(Refused, match="does not let us in: there is nothing at this address"):
            await anext(follow(f"ws://127.0.0.1:{home.port}/nothing", CALL, backoff=SOON))


async def test_what_the_hub_refuses_for_good_is_raised_in_its_words() -> None:
    async with house(secret="s" * 32) as home:
        ScriptedCall(home.state)
        for token, code, says in (
            (None, "token", "wants a token"),
            ("not.a.token", "token", "not one of this hub's"),
            ("two\nlines", "token", "not a token"),
            (tokens.mint("s" * 32, ["*"], 3600, now=0), "token", "expired"),
            (tokens.mint("s" * 32, ["CA0"], 3600), "unknown-call", "no such call"),
        ):
            with pytest.raises(Refused, match=says) as refused:
                await anext(follow(url(home), CALL, token=token, backoff=SOON))
            assert refused.value.refusal_code == code
        assert isinstance(await anext(follow(url(home), CALL, token=tokens.mint("s" * 32, [CALL], 3600))), events.CallStarted)
    async with house(sockets_per_address=1) as home:
        keep = await home.open("/client")
        with pytest.raises(Refused, match="does not let us in: 1 sockets are open from this address"):
            await anext(follow(url(home), CALL, backoff=SOON))
        await keep.close()


async def test_the_newest_live_call_is_the_one_that_began_last_or_begins_first() -> None:
    async with house() as home, breaking_line(home.port) as cut:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(newest(cut.url, backoff=SOON))
            while not home.state.counters.subscribers:
                await asyncio.sleep(0.005)
            cut.cut()
            while cut.connections < 2:
                await asyncio.sleep(0.005)
            ScriptedCall(home.state, "CA" + "5" * 32)
        assert waiting.result() == "CA" + "5" * 32
        ScriptedCall(home.state, "CA" + "6" * 32)
        ScriptedCall(home.state, "CA" + "7" * 32).end()
        assert await newest(url(home)) == "CA" + "6" * 32


def final(offset: int, epoch: str = "one") -> str:
    event = events.Final(
        call_sid=CALL, at="2026-11-21T10:00:06.000Z", epoch=epoch, offset=offset, utterance=f"u{offset}", revision=1, track="inbound",
        speaker="caller", text=f"{epoch} {offset}", start=0.0, end=1.0, words=[],
    )  # fmt: skip
    return events.encode(event).decode()


async def test_an_event_that_comes_twice_is_yielded_once_and_one_of_another_log_is_not_taken_for_a_repeat() -> None:
    async def answer(connection: ServerConnection, _number: int) -> None:
        for text in (final(4), final(5), final(5), final(3), final(6), final(1, "two"), final(1, "two"), final(2, "two")):
            await connection.send(text)
        await connection.wait_closed()

    async with scripted_hub(answer) as hub, aclosing(follow(hub.url, CALL, Position("one", 4), backoff=SOON)) as followed:
        words = [event.text for event in [await anext(followed) for _ in range(4)] if isinstance(event, events.Final)]
    assert words == ["one 5", "one 6", "two 1", "two 2"]


async def test_whoever_has_a_position_waits_for_a_hub_that_is_not_up_yet() -> None:
    async def answer(connection: ServerConnection, number: int) -> None:
        if number % 20:
            await connection.close(1012)
            return
        await connection.send(final(5))
        await connection.wait_closed()

    async with scripted_hub(answer) as hub:
        async with aclosing(follow(hub.url, CALL, Position("one", 4), backoff=SOON)) as followed:
            assert offset(await anext(followed)) == 5
        with pytest.raises(Refused, match="closes every connection"):
            await anext(follow(hub.url, CALL, backoff=SOON))
