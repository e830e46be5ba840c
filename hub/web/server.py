"""What aiohttp leaves out at the front: a deadline for a connection's first request."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""A connection that has not finished its first request by then is closed: aiohttp itself would keep it for ever."""

KEEP_ALIVE_SECONDS = 30.0
"""And one that is between requests after so long, or half-way through one."""

LOOK_SECONDS = 1.0
"""How often connections are looked at. One look for all, because a timer for each would keep those alive that are long gone."""


def _log() -> logging.Logger:
    """Return aiohttp's log, told what is the peer's doing and not ours: that is no error, has no traceback, and nothing of it is quoted."""

    def keep(record: logging.LogRecord) -> bool:
        match record.exc_info[1] if record.exc_info else None:
            case HttpProcessingError() as error:
                log.info("somebody sent what is no HTTP request: %s", type(error).__name__)
            case ConnectionError():
                log.debug("a connection was lost while it was written to")
            case _:
                return True
        return False

    quiet = logging.getLogger("aiohttp.server")
    quiet.filters[:] = [keep]
    return quiet


class Runner(web.AppRunner):
    """An AppRunner that does not wait for ever for a request."""

    def __init__(self, app: web.Application, *, goodbye_seconds: float) -> None:
        # It writes the subprotocols that a client offers, and some clients carry their token there.
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=goodbye_seconds,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            logger=_log(),
        )

    async def expect_requests(self, clock: Callable[[], float]) -> None:
        """Cut off connections that come and ask for nothing, until cancelled. `clock` is monotonic seconds."""
        since: dict[RequestHandler, float] = {}
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.server is None:
                continue
            now = clock()
            since = {each: since.get(each, now) for each in self.server.connections if not each._request_count}
            for connection, seen_at in since.items():
                if now - seen_at >= REQUEST_SECONDS - LOOK_SECONDS and connection.transport is not None:
                    connection.transport.abort()
