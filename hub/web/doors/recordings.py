"""`GET /calls/{sid}/recording`, and pausing it: the sound of a call, during the call and after it.

Any range of bytes can be asked for, so a player begins at once and goes to any moment. Knows requests. Does not know where the sound lies.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace

from aiohttp import hdrs, web

from hub.archive.archive import ArchiveError
from hub.calls.recorder import Recorder
from hub.errors import HubError
from hub.recordings.reading import Playable
from hub.topics.record import Record
from hub.web.access import granted
from hub.web.doors.allowed_call import allowed_call, not_found
from hub.web.doors.paging import read_query
from hub.web.errors import refusal
from hub.web.noting import noted
from hub.web.state import STATE
from hub.web.streamed import Description, asked_part, stream, unchanged

routes = web.RouteTableDef()


@routes.get("/calls/{sid}/recording")
async def recording(request: web.Request) -> web.StreamResponse:
    """Return the call as sound, inbound on the left: what is recorded so far as WAV, and later the whole as FLAC."""
    grant = granted(request, "audio")
    record = await allowed_call(request)
    read_query(request)
    playable = await _playable(request, record)
    with closing(playable):
        description = Description(
            media_type=playable.media_type, filename=_name(record, playable), etag=playable.tag, packed=False, size=playable.size
        )
        if (known := unchanged(request, description)) is not None:
            return known
        part = asked_part(request, description)
        if request.method != hdrs.METH_HEAD:
            await noted(request, grant, "play", record.call_sid)
        start, end = part or (0, playable.size)
        if request.method != hdrs.METH_HEAD and start < end:  # nothing is answered before the store is known to have it
            await _readable(playable, start)
        return await stream(request, record, replace(description, part=part), _pieces(playable, start, end))


def _name(record: Record, playable: Playable) -> str:
    """Return the name under which a browser saves a recording."""
    name = re.sub(r"[^\w-]", "_", record.call_sid)
    return f"{name}.{playable.ending}"


@routes.post("/calls/{sid}/recording/pause")
async def pause(request: web.Request) -> web.Response:
    """Record silence from now on. Call time goes on, so the words still fit the sound."""
    recorder, record, call_ms = await _recorded(request)
    await noted(request, granted(request), "pause", record.call_sid)
    if record.recording is not None:
        recorder.pause(record, call_ms)
    return web.Response(status=204)


@routes.post("/calls/{sid}/recording/resume")
async def resume(request: web.Request) -> web.Response:
    """Record sound again."""
    recorder, record, call_ms = await _recorded(request)
    await noted(request, granted(request), "resume", record.call_sid)
    if record.recording is not None:
        recorder.resume(record, call_ms)
    return web.Response(status=204)


async def _recorded(request: web.Request) -> tuple[Recorder, Record, float]:
    """Return a live call that is recorded, and its call time in ms. Raises: HTTPConflict, and as `allowed_call`."""
    granted(request, "audio")
    record = await allowed_call(request)
    read_query(request)
    calls = request.app[STATE].calls
    call_ms = calls.call_ms(record.call_sid)
    if calls.recorder is None or record.recording is None or call_ms is None:
        why = "this call is over" if not record.live else "this call is not recorded"
        raise refusal(web.HTTPConflict, "not-recorded", why)
    return calls.recorder, record, call_ms


async def _playable(request: web.Request, record: Record) -> Playable:
    """Return the sound of a call. Raises: HTTPNotFound, HTTPServiceUnavailable."""
    recorder = request.app[STATE].calls.recorder
    if recorder is None:
        raise not_found("this hub records no calls (HUB_RECORDINGS)")
    try:
        playable = await recorder.recordings.playable(record.call_sid)
    except ArchiveError as error:
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    except OSError as error:
        raise refusal(web.HTTPServiceUnavailable, "recordings", f"the spool cannot be read: {error.strerror or error}") from error
    if playable is None:
        raise not_found("nothing of this call is recorded yet" if record.recording is not None else "there is no recording of this call")
    return playable


async def _readable(playable: Playable, start: int) -> None:
    """Read one byte. Raises: HTTPServiceUnavailable where the store is away, or has the recording no longer."""
    try:
        async for _ in playable.read(start, start + 1):
            pass
    except (HubError, OSError) as error:
        raise refusal(web.HTTPServiceUnavailable, "recordings", f"the recording cannot be read now: {error}") from error


async def _pieces(playable: Playable, start: int, end: int) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a recording. Raises: ConnectionResetError if it cannot be read to its end, so that nobody takes it for whole."""
    try:
        async for piece in playable.read(start, end):
            yield piece
    except (HubError, OSError) as error:
        raise ConnectionResetError(f"the recording cannot be read: {error}") from error
