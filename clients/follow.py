"""Follow a call as an async iterator that reconnects and resumes. The library that other programs import.

    async for event in follow("ws://127.0.0.1:5000/client", "CA…"):
        match event:
            case events.Final(speaker=speaker, text=text):
                print(speaker, text)

Knows the subscriber protocol, not what the events are for.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from clients.line import Line, Refused, Request
from hub import events

__all__ = ["Followed", "Position", "Refused", "follow", "newest", "subscription"]

Followed: TypeAlias = events.CallEvent | events.Subscribed


@dataclass(frozen=True, slots=True)
class Position:
    """Where a follower is: it has every durable event up to `offset` of this `epoch`."""

    epoch: str
    offset: int


async def follow(
    url: str, call_sid: str, since: Position | None = None, *, interims: bool = True, token: str | None = None
) -> AsyncGenerator[Followed, None]:
    """Yield a call's events: every durable one exactly once and in order, across any number of broken connections.

    Starts after `since`, or with the call's first event, and ends after `call-ended`. A `Subscribed` is yielded only when it says that
    something is missing (`whole` is false): the hub was started anew, or no longer has everything after the position; what follows it
    starts with the oldest event there is. An interim may come again after a broken connection. `token` is sent as `Authorization: Bearer`.
    Raises: Refused for a call that the hub does not know (any more), a token that it does not take, or an address that is no hub.
    """
    position = since
    line = Line(url, token, lambda: [subscription(call_sid, position, interims=interims)], known=since is not None)
    async with aclosing(line.messages()) as messages:
        async for event in messages:
            match event:
                case events.Refusal(code=code, message=message):
                    raise Refused(code, message)
                case events.Subscribed(epoch=epoch, offset=offset, whole=whole):
                    position = Position(epoch, offset)
                    if not whole:
                        yield event
                case events.Durable():
                    if position is not None and event.epoch == position.epoch and event.offset <= position.offset:
                        continue
                    position = Position(event.epoch, event.offset)
                    yield event
                    if isinstance(event, events.CallEnded):
                        return
                case events.Interim():
                    yield event


async def newest(url: str, token: str | None = None) -> str:
    """Return the callSid of the newest live call, as soon as there is one.

    Raises: Refused when there is no hub at that address, or it does not take the token.
    """
    line = Line(url, token, lambda: [{"action": "subscribe", "calls": "all"}])
    async with aclosing(line.messages()) as messages:
        async for message in messages:
            match message:
                case events.CallList(calls=calls) if live := [call.call_sid for call in calls if call.live]:
                    return live[-1]
                case events.CallStarted(call_sid=call_sid):
                    return call_sid
                case events.Refusal(code=code, message=words):
                    raise Refused(code, words)
    raise AssertionError("a line ends only by an error")


def subscription(call_sid: str, after: Position | None, *, interims: bool = True) -> Request:
    """Return the request to follow a call after a position, or from its start."""
    request: dict[str, object] = {"action": "subscribe", "callSid": call_sid, "interims": interims}
    if after is not None:
        request["after"] = {"epoch": after.epoch, "offset": after.offset}
    return request
