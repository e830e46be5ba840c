"""One call's events from a hub, each exactly once, whatever happens to the connection.

Knows the subscriber protocol: subscriptions and positions. Does not know how a connection is opened, nor what the events are used for.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeAlias

from clients.follow.connection import HubConnection, Refused, Request
from hub import events
from hub.backoff import Backoff
from hub.events import Position

Followed: TypeAlias = events.CallEvent | events.Subscribed


async def follow(
    url: str,
    call_sid: str,
    since: Position | None = None,
    *,
    interims: bool = True,
    token: str | None = None,
    backoff: Backoff | None = None,
) -> AsyncGenerator[Followed, None]:
    """Yield a call's events: every durable one exactly once and in order, across any number of broken connections.

    Starts after `since`, or with the call's first event, and ends once the call has ended and nothing is left to be replayed: a call may
    have gone on after an earlier `call-ended`. A `Subscribed` is yielded only to say that something
    is missing (`whole` is false): the hub has lost its log, or no longer keeps everything after the position. The events after it start
    with the oldest that the hub has. An interim may be repeated after a broken connection. `token` is sent as `Authorization: Bearer`.
    Raises: Refused for a call that the hub does not know (any more), a token that it does not accept, or an address where there is no hub.
    """
    position, newest_offset, over = since, 0, False
    connection = HubConnection(
        url, token, lambda: [subscription(call_sid, position, interims=interims)], known=since is not None, backoff=backoff
    )
    async with aclosing(connection.messages()) as messages:
        async for event in messages:
            match event:
                case events.Refusal(code=code, message=message):
                    raise Refused(code, message)
                case events.Subscribed(epoch=epoch, offset=offset, whole=whole):
                    position, newest_offset, over = Position(epoch, offset), event.newest, over and whole
                    if not whole:
                        yield event
                case events.Interim() | events.Statistics(offset=0):
                    yield event
                case events.Durable():
                    if position is not None and event.epoch == position.epoch and event.offset <= position.offset:
                        continue
                    position = Position(event.epoch, event.offset)
                    over = isinstance(event, events.CallEnded) or (over and not isinstance(event, events.CallStarted))
                    yield event
            if over and position is not None and position.offset >= newest_offset:
                return


async def newest(url: str, token: str | None = None, *, backoff: Backoff | None = None) -> str:
    """Return the callSid of the newest live call; wait for a call if there is none.

    Raises: Refused when there is no hub at that address, or it does not accept the token.
    """
    connection = HubConnection(url, token, lambda: [{"action": "subscribe", "calls": "all"}], backoff=backoff)
    async with aclosing(connection.messages()) as messages:
        async for event in messages:
            match event:
                case events.CallList(calls=calls) if live := [call.call_sid for call in calls if call.live]:
                    return live[-1]
                case events.CallStarted(call_sid=call_sid):
                    return call_sid
                case events.Refusal(code=code, message=message):
                    raise Refused(code, message)
    raise AssertionError("`messages()` ends only by an error")


def subscription(call_sid: str, after: Position | None, *, interims: bool = True) -> Request:
    """Return the request to follow a call after a position, or from its start."""
    request: dict[str, object] = {"action": "subscribe", "callSid": call_sid, "interims": interims}
    if after is not None:
        request["after"] = {"epoch": after.epoch, "offset": after.offset}
    return request
