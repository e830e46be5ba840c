"""`GET /calls/{sid}/recording`, and pausing it: the sound of a call, during the call and after it.

Any range of bytes can be asked for, so a player begins at once and goes to any moment. Knows requests. Does not know where the sound lies.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace

from aiohttp import hdrs, web

from hub.archive.archive import ArchiveError
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
    return await _switched(request, paused=True)


@routes.post("/calls/{sid}/recording/resume")
async def resume(request: web.Request) -> web.Response:
    """Record sound again."""
    return await _switched(request, paused=False)


async def _switched(request: web.Request, *, paused: bool) -> web.Response:
    """Pause or resume the recording of a live call: here, or at the node that owns it.

    Raises: HTTPConflict for a call that is not recorded, HTTPServiceUnavailable if its node cannot be asked, and as `allowed_call`.
    """
    grant = granted(request, "audio")
    record = await allowed_call(request)
    read_query(request)
    state = request.app[STATE]
    if not _is_recorded(record):
        raise refusal(web.HTTPConflict, "not-recorded", "this call is not recorded" if record.live else "this call is over")
    await noted(request, grant, "pause" if paused else "resume", record.call_sid)
    try:
        if record.owner and state.elsewhere is not None:
            why_not = await state.elsewhere.switch_recording(record, paused=paused)
        else:
            why_not = state.calls.switch_recording(record.call_sid, paused=paused)
    except HubError as error:  # its node does not answer, or cannot do it
        raise refusal(web.HTTPServiceUnavailable, error.code, str(error)) from error
    if why_not:
        raise refusal(web.HTTPConflict, "not-recorded", why_not)
    return web.Response(status=204)


def _is_recorded(record: Record) -> bool:
    """Return whether a call is being recorded, as far as this node knows: what another node records is in the call's events."""
    if not record.owner:
        return record.live and record.recording is not None
    recording = record.outline.recording
    return record.live and recording is not None and recording.state in {"recording", "paused", "failed"}


def _is_spooled(record: Record) -> bool:
    """Return whether there is sound of a call that is not stored yet."""
    recording = record.outline.recording
    return recording is not None and recording.state != "stored"


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
    is_elsewhere = bool(record.owner) or (request.app[STATE].cluster is not None and record.recording is None)
    if playable is None and is_elsewhere and _is_spooled(record):
        raise refusal(
            web.HTTPServiceUnavailable,
            "recordings",
            "the sound of this call lies on the node that records it, until it is stored: try again after the call",
            {"Retry-After": "30"},
        )
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
