"""`GET /calls/{sid}/transcript.…`: a call's transcript as a file, during the call and after it.

Knows the forms and how they are sent. Does not know how a transcript is written (`hub/transcript`).
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

import msgspec
from aiohttp import web

from hub.events import CallSummary, Final
from hub.topics.record import Record
from hub.transcript import files
from hub.transcript.lines import Lines, TranscriptLine, finals
from hub.web.doors.allowed_call import allowed_call, not_found
from hub.web.doors.log_parts import log_parts
from hub.web.doors.paging import read_query
from hub.web.state import STATE
from hub.web.turns import LoopTurns

T = TypeVar("T")

_TYPES = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
_FILES: dict[str, Callable[[CallSummary, Iterable[TranscriptLine]], Iterator[str]]] = {
    "txt": files.text, "srt": files.srt, "vtt": files.vtt,
}  # fmt: skip

PART_LINES = 100
"""Lines of a file written in one turn of the event loop: about a millisecond."""

routes = web.RouteTableDef()


@routes.get(r"/calls/{sid}/transcript.{kind:\w+}")
async def transcript(request: web.Request) -> web.Response:
    """Return the transcript so far, during or after the call, as JSON with every event, or as text, SubRip or WebVTT."""
    record, kind, state = await allowed_call(request), request.match_info["kind"], request.app[STATE]
    read_query(request)
    name = re.sub(r"[^\w-]", "_", record.call_sid)
    if kind not in _TYPES:
        raise not_found(f"there is no transcript.{kind[:10]}, only transcript.json, transcript.txt, transcript.srt and transcript.vtt")
    async with state.files:
        if request.transport is None:
            raise ConnectionResetError("the peer is gone")  # so nothing is written for it
        body = await (_everything(record, state.turns) if kind == "json" else _file(record, kind, state.turns))
    return web.Response(
        body=body,
        content_type=_TYPES[kind],
        charset=None if kind == "json" else "utf-8",
        headers={"Content-Disposition": f'inline; filename="{name}.{kind}"'},
    )


async def _file(record: Record, kind: str, turns: LoopTurns) -> bytes:
    """Return the call as a file for people."""
    lines = Lines()
    async for payloads in log_parts(record.topic.log, turns):
        lines.read(payloads)
    written = _FILES[kind](record.summary(), lines.ordered())
    return b"".join(["".join(part).encode() async for part in _in_turns(written, turns)])


async def _everything(record: Record, turns: LoopTurns) -> bytes:
    """Return the call as JSON: its summary, its utterances in the order in which they began, and all events as subscribers got them."""
    events: list[bytes] = []
    spoken: list[Final] = []
    async for payloads in log_parts(record.topic.log, turns):
        events += payloads
        spoken += finals(payloads)
    spoken.sort(key=lambda final: (final.start, final.end))
    utterances = [msgspec.json.encode(final) async for part in _in_turns(iter(spoken), turns) for final in part]
    summary = msgspec.json.encode(record.summary())
    return b"".join((summary[:-1], b',"utterances":[', b",".join(utterances), b'],"events":[', b",".join(events), b"]}"))


async def _in_turns(pieces: Iterator[T], turns: LoopTurns) -> AsyncIterator[list[T]]:
    """Yield what an iterator makes, a part at a time, each in a turn of its own."""
    while part := list(itertools.islice(pieces, PART_LINES)):
        yield part
        await turns.next()
