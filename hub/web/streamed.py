"""Answers that are sent while they are written, so that a long one is never in memory as a whole.

A peer that takes its answer slowly makes the writer wait, and holds what it is written from. So each has a time that grows with what it has
taken. Knows HTTP: compression, `ETag`, `HEAD`, ranges. Does not know what an answer says.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import hdrs, web

from hub.topics.record import Record
from hub.web.connections import connection_of
from hub.web.errors import refusal
from hub.web.http import GZIP_LEVEL, complete, takes_gzip
from hub.web.state import STATE

GZIP_WINDOW = 31
"""For zlib: a window of 32 KiB, in the format of gzip. Compressing takes 256 KiB of memory for each answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the headers say of an answer."""

    media_type: str
    filename: str
    etag: str
    """Names the very bytes of the body, uncompressed."""
    packed: bool
    """Whether compressing is worth it."""
    size: int | None = None
    """Of the whole body, in bytes, if that is known before it is written. Then any part of it can be asked for."""
    part: tuple[int, int] | None = None
    """The bytes of it that are sent: the first, and the one behind the last. None: all."""


def unchanged(request: web.Request, description: Description) -> web.Response | None:
    """Return 304 if the client has this answer already; see RFC 9110 section 13.1.2. None if it does not."""
    known = request.if_none_match or ()
    if not any(each.value in {description.etag, "*"} for each in known):
        return None
    return web.Response(status=304, headers=_headers(description, packed=_packs(request, description)))


def asked_part(request: web.Request, description: Description) -> tuple[int, int] | None:
    """Return which bytes of a body of known size are asked for. None: all, as where the range makes no sense (RFC 9110 section 14.2).

    Several ranges at once are answered with all. Raises: HTTPRequestRangeNotSatisfiable when there is no such byte.
    """
    assert description.size is not None
    if request.headers.get(hdrs.IF_RANGE, f'"{description.etag}"') != f'"{description.etag}"':
        return None  # the client has parts of what was there before
    try:
        wanted = request.http_range
    except ValueError:
        return None
    if wanted.start is None:
        return None
    start, end, _ = wanted.indices(description.size)
    if start >= end:
        headers = {"Content-Range": f"bytes */{description.size}"}
        raise refusal(web.HTTPRequestRangeNotSatisfiable, "range", f"the body has {description.size} bytes", headers)
    return start, end


async def stream(request: web.Request, record: Record, description: Description, pieces: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """Send an answer about a call. No piece is asked for before the peer has room for it. A peer that takes too little is cut off.

    So is one whose call is erased meanwhile. `pieces` is closed. It may raise ConnectionError when it notices that the peer is gone.
    Raises: HTTPTooManyRequests when too many answers are being sent.
    """
    state, connection, packed = request.app[STATE], connection_of(request), _packs(request, description)
    answer = web.StreamResponse(status=200 if description.part is None else 206, headers=_headers(description, packed=packed))
    if description.size is not None:
        start, end = description.part or (0, description.size)
        answer.content_length = end - start
    complete(request, answer)
    if request.method == hdrs.METH_HEAD:
        await answer.prepare(request)
        await answer.write_eof()
        return answer
    limits, theirs = state.limits, sum(each.address == connection.address for each in state.streaming)
    if len(state.streaming) >= limits.streamed or theirs >= limits.streamed_per_address:
        raise refusal(web.HTTPTooManyRequests, "too-many", "too many files are being sent: try again in a moment", {"Retry-After": "5"})
    connection.bound_unsent()
    state.streaming.add(connection)
    sending = _Sending(request, answer, zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW) if packed else None)
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if record.erased:
                    raise ConnectionResetError("the call was erased")
                await sending.send(piece)
        await sending.end()
    except ConnectionError as error:
        # Should the peer still be there, it sees that this is not the end. The error would hold on to all that the answer is made of:
        # aiohttp keeps it in a circle that only the garbage collector finds. So it goes no further, and forgets where it came from.
        _forget_frames(error)
        connection.drop()
    finally:
        state.streaming.discard(connection)
    return answer


def _forget_frames(error: BaseException | None) -> None:
    """Let an error, and those behind it, hold on to no frame: its traceback leads to all local variables on the way."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class _Sending:
    """An answer that is being sent."""

    def __init__(self, request: web.Request, answer: web.StreamResponse, packer: "zlib._Compress | None") -> None:
        self._request = request
        self._answer = answer
        self._packer = packer
        """None where the answer is not compressed."""
        self._sent_bytes = 0
        self._waited_seconds = 0.0
        """For the peer."""

    async def send(self, piece: bytes) -> None:
        """Send a piece, and return when there is room for the next one."""
        if self._packer is not None:
            piece = await self._compressed(self._packer.compress, piece)
        await self._write(piece)

    async def end(self) -> None:
        """Send what is left."""
        if self._packer is not None:
            await self._write(await self._compressed(self._packer.flush))
        await self._answer.write_eof()

    async def _compressed(self, work: Callable[..., bytes], *piece: bytes) -> bytes:
        """Compress in a thread, which does not hold up the event loop. Threads are few, so answers take turns."""
        async with self._request.app[STATE].compressing:
            return await asyncio.get_running_loop().run_in_executor(None, work, *piece)

    async def _write(self, piece: bytes) -> None:
        if not piece:
            return
        if not self._answer.prepared:  # not before: if writing fails until now, another answer says so
            await self._answer.prepare(self._request)
        limits, loop = self._request.app[STATE].limits, asyncio.get_running_loop()
        self._sent_bytes += len(piece)
        connection_of(self._request).written_bytes += len(piece)
        allowed = limits.streamed_seconds + self._sent_bytes / limits.streamed_bytes_per_second - self._waited_seconds
        began = loop.time()
        try:
            async with asyncio.timeout(allowed):
                await self._answer.write(piece)
        except TimeoutError as error:
            raise ConnectionResetError("the peer takes its answer too slowly") from error
        self._waited_seconds += loop.time() - began


def _packs(request: web.Request, description: Description) -> bool:
    return description.packed and takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))


def _headers(description: Description, *, packed: bool) -> dict[str, str]:
    """Return the headers. The tag is weak where the bytes are the compressed ones: another version of zlib may make others of them."""
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: description.media_type,
        hdrs.CONTENT_DISPOSITION: f'inline; filename="{description.filename}"',
        hdrs.ETAG: f'{"W/" if packed else ""}"{description.etag}"',
        hdrs.VARY: "Accept-Encoding",
    }
    if packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    if description.size is not None:
        headers[hdrs.ACCEPT_RANGES] = "bytes"
        if description.part is not None:
            headers[hdrs.CONTENT_RANGE] = f"bytes {description.part[0]}-{description.part[1] - 1}/{description.size}"
    return headers
