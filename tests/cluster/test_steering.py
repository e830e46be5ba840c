"""A supervisor on one node steers an agent's call that another node answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hub.broker.memory import MemoryBroker, MemoryCluster
from hub.tokens import mint
from tests.cluster.phone_line import PhoneLine, speech
from tests.cluster.test_hand_over import TIMES, events_of, until
from tests.house import House, house
from tests.media import CALL
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.openai_script import Model, Reply
from tests.web.steered_desk import Supervisor

SECRET = "s" * 32


def shown() -> dict[str, str]:
    """Return the header with the token of a supervisor, which holds from now on: a whole run of the tests takes longer than a token."""
    return {"Authorization": f"Bearer {mint(SECRET, ['*'], 600, rights=['steer'], subject='ada')}"}


@asynccontextmanager
async def answered() -> AsyncIterator[tuple[House, House, FakeOpenAI]]:
    """Two nodes, of which `a` has a call that an agent answers, and `b` knows of it."""
    cluster = MemoryCluster()
    async with FakeOpenAI(Model(replies=[Reply("Hello there friend.")]), key="k") as fake:
        settings: Any = {"openai_key": "k", "openai_url": fake.url, "secret": SECRET}
        async with (
            house(joins=MemoryBroker(cluster, TIMES), node="a", **settings) as a,
            house(joins=MemoryBroker(cluster, TIMES), node="b", **settings) as b,
            asyncio.TaskGroup() as group,
        ):
            line = PhoneLine({"inbound": speech("." * 200, 1)})
            await line.stream(a, 1, ("inbound",), "/agent")
            talking = group.create_task(line.talk())
            await until(lambda: (record := b.state.registry.known(CALL)) is not None and record.live and record.owner)
            await until(lambda: any(event["type"] == "final" for event in events_of(a)))
            yield a, b, fake
            talking.cancel()


async def test_an_order_at_another_node_is_done_by_the_owner_and_told_of_on_both() -> None:
    async with answered() as (a, b, fake):
        socket = await b.open("/client", **shown())
        await socket.receive()
        ada = Supervisor(socket, CALL)
        await socket.send_json({"action": "subscribe", "callSid": CALL, "interims": False})
        assert (await ada.steer("say", text="We close early today.", order="o1"))["state"] == "asked"
        async with a.session.post(
            a.url(f"/calls/{CALL}/steer"), json={"action": "say", "text": "Again.", "order": "o1"}, headers=shown()
        ) as again:
            assert (await again.json())["order"] == "o1"  # known here as well, so it is not said again
        assert (await ada.outcome("o1"))["state"] == "done"
        assert [event["state"] for event in events_of(a) if event["type"] == "steered"] == ["asked", "done"]
        assert sum("We close" in each or "Again" in each for each in fake.talks[0].instructions) == 1


async def test_what_the_owner_refuses_is_refused_in_the_same_words() -> None:
    async with answered() as (a, b, _):
        answers = []
        for home in (a, b):
            async with home.session.post(
                home.url(f"/calls/{CALL}/steer"), json={"action": "transfer", "to": "+14155550199"}, headers=shown()
            ) as answer:
                answers.append((answer.status, await answer.json()))
        assert answers[0] == answers[1]
        assert answers[0][0] == 409


async def test_an_owner_that_does_not_answer_is_a_reason_to_send_the_order_again() -> None:
    async with answered() as (a, b, _):
        assert a.state.elsewhere is not None
        a.state.elsewhere.steering = None  # as on a node that has just begun
        async with b.session.post(b.url(f"/calls/{CALL}/steer"), json={"action": "hang-up"}, headers=shown()) as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["code"] == "unavailable"
