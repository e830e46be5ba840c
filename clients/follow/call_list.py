"""The calls of a hub, newest first, as `GET /calls` lists and finds them: one page after the other, as far as the reader reads.

And what the hub says of one call. Knows pages and what goes wrong with them. Does not know what a list is for.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from clients.follow.address import page_address
from clients.follow.connection import Refused, problem, reason
from hub.audio.g711 import Track
from hub.events import CallSummary, Part
from hub.text.addresses import loopback

PAGE_CALLS = 100
"""How many calls are asked for at once."""

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=60.0)
"""Seconds. Searches of all readers wait for each other at the hub."""

Span: TypeAlias = tuple[int, int]
"""Where something stands in a text: its start and its length in UTF-16 code units."""


class FoundUtterance(Part, frozen=True, kw_only=True):
    """An utterance that has words of a search. `text` may be cut. `matches`: where the words stand in it. `start`: seconds of call time."""

    offset: int
    utterance: str
    track: Track
    speaker: str
    text: str
    matches: list[Span]
    start: float


class ListedCall(CallSummary, frozen=True, kw_only=True):
    """A call of the list. `hits` and `found` are there in a search: how many utterances have the words, and the first of them."""

    hits: int = 0
    found: tuple[FoundUtterance, ...] = ()


class _Page(msgspec.Struct, frozen=True):
    calls: list[msgspec.Raw]
    next: str | None


T = TypeVar("T")

_decoder = msgspec.json.Decoder(_Page)
_calls = msgspec.json.Decoder(ListedCall)
_summaries = msgspec.json.Decoder(CallSummary)


def read_listed(call: bytes) -> ListedCall:
    """Return a call that `listed` has yielded. Raises: ValueError."""
    return _calls.decode(call)


async def listed(url: str, token: str | None, parameters: Mapping[str, str], limit: int) -> AsyncGenerator[bytes, None]:
    """Yield the calls that fit, in JSON as the hub sends them, newest first, and `limit` of them at most.

    `url` is the hub's address in any form. `parameters`: see `GET /calls`. Raises: Refused.
    """
    address = _address(url, token, "/calls")
    left, after = limit, ""
    async with _session(address, token) as session:
        while left > 0:
            asked = {**parameters, "limit": str(min(left, PAGE_CALLS)), **({"after": after} if after else {})}
            page = await _page(session, address, asked)
            for call in page.calls[:left]:
                yield bytes(call)
            left -= len(page.calls)
            if page.next is None:
                return
            after = page.next


async def call_page(url: str, token: str | None, parameters: Mapping[str, str]) -> tuple[list[bytes], str | None]:
    """Return one page of the list, and what to ask for as `after` to get the next one; None at the end. Arguments as `listed` has them.

    Raises: Refused.
    """
    address = _address(url, token, "/calls")
    async with _session(address, token) as session:
        page = await _page(session, address, parameters)
        return [bytes(call) for call in page.calls], page.next


async def described(url: str, token: str | None, call_sid: str) -> CallSummary:
    """Return what the hub says of one call. Raises: Refused."""
    address = _address(url, token, f"/calls/{quote(call_sid, safe='')}")
    async with _session(address, token) as session:
        status, body = await _asked(session, address, {})
    return _decoded(_summaries, status, body, f"{address} is not a call of a hub", address)


def _address(url: str, token: str | None, path: str) -> str:
    if token is not None and not (token.isascii() and token.isprintable()):
        raise Refused("token", "this is not a token: it contains characters that no token contains")
    try:
        return page_address(url, path)
    except ValueError as error:
        raise Refused("address", str(error)) from error


def _session(address: str, token: str | None) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    by_proxy = not loopback(urlsplit(address).hostname or "")
    return aiohttp.ClientSession(headers=headers, timeout=TIMEOUT, trust_env=by_proxy)


async def _page(session: aiohttp.ClientSession, address: str, asked: Mapping[str, str]) -> _Page:
    status, body = await _asked(session, address, asked)
    if status in {301, 302, 307, 308, 404, 405}:
        raise Refused("address", f"{address} is not a hub's list of calls: {reason(status, body)}")
    return _decoded(_decoder, status, body, f"{address} is not a hub's list of calls", address)


def _decoded(decoder: msgspec.json.Decoder[T], status: int, body: bytes, otherwise: str, address: str) -> T:
    """Return what an answer says. `otherwise`: what is wrong if it is something else. Raises: Refused."""
    if status != 200:
        said = reason(status, body)
        raise Refused("refused", f"{address} does not let us in: {said}" if said.startswith("HTTP ") else said)
    try:
        return decoder.decode(body)
    except ValueError as error:
        raise Refused("address", f"{otherwise}: the server sends something else") from error


async def _asked(session: aiohttp.ClientSession, address: str, asked: Mapping[str, str]) -> tuple[int, bytes]:
    """Return the status and the body of an answer. Raises: Refused where there is none."""
    try:
        async with session.get(address, params=asked, allow_redirects=False) as answer:
            return answer.status, await answer.read()
    except TimeoutError as error:
        raise Refused("unreachable", f"no hub answers at {address}: it takes too long") from error
    except aiohttp.ClientConnectorError as error:
        raise Refused("unreachable", f"no hub answers at {address}: {problem(error.os_error)}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Refused("address", f"{address} cannot be asked: {error}") from error
