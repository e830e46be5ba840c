"""`GET /calls/{sid}/events` and `GET /events`: one call, and all calls, as Server-Sent Events.

Knows what may be asked for. Does not know how events reach a subscriber (`event_stream.py`), nor what all calls are (`all_calls.py`).
"""

from typing import TypeVar

from aiohttp import hdrs, web

from hub.archive.archive import ArchiveError
from hub.broker.broker import BrokerError
from hub.events import Position, Subscribed, encode
from hub.tokens import Grant
from hub.topics.record import Record
from hub.web.access import granted
from hub.web.doors import protocol as wire
from hub.web.doors.all_calls import AllCalls
from hub.web.doors.allowed_call import allowed_call, not_found
from hub.web.doors.archived_since import archived_since
from hub.web.doors.bringing import reached
from hub.web.doors.event_stream import EventStream, described, takes_chunks
from hub.web.doors.paging import bad_query, read_query
from hub.web.doors.positions import AllCallsPosition, read_position
from hub.web.doors.subscriptions import NO_SUCH_CALL
from hub.web.errors import refusal
from hub.web.event_frames import call_block, call_chunk
from hub.web.state import STATE, State

P = TypeVar("P")

routes = web.RouteTableDef()


@routes.get("/calls/{sid}/events")
async def call_events(request: web.Request) -> web.StreamResponse:
    """Follow one call as Server-Sent Events, to its end.

    The messages are those of `/client`. Each durable event has its position as `id`. Who comes back with it, in `Last-Event-ID` or as
    `after`, gets what followed: nothing is missing, and nothing comes twice. 204 when the call is over and nothing followed.
    """
    grant = granted(request)
    interims, known = _asked(request)
    try:
        after = read_position(known) if known else None
    except ValueError as error:
        raise bad_query(str(error)) from error
    state, call_sid = request.app[STATE], (await allowed_call(request, grant)).call_sid
    try:
        await reached(state, call_sid, after)
    except BrokerError as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    record = _readable(state, grant, call_sid)
    if record is None:
        raise not_found(NO_SUCH_CALL)
    if after is not None and not record.live and record.topic.log.resolve(after) == (record.topic.log.offset, True):
        return web.Response(status=204)  # what tells a browser not to come back
    if request.method == hdrs.METH_HEAD:
        return described()
    return await _follow_call(request, grant, record, after, interims=interims)


async def _follow_call(request: web.Request, grant: Grant, record: Record, after: Position | None, *, interims: bool) -> web.StreamResponse:
    state, stream, following = request.app[STATE], EventStream(request, grant), None
    try:
        await stream.open(call_chunk if takes_chunks(request) else call_block)
        found = _readable(state, grant, record.call_sid)
        if found is None:
            stream.refuse("unknown-call", NO_SUCH_CALL, wire.UNKNOWN_CALL)
            return await stream.run()
        topic = found.topic
        following, whole = topic.audience.follow(stream.outbox, after=after, interims=interims, on_complete=lambda _: stream.end())
        state.access_log.note(grant.subject, "watch" if found.live else "replay", found.call_sid)
        stream.outbox.answer(
            encode(
                Subscribed(
                    call_sid=found.call_sid, epoch=topic.log.epoch, offset=following.offset, whole=whole, newest=topic.log.offset,
                    at=state.registry.now(),
                )
            )
        )  # fmt: skip
        stream.outbox.news(following)
        return await stream.run()
    finally:
        if following is not None:
            following.audience.leave(following)
        stream.close()


def _readable(state: State, grant: Grant, call_sid: str) -> Record | None:
    """Return a call if it may be followed in this very turn of the event loop."""
    record = state.registry.find(call_sid)
    return record if record is not None and record.loaded and state.recall.allows(grant, record) else None


@routes.get("/events")
async def all_events(request: web.Request) -> web.StreamResponse:
    """Follow all calls that the token allows as Server-Sent Events, without an end.

    `watching` comes first, then `subscribed` and the events of each call that is live, and of each that begins. A position is a moment, and
    how far the reader is in each call of which it got something since then. Who comes back with it gets what followed, also of calls that
    began or ended meanwhile.
    """
    grant = granted(request)
    interims, known = _asked(request)
    state = request.app[STATE]
    try:
        after = AllCallsPosition.read(known, state.registry.wall()) if known else None
    except ValueError as error:
        raise bad_query(str(error)) from error
    try:
        archived = await archived_since(state, grant, after)
    except ArchiveError as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    if request.method == hdrs.METH_HEAD:
        return described()
    stream = EventStream(request, grant)
    calls = AllCalls(state, grant, stream, interims=interims)
    try:
        await stream.open(calls.frame_for(chunks=takes_chunks(request)))
        calls.begin(after, archived)
        return await calls.run()
    finally:
        calls.close()
        stream.close()


def _asked(request: web.Request) -> tuple[bool, str]:
    """Return whether interims are wanted, and the position that the reader has; empty for none. Raises: HTTPBadRequest."""
    query = read_query(request, "after", "interims")
    interims = query.get("interims", "true")
    if interims not in {"true", "false"}:
        raise bad_query("interims must be true or false")
    return interims == "true", request.headers.get("Last-Event-ID", "").strip() or query.get("after", "")
