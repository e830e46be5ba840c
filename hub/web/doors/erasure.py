"""`DELETE /calls/{sid}`, `DELETE /calls?number=…` and `/calls/{sid}/hold`: calls are erased, or kept from being erased.

All of it needs the right `erase`. Knows requests. How a call is erased is `hub/calls/erasure.py`'s.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

import msgspec
from aiohttp import web

from hub.archive.archive import ArchiveError, StoredCall
from hub.archive.erasing import UNKNOWN, Erased
from hub.tokens import Grant
from hub.web.access import granted
from hub.web.doors.allowed_call import allowed_call
from hub.web.doors.call_query import read_number
from hub.web.doors.paging import bad_query, read_query
from hub.web.errors import refusal
from hub.web.state import STATE

routes = web.RouteTableDef()


class Left(msgspec.Struct, frozen=True, rename="camel"):
    """What is still there of a call, and why."""

    call_sid: str
    reason: str


class ErasedCalls(msgspec.Struct, frozen=True):
    """What was erased. `kept`: calls that were not. `recordings`: those of erased calls that could not be deleted yet."""

    erased: list[str]
    kept: list[Left]
    recordings: list[Left]


class Hold(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a call is under a legal hold."""

    call_sid: str
    held: bool


@routes.delete("/calls/{sid}")
async def erase_call(request: web.Request) -> web.Response:
    """Erase one call, with everything that the hub has of it. The answer comes when every byte is gone."""
    grant = granted(request, "erase")
    read_query(request)
    call_sid = await _call_of(request, grant)
    try:
        erased = await request.app[STATE].erasure.one(call_sid, grant.subject)
    except ArchiveError as error:
        _unavailable(error)
    if (why := erased.kept.get(call_sid)) is not None:
        raise refusal(web.HTTPConflict, "not-erased", why)
    return _answer(erased)


@routes.delete("/calls")
async def erase_number(request: web.Request) -> web.Response:
    """Erase all calls from or to a number that have ended. The answer names those that were not erased, and why."""
    grant = granted(request, "erase")
    number = read_number(read_query(request, "number"))
    if number is None:
        raise bad_query("number is missing: without it, these would be all calls")
    if not grant.allows_number(number):
        raise refusal(web.HTTPForbidden, "not-allowed", "the token does not name this number")
    try:
        return _answer(await request.app[STATE].erasure.number(number, grant.subject))
    except ArchiveError as error:
        _unavailable(error)


@routes.put("/calls/{sid}/hold")
async def hold(request: web.Request) -> web.Response:
    """Put a legal hold on a call: it is not erased, whoever asks and however old it is."""
    return await _hold(request, held=True)


@routes.delete("/calls/{sid}/hold")
async def release(request: web.Request) -> web.Response:
    """Release a legal hold. The call is erased when its time is over, which may be now."""
    return await _hold(request, held=False)


async def _hold(request: web.Request, *, held: bool) -> web.Response:
    grant = granted(request, "erase")
    read_query(request)
    state = request.app[STATE]
    call_sid = await _call_of(request, grant)
    if state.archive is None:
        raise refusal(web.HTTPConflict, "no-archive", "this hub keeps calls in memory only, for HUB_KEEP_MINUTES: see HUB_ARCHIVE")
    try:
        if not await state.archive.upkeep(state.archive.archive.hold, call_sid, held=held):
            raise refusal(web.HTTPNotFound, "not-found", UNKNOWN)
        state.access_log.note(grant.subject, "hold" if held else "release", call_sid)
        await state.access_log.stored()
    except ArchiveError as error:
        _unavailable(error)
    return web.Response(body=msgspec.json.encode(Hold(call_sid, held)), content_type="application/json")


@routes.get("/calls/{sid}/hold")
async def held(request: web.Request) -> web.Response:
    """Say whether a call is under a legal hold."""
    read_query(request)
    state = request.app[STATE]
    call_sid = await _call_of(request, granted(request, "erase"))
    try:
        found = await state.archive.read(state.archive.archive.find, call_sid) if state.archive is not None else None
    except ArchiveError as error:
        _unavailable(error)
    answer = Hold(call_sid, isinstance(found, StoredCall) and found.held)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


async def _call_of(request: web.Request, grant: Grant) -> str:
    """Return the callSid in the path, if the token names that call: whoever may erase may do so however old it is."""
    return (await allowed_call(request, replace(grant, rights=grant.rights | {"archive"}))).call_sid


def _answer(erased: Erased) -> web.Response:
    answer = ErasedCalls(erased.call_sids, _left(erased.kept), _left(erased.recordings))
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _left(reasons: Mapping[str, str]) -> list[Left]:
    return [Left(call_sid, why) for call_sid, why in reasons.items()]


def _unavailable(error: ArchiveError) -> NoReturn:
    raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
