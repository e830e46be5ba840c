"""What an owner does while its broker is in trouble: it is told quickly what fails, tries again, and sends what the broker lacks."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.broker.broker import Accepted, Broker, BrokerError, Misplaced
from tests.broker.listening import CALL, append, happens


async def fails(doing: Callable[[], Awaitable[Any]]) -> BrokerError:
    """Do something that cannot be done now: it raises within seconds."""
    began = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        await doing()
    assert time.monotonic() - began < 10.0  # 2 s, on a machine that does nothing else
    return caught.value


async def works(doing: Callable[[], Awaitable[Any]]) -> Any:
    """Try something until it works."""

    async def tried() -> Any:
        try:
            return await doing()
        except BrokerError:
            return None

    return await happens(tried)


async def fill(broker: Broker, payloads: list[bytes], **rest: Any) -> None:
    """Do what an owner does: send what the broker lacks until it has all of it."""

    async def filled() -> bool:
        first = len(payloads)
        while True:
            (answer,) = await broker.append([append(CALL, *payloads[first - 1 :], first=first, **rest)])
            if not isinstance(answer, Misplaced):
                return isinstance(answer, Accepted)
            if answer.offset >= len(payloads):
                return True
            first = answer.offset + 1

    await works(filled)
