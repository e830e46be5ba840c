"""Gives an order for an agent's call and follows it until it is known what became of it, over any number of broken connections.

The order is sent again on each connection with the same id, so it is done once. Knows the protocol. Does not know options.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from clients.follow.connection import HubConnection, Refused
from hub import events

AGAIN_SECONDS = 0.5
"""The pause before an order is sent again whose call cannot be reached now."""


async def give(url: str, order: Mapping[str, str], token: str | None = None) -> AsyncGenerator[events.Steered, None]:
    """Give an order, a message of `/client`; yield its events. The last one says what became of it.

    Raises: Refused for an order that is not taken, a token that is not accepted, or an address where there is no hub.
    """
    order = {"order": uuid.uuid4().hex, **order}
    told: set[events.SteeringState] = set()
    follows = {"action": "subscribe", "callSid": order["callSid"], "interims": False}
    connection = HubConnection(url, token, lambda: [follows, order])
    async with aclosing(connection.messages()) as messages:
        async for message in messages:
            match message:
                case events.Refusal(code="unavailable"):
                    await asyncio.sleep(AGAIN_SECONDS)
                    await connection.send(order)
                case events.Refusal(code=code, message=words):
                    raise Refused(code, words)
                case events.Steered(order=known, state=state) if known == order["order"] and state not in told:
                    told.add(state)
                    yield message
                    if state != "asked":
                        return
