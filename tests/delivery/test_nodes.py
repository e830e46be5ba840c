"""Several nodes on one archive: one of them delivers, whichever stores, and another one goes on when it is gone."""

import asyncio
from contextlib import AsyncExitStack

from tests.archive.conftest import postgres
from tests.archive.postgres_server import PostgresServer
from tests.delivery.desk import delivering, webhook
from tests.delivery.program import Program, serving

__all__ = ["postgres"]  # the fixture


async def test_one_node_delivers_what_another_stores_and_the_other_goes_on_when_it_is_gone(postgres: PostgresServer) -> None:
    shared = postgres.schema()
    async with AsyncExitStack() as stack:
        program = await stack.enter_async_context(serving(Program()))
        to = webhook(program)
        first_node = await stack.enter_async_context(AsyncExitStack())
        first = await first_node.enter_async_context(delivering(shared, to, node="first"))
        await first.say("CA1", "one")
        await program.until(1)
        second = await stack.enter_async_context(delivering(shared, to, node="second"))
        await second.say("CA2", "one", "two", "three")
        await program.until(4)
        await second.until_settled()
        assert (first.counters["crm"].delivered, second.counters["crm"].delivered) == (4, 0)

        program.holds = asyncio.Event()
        await second.say("CA2", "four", "five", after=3)
        await program.until_tried(5)
        await first_node.aclose()
        program.holds.set()
        await second.until_settled()
        assert second.counters["crm"].delivered == 2
    assert program.by_call() == {"CA1": [1], "CA2": [1, 2, 3, 4, 5]}
    assert program.forged == []
