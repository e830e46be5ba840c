"""Posts messages to one receiver, and says what came of it.

The receiver is a stranger: it may be anywhere, answer anything, or nothing. So only addresses are connected to that are allowed, no
redirect is followed, an answer is read for some kilobytes only, and all of it has to happen within the webhook's time. What it answers is
put into no log, since it can repeat what it was sent.

Knows HTTP. Does not know what is sent next, nor when.
"""

import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from hub import __version__
from hub.delivery.messages import WebhookMessage
from hub.delivery.public_addresses import allowed
from hub.delivery.signing import headers
from hub.delivery.webhook import Webhook

ANSWER_BYTES = 16 * 1024
"""How much of an answer is read. Nobody looks at it: a connection can be used again when all of a short answer was read."""

PIECE_BYTES = 64 * 1024
"""A record of some megabytes is written in pieces of this size, each in a turn of the event loop."""

GONE = frozenset({404, 410})
"""The receiver's address is wrong, or given up. It will hardly be right again in some seconds."""

BUSY = frozenset({429, 503})
"""The receiver wants to be left alone for a while, and may say for how long."""

_NO_HEADERS: Mapping[str, str] = {}

PRIVATE = "has a private address, which is not connected to: name its network in `networks` if it is meant"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending a message."""

    problem: str = ""
    """What was wrong, in words. Empty: the receiver has it."""
    gone: bool = False
    """Whether there seems to be no receiver at this address any more."""
    answered: bool = True
    """Whether it answered at all."""
    wait_seconds: float = 0.0
    """For how long the receiver asks to be left alone. 0: it does not say."""


class AddressRefused(OSError):
    """The receiver's name leads to an address that is not allowed. All such errors say the same, so that aiohttp passes them on."""


class WebhookReceiver:
    """The receiver of one webhook. To be entered with `async with`."""

    def __init__(self, webhook: Webhook, wall: Callable[[], float] = time.time) -> None:
        """`wall`: Unix seconds, which a receiver compares with its own clock."""
        self._webhook = webhook
        self._wall = wall
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No proxy of the environment, no cookies, no answer unpacked: one that is a kilobyte on the wire can be a gigabyte.
        connector = aiohttp.TCPConnector(use_dns_cache=False, socket_factory=self._socket, limit=0)
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector, auto_decompress=False)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, message: WebhookMessage) -> Outcome:
        """Send a message. Safe to cancel: then the receiver may have it, or not. Takes no longer than the webhook's time."""
        told = {
            "Content-Type": "application/json",
            "Content-Length": str(len(message.body)),
            **headers(self._webhook.keys, message.id, self._wall(), message.body),
        }
        return await self._ask("POST", headers=told, data=_pieces(message.body))

    async def reach(self) -> str:
        """Return what is wrong with the way to the receiver, in words. Empty: it answers, whatever it answers. It is sent no message."""
        outcome = await self._ask("HEAD")
        return "" if outcome.answered else outcome.problem

    async def _ask(self, method: str, headers: Mapping[str, str] = _NO_HEADERS, data: AsyncIterator[bytes] | None = None) -> Outcome:
        assert self._session is not None, "the receiver was not entered"
        webhook = self._webhook
        told = {"User-Agent": f"transcript-hub/{__version__}", **headers}
        timeout = aiohttp.ClientTimeout(total=webhook.timeout_seconds)
        url = URL(webhook.url, encoded=True)
        try:
            asking = self._session.request(method, url, data=data, headers=told, allow_redirects=False, timeout=timeout)
            async with asking as answer:
                await answer.content.read(ANSWER_BYTES)
                return _outcome(answer, self._wall())
        except TimeoutError:
            return Outcome(f"did not answer within {webhook.timeout_seconds:g} s", answered=False)
        except aiohttp.ClientConnectorError as error:
            return Outcome(_reason(error), answered=False)
        except aiohttp.InvalidURL:
            return Outcome("has a url that cannot be used", answered=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(f"broke the connection or sent no HTTP ({type(error).__name__})", answered=False)

    def _socket(self, found: Any) -> socket.socket:
        """Make the socket for an address that was found for the receiver's name. It is connected to this address and no other."""
        family, kind, protocol, _, address = found
        if not allowed(address[0], self._webhook.networks):
            raise AddressRefused(errno.EACCES, PRIVATE)
        return socket.socket(family=family, type=kind, proto=protocol)


def _outcome(answer: aiohttp.ClientResponse, now: float) -> Outcome:
    if 200 <= answer.status < 300:
        return Outcome()
    if 300 <= answer.status < 400:
        return Outcome(f"answered {answer.status}: redirects are not followed, name the address where it is")
    wait = _wait_seconds(answer.headers.get("Retry-After", ""), now) if answer.status in BUSY else 0.0
    return Outcome(f"answered {answer.status}", gone=answer.status in GONE, wait_seconds=wait)


def _wait_seconds(text: str, now: float) -> float:
    """Return what `Retry-After` says: seconds, or a moment (RFC 9110 section 10.2.3). 0 for what is neither."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "has a name that cannot be resolved"
    if isinstance(cause, AddressRefused):
        return PRIVATE
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "has a certificate that is not trusted, or speaks no TLS"
    return f"cannot be reached: {cause.strerror or type(cause).__name__}"


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
