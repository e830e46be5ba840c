"""Follow a call as an async iterator that reconnects and resumes. The library that other programs import.

    async for event in follow("ws://127.0.0.1:5000/client", "CA…"):
        match event:
            case events.Final(speaker=speaker, text=text):
                print(speaker, text)

Knows the subscriber protocol, not what the events are for.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from hub import events
from hub.errors import HubError

BACKOFF_SECONDS = (0.1, 5.0)
"""The first wait before a reconnect, and the longest; between them it doubles, with jitter, so that many clients do not return at once."""

POLL_SECONDS = 0.3
"""How often the hub is asked for a live call while there is none."""

MAX_EVENT_BYTES = 1024 * 1024
"""No event is near this; it bounds what a wrong server can make us hold."""

Followed: TypeAlias = events.CallEvent | events.Subscribed


@dataclass(frozen=True, slots=True)
class Position:
    """Where a follower is: it has every durable event up to `offset` of this `epoch`."""

    epoch: str
    offset: int


class Refused(HubError):
    """The hub said no, and asking again would not help; `code` is its word for it."""

    def __init__(self, refusal_code: str, message: str) -> None:
        self.refusal_code = refusal_code
        super().__init__(message)


async def follow(
    url: str, call_sid: str, since: Position | None = None, *, interims: bool = True, token: str | None = None
) -> AsyncGenerator[Followed, None]:
    """Yield a call's events: every durable one exactly once and in order, across any number of broken connections.

    Starts after `since`, or with the call's first event, and ends after `call-ended`. A `Subscribed` is yielded only when it says that
    something is missing (`whole` is false). `token` is sent as `Authorization: Bearer`. Raises: Refused for a call that the hub does not
    know, a token that it does not take, or an address that is no hub.
    """
    position, attempt = since, 0
    while True:
        try:
            async with connect(url, compression=None, max_size=MAX_EVENT_BYTES, additional_headers=bearer(token)) as socket:
                await socket.recv()  # the live calls
                await socket.send(_subscription(call_sid, position, interims))
                async for text in socket:
                    event = events.decode(text)
                    match event:
                        case events.Refusal(code=code, message=message):
                            raise Refused(code, message)
                        case events.Subscribed(epoch=epoch, offset=offset, whole=whole):
                            attempt = 0
                            if not whole:
                                yield event
                            position = Position(epoch, offset)
                        case events.Durable():
                            if position is not None and event.epoch == position.epoch and event.offset <= position.offset:
                                continue
                            position = Position(event.epoch, event.offset)
                            yield event
                            if isinstance(event, events.CallEnded):
                                return
                        case events.Interim():
                            yield event
        except InvalidURI as error:
            raise Refused("address", f"{url} is no WebSocket address") from error
        except InvalidHandshake as error:
            raise Refused("address", f"{url} is no hub that lets us in: {error}") from error
        except ConnectionClosed as error:
            if error.rcvd is not None and 4500 <= error.rcvd.code < 4600:
                raise Refused(str(error.rcvd.code), error.rcvd.reason) from error
        except OSError as error:
            if position is None and attempt == 0:
                raise Refused("unreachable", f"no hub answers at {url}: {error.strerror or error}") from error
        attempt += 1
        await asyncio.sleep(_backoff(attempt))


async def newest(url: str, token: str | None = None) -> str:
    """Return the callSid of the newest live call, as soon as there is one.

    Raises: Refused when there is no hub at that address.
    """
    while True:
        try:
            async with connect(url, compression=None, additional_headers=bearer(token)) as socket:
                calls = await _live(socket)
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            raise Refused("unreachable", f"no hub answers at {url}: {error}") from error
        if calls:
            return calls[-1]
        await asyncio.sleep(POLL_SECONDS)


def bearer(token: str | None) -> dict[str, str]:
    """Return the headers that carry a token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


async def _live(socket: ClientConnection) -> list[str]:
    calls = json.loads(await socket.recv())
    return [sid for sid in calls if isinstance(sid, str)] if isinstance(calls, list) else []


def _subscription(call_sid: str, position: Position | None, interims: bool) -> str:
    message: dict[str, object] = {"action": "subscribe", "callSid": call_sid, "interims": interims}
    if position is not None:
        message["after"] = {"epoch": position.epoch, "offset": position.offset}
    return json.dumps(message)


def _backoff(attempt: int) -> float:
    first, longest = BACKOFF_SECONDS
    return min(longest, first * 2.0 ** min(attempt, 16)) * random.uniform(0.5, 1.0)
