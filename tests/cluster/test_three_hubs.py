"""Three hubs over a real Valkey: whoever follows a call, on whichever of them, gets the call's log."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import WSMsgType

from tests.broker.servers import ServerInTest, running_server, valkey_program
from tests.cluster.pairs import until
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall


@pytest.fixture(scope="module")
def valkey() -> Iterator[ServerInTest]:
    """A Valkey server without persistence."""
    if valkey_program() is None:
        pytest.skip("valkey-server is not installed here")
    with running_server(valkey_program()) as server:
        yield server


@pytest_asyncio.fixture
async def hubs(valkey: ServerInTest, request: pytest.FixtureRequest) -> AsyncIterator[list[House]]:
    """Three hubs of a cluster of their own."""
    address = f"{valkey.url}?prefix={request.node.name[-20:]}"
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(house(broker=address, node=name)) for name in "abc"]


class Follower:
    """Somebody who follows the call, and comes back with the position to another hub whenever the connection ends."""

    def __init__(self, hubs: list[House], chance: random.Random) -> None:
        self._hubs = hubs
        self._chance = chance
        self.events: list[dict[str, Any]] = []
        self.connections = 0
        self.socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self) -> None:
        """Follow the call to its end."""
        while not self.events or self.events[-1]["type"] != "call-ended":
            await self._follow(self._chance.choice(self._hubs))

    async def _follow(self, home: House) -> None:
        self.connections += 1
        request: dict[str, Any] = {"action": "subscribe", "callSid": CALL}
        if self.events:
            request["after"] = {name: self.events[-1][name] for name in ("epoch", "offset")}
        socket = self.socket = await home.open("/client")
        await socket.send_json(request)
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            self._take(json.loads(message.data))
            if self.events and self.events[-1]["type"] == "call-ended":
                break
        await socket.close()

    def _take(self, event: Any) -> None:
        if isinstance(event, list) or event["type"] == "interim":
            return
        assert event["type"] != "error", event
        if event["type"] == "subscribed":
            assert event["whole"]
            return
        assert event["offset"] == len(self.events) + 1, "a hole, or a repeat"
        self.events.append(event)


async def test_who_comes_and_goes_on_three_hubs_gets_the_whole_log_though_the_broker_dies(hubs: list[House], valkey: ServerInTest) -> None:
    chance = random.Random(14)
    call = ScriptedCall(hubs[0].state)
    await until(lambda: all(home.state.registry.known(CALL) for home in hubs))
    followers = [Follower(hubs, random.Random(seed)) for seed in range(24)]
    async with asyncio.TaskGroup() as group:
        for each in followers:
            group.create_task(each.run())
        for number in range(1, 241):
            call.interim("some", f"u{number}")
            call.final(f"some words {number}", f"u{number}")
            if number % 6 == 0:
                socket = chance.choice(followers).socket
                if socket is not None and not socket.closed:
                    socket._response.close()
            if number in {80, 160}:
                await asyncio.to_thread(valkey.restart)
            await asyncio.sleep(0.01)
        call.end()
    log = [json.loads(payload) for payload in call.record.topic.log.after(0)]
    assert all(each.events == log for each in followers)
    assert sum(each.connections for each in followers) > len(followers) + 20


async def test_lists_files_and_searches_are_the_same_on_three_hubs(hubs: list[House]) -> None:
    for number, home in enumerate(hubs):
        call = ScriptedCall(home.state, f"CA{number:032}")
        call.final(f"the wine cellar number {number} is flooded")
        if number == 2:
            call.end()
    for home in hubs:
        await until(lambda home=home: len(home.state.registry) == 3 and sum(each.live for each in home.state.registry) == 2)
        await until(lambda home=home: all(each.summary().utterances for each in home.state.registry))
    paths = "/calls", "/calls?q=wine", "/calls?live=true&limit=1", *(f"/calls/CA{number:032}/transcript.txt" for number in range(3))
    for path in paths:
        answers = set()
        for home in hubs:
            async with home.session.get(home.url(path)) as answer:
                assert answer.status == 200, await answer.text()
                answers.add(await answer.read())
        assert len(answers) == 1, path
