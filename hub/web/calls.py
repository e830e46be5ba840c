"""`GET /calls` and below: the list of calls, one call, and its transcript as a file.

Knows live calls and ended ones that the hub still keeps. Does not know how a transcript is written (`hub/transcript`).
"""

import asyncio
import re

import msgspec
from aiohttp import web

from hub.events import Final
from hub.topics.log import Log
from hub.topics.registry import Record
from hub.transcript import captions
from hub.transcript.finals import finals as read_finals
from hub.web.access import granted
from hub.web.state import STATE

_TYPES = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

PART_BYTES = 128 * 1024
"""Events read in one turn of the event loop: about a millisecond."""

routes = web.RouteTableDef()


@routes.get("/calls")
async def calls(request: web.Request) -> web.Response:
    """List all calls that the token allows, live or kept after their end, oldest first."""
    grant = granted(request)
    return _json({"calls": [record.summary() for record in request.app[STATE].registry if grant.allows(record.call_sid, *record.numbers)]})


@routes.get("/calls/{sid}")
async def call(request: web.Request) -> web.Response:
    """Describe one call."""
    return _json(_record(request).summary())


@routes.get(r"/calls/{sid}/transcript.{kind:\w+}")
async def transcript(request: web.Request) -> web.Response:
    """Return the transcript so far, during or after the call, as JSON, text, SubRip or WebVTT."""
    record, kind = _record(request), request.match_info["kind"]
    finals = await _finals(record.topic.log)
    match kind:
        case "json":
            return _json(msgspec.to_builtins(record.summary()) | {"utterances": captions.ordered(finals)})
        case "txt":
            body = captions.text(finals)
        case "srt":
            body = captions.srt(finals)
        case "vtt":
            body = captions.vtt(finals)
        case _:
            raise _not_found(f"there is no transcript.{kind[:10]}, only transcript.json, transcript.txt, transcript.srt and transcript.vtt")
    name = re.sub(r"[^\w-]", "_", record.call_sid)
    return web.Response(
        text=body, content_type=_TYPES[kind], charset="utf-8", headers={"Content-Disposition": f'inline; filename="{name}.{kind}"'}
    )


async def _finals(log: Log) -> list[Final]:
    """Read a call's utterances out of its log, a part at a time: the log of a day must not make anybody's audio wait."""
    found: list[Final] = []
    offset = 0
    while (offset := max(offset, log.first - 1)) < log.offset:
        payloads = log.after(offset, PART_BYTES)
        offset += len(payloads)
        found += read_finals(payloads)
        await asyncio.sleep(0)
    return found


def _record(request: web.Request) -> Record:
    record = request.app[STATE].registry.find(request.match_info["sid"])
    # A call that the token does not allow gets the same answer as an unknown one, so that nobody learns callSids by asking.
    if not granted(request).allows(request.match_info["sid"], *(record.numbers if record is not None else ())) or record is None:
        raise _not_found("no such call: it has not begun, or ended too long ago")
    return record


def _not_found(message: str) -> web.HTTPNotFound:
    text = msgspec.json.encode({"error": {"code": "not-found", "message": message}}).decode()
    return web.HTTPNotFound(text=text, content_type="application/json")


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
