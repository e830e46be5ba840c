"""`GET /calls/{sid}/transcript.…`: a call's transcript as a file, during the call and after it, whole or a range of its events.

Knows what may be asked for. Does not know how a transcript is written (`hub/transcript`), or how a long answer is sent (`streamed.py`).
"""

import itertools
import re
from collections.abc import AsyncGenerator, Iterator
from hashlib import sha256

from aiohttp import hdrs, web
from multidict import MultiMapping

from hub import __version__
from hub.topics.record import Record
from hub.transcript.exports import FORMS, Excerpt, Form
from hub.transcript.lines import Lines
from hub.web.access import granted
from hub.web.doors.allowed_call import allowed_call, not_found
from hub.web.doors.log_parts import PART_BYTES
from hub.web.doors.paging import bad_query, read_query
from hub.web.errors import refusal
from hub.web.http import GZIP_BYTES
from hub.web.noting import noted
from hub.web.state import STATE
from hub.web.streamed import Description, stream, unchanged

PART_PIECES = 40
"""Lines of a file written in one turn of the event loop: about a millisecond."""

PART_EVENTS = 200
"""Events read for a file in one turn, on the first pass: a millisecond, too."""

routes = web.RouteTableDef()


@routes.get(r"/calls/{sid}/transcript.{kind:[\w.]+}")
async def transcript(request: web.Request) -> web.StreamResponse:
    """Return the transcript so far, during or after the call.

    With `after` and `until`, only the events behind the one offset, up to and including the other. `epoch` is the epoch of these offsets:
    410 if the call's log is another one now.
    """
    record, kind = await allowed_call(request), request.match_info["kind"]
    if kind not in FORMS:
        *all_but_last, last = (f"transcript.{each}" for each in FORMS)
        raise not_found(f"there is no transcript.{kind[:10]}, only {', '.join(all_but_last)} and {last}")
    name = re.sub(r"[^\w-]", "_", record.call_sid)
    excerpt = _excerpt(record, read_query(request, "after", "until", "epoch"))
    description = Description(
        media_type=FORMS[kind].media_type,
        filename=f"{name}.{kind}",
        etag=_etag(excerpt, kind),
        packed=record.topic.log.kept_bytes >= GZIP_BYTES,
    )
    if (known := unchanged(request, description)) is not None:
        return known
    if request.method != hdrs.METH_HEAD:
        await noted(request, granted(request), "export", record.call_sid, kind)
    return await stream(request, record, description, _pieces(request, excerpt, FORMS[kind]))


def _excerpt(record: Record, query: MultiMapping[str]) -> Excerpt:
    """Return what is asked for, as the log is at this moment. Raises: HTTPBadRequest, HTTPGone."""
    log = record.topic.log
    if query.get("epoch", log.epoch) != log.epoch:
        raise refusal(web.HTTPGone, "gone", f"this call's log has another epoch now, {log.epoch}: the offsets that you have are not its")
    after, until = _offset(query, "after", 0), _offset(query, "until", log.offset)
    for name, offset in ("after", after), ("until", until):
        if offset > log.offset:
            raise bad_query(f"{name} is {offset}, but the newest event of this call is {log.offset}")
    if until < after:
        raise bad_query(f"until is {until}, which is before after, {after}")
    oldest = min(log.first, until + 1)
    return Excerpt(summary=record.summary(), payloads=log.between(oldest - 1, until), first=oldest, after=after, until=until)


def _offset(query: MultiMapping[str], name: str, default: int) -> int:
    offset = query.get(name)
    if offset is None:
        return default
    if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise bad_query(f"{name} must be an offset: 0 or the offset of an event of this call")
    return int(offset)


def _etag(excerpt: Excerpt, kind: str) -> str:
    """Return a tag that changes whenever the file does: it is made of nothing but the log, by this version of the hub."""
    summary = excerpt.summary
    made_of = (__version__, summary.call_sid, summary.epoch, summary.offset, excerpt.first, excerpt.after, excerpt.until, kind)
    return sha256(repr(made_of).encode()).hexdigest()[:24]


async def _pieces(request: web.Request, excerpt: Excerpt, form: Form) -> AsyncGenerator[bytes, None]:
    """Yield a file, a part in each turn of the event loop."""
    turns, lines = request.app[STATE].turns, Lines(excerpt.after)
    for payloads in _parts(iter(excerpt.payloads), PART_EVENTS):
        await turns.next()
        if request.transport is None:
            raise ConnectionResetError("the peer is gone")  # so nothing is written for it
        lines.read(payloads)
    for part in _parts(form.write(excerpt, lines), PART_PIECES):
        yield b"".join(part)
        await turns.next()


def _parts(pieces: Iterator[bytes], most: int) -> Iterator[list[bytes]]:
    """Yield pieces in parts that reach `PART_BYTES`, or have so many."""
    while part := list(_part(pieces, most)):
        yield part


def _part(pieces: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for piece in itertools.islice(pieces, most):
        size += len(piece)
        yield piece
        if size >= PART_BYTES:
            return
