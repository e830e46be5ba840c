"""`GET /calls` and below: the list of calls, the search in it, one call, and its transcript as a file.

Knows live calls and ended ones that the hub still keeps. Does not know how a transcript is written (`hub/transcript`).
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from hub.events import CallSummary, Final
from hub.topics.log import Log
from hub.topics.registry import Record
from hub.transcript import files
from hub.transcript.lines import Lines, TranscriptLine, finals
from hub.transcript.search import Query
from hub.web.access import granted
from hub.web.doors.paging import Paging, read_query
from hub.web.doors.subscriptions import made_summaries
from hub.web.errors import refusal
from hub.web.state import STATE
from hub.web.turns import LoopTurns

T = TypeVar("T")

_TYPES = {"json": "application/json", "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
_FILES: dict[str, Callable[[CallSummary, Iterable[TranscriptLine]], Iterator[str]]] = {
    "txt": files.text, "srt": files.srt, "vtt": files.vtt,
}  # fmt: skip

PART_BYTES = 128 * 1024
"""Events read in one turn of the event loop: a millisecond or two."""

PART_LINES = 100
"""Lines of a file written in one turn of the event loop: about a millisecond."""

routes = web.RouteTableDef()


@routes.get("/calls")
async def calls(request: web.Request) -> web.Response:
    """List the calls that the token allows, live or kept after their end, oldest first; with `q`, those in which its words were said.

    `limit` and `after` ask for a page. Every word of `q` must be in the call's numbers, names, callSid or words. Each call that is found
    has `hits`, and in `found` the first utterances with the most of the words.
    """
    state, grant = request.app[STATE], granted(request)
    query = read_query(request, "q", "limit", "after")
    page = Paging.of(query)
    await state.turns.next()  # to find thousands of calls, and to list them, takes milliseconds
    records = page.behind(state.registry.allowed(grant))
    for _ in made_summaries(records if page.limit is None else page.beginning(records)):
        await state.turns.next()
    if "q" not in query:
        return _list([(record.number, record.summary_json()) for record in page.beginning(records)], page)
    try:
        wanted = Query(query["q"])
    except ValueError as error:
        raise refusal(web.HTTPBadRequest, "query", str(error)) from error
    found: list[tuple[int, bytes]] = []
    async with state.searches:
        for record in records:
            if (hit := await _search(record, wanted, state.turns)) is not None:
                found.append((record.number, msgspec.json.encode(hit)))
                if page.full(found):
                    break
    return _list(found, page)


def _list(numbered: list[tuple[int, bytes]], page: Paging) -> web.Response:
    """Return a page of calls in JSON; there may be one more than fits on it, which shows that the list goes on."""
    shown = numbered[: page.limit]
    following = str(shown[-1][0]) if len(numbered) > len(shown) else None
    body = b'{"calls":[%b],"next":%b}' % (b",".join(call for _, call in shown), msgspec.json.encode(following))
    return web.Response(body=body, content_type="application/json")


async def _search(record: Record, query: Query, turns: LoopTurns) -> dict[str, Any] | None:
    """Return the call as lists show it, with what was found; None if it does not have all words of the query."""
    search = query.of(record.summary())
    async for payloads in _parts(record.topic.log, turns):
        search.read(payloads)
    return msgspec.to_builtins(record.summary()) | {"hits": search.hits, "found": search.found} if search.fits else None


@routes.get("/calls/{sid}")
async def call(request: web.Request) -> web.Response:
    """Describe one call."""
    record = _record(request)
    read_query(request)
    return web.Response(body=record.summary_json(), content_type="application/json")


@routes.get(r"/calls/{sid}/transcript.{kind:\w+}")
async def transcript(request: web.Request) -> web.Response:
    """Return the transcript so far, during or after the call, as JSON with every event, or as text, SubRip or WebVTT."""
    record, kind, state = _record(request), request.match_info["kind"], request.app[STATE]
    read_query(request)
    name = re.sub(r"[^\w-]", "_", record.call_sid)
    if kind not in _TYPES:
        raise _not_found(f"there is no transcript.{kind[:10]}, only transcript.json, transcript.txt, transcript.srt and transcript.vtt")
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
    async for payloads in _parts(record.topic.log, turns):
        lines.read(payloads)
    written = _FILES[kind](record.summary(), lines.ordered())
    return b"".join(["".join(part).encode() async for part in _in_turns(written, turns)])


async def _everything(record: Record, turns: LoopTurns) -> bytes:
    """Return the call as JSON: its summary, its utterances in the order in which they began, and all events as subscribers got them."""
    events: list[bytes] = []
    spoken: list[Final] = []
    async for payloads in _parts(record.topic.log, turns):
        events += payloads
        spoken += finals(payloads)
    spoken.sort(key=lambda final: (final.start, final.end))
    utterances = [msgspec.json.encode(final) async for part in _in_turns(iter(spoken), turns) for final in part]
    summary = msgspec.json.encode(record.summary())
    return b"".join((summary[:-1], b',"utterances":[', b",".join(utterances), b'],"events":[', b",".join(events), b"]}"))


async def _parts(log: Log, turns: LoopTurns) -> AsyncIterator[list[bytes]]:
    """Read a call's log a part at a time: the log of a day must not make anybody's audio wait."""
    offset = 0
    while (offset := max(offset, log.first - 1)) < log.offset:
        payloads = log.after(offset, PART_BYTES)
        offset += len(payloads)
        yield payloads
        await turns.next()


async def _in_turns(pieces: Iterator[T], turns: LoopTurns) -> AsyncIterator[list[T]]:
    """Yield what an iterator makes, a part at a time, each in a turn of its own."""
    while part := list(itertools.islice(pieces, PART_LINES)):
        yield part
        await turns.next()


def _record(request: web.Request) -> Record:
    record = request.app[STATE].registry.find(request.match_info["sid"])
    # A call that the token does not allow gets the same answer as an unknown one, so that nobody learns callSids by asking.
    if not granted(request).allows(request.match_info["sid"], *(record.numbers if record is not None else ())) or record is None:
        raise _not_found("no such call: it has not begun, or ended too long ago")
    return record


def _not_found(message: str) -> web.HTTPError:
    return refusal(web.HTTPNotFound, "not-found", message)
