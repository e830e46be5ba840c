"""The HTTP server: aiohttp's runner, with a deadline for a connection's first request, and a log that blames the right side.

Knows connections. Does not know addresses or doors.
"""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from hub.web.limits import Limits

log = logging.getLogger(__name__)


def _log() -> logging.Logger:
    """Return aiohttp's logger, with a filter for what is the peer's mistake: that is no error of the hub, so it gets no traceback.

    The peer's bytes are not quoted either: they may hold a token.
    """

    def keep(record: logging.LogRecord) -> bool:
        match record.exc_info[1] if record.exc_info else None:
            case HttpProcessingError() as error:
                log.info("a connection sent something that is not an HTTP request: %s", type(error).__name__)
            case ConnectionError():
                log.debug("a connection was lost during a write")
            case _:
                return True
        return False

    quiet = logging.getLogger("aiohttp.server")
    quiet.filters[:] = [keep]
    return quiet


class Runner(web.AppRunner):
    """An aiohttp AppRunner that closes connections which send no request."""

    def __init__(self, app: web.Application, limits: Limits, *, goodbye_seconds: float) -> None:
        """`goodbye_seconds`: how long open sockets may take to answer the hub's close when it stops."""
        # aiohttp logs the subprotocols that a client offers, and some clients carry their token there.
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=goodbye_seconds,
            keepalive_timeout=limits.keep_alive_seconds,
            logger=_log(),
        )
        self._limits = limits

    async def expect_requests(self, clock: Callable[[], float]) -> None:
        """Abort connections that finish no first request within `Limits.request_seconds`, until cancelled. `clock`: monotonic seconds."""
        request_seconds, look_seconds = self._limits.request_seconds, self._limits.look_seconds
        since: dict[RequestHandler, float] = {}
        while True:
            await asyncio.sleep(look_seconds)
            if self.server is None:
                continue
            now = clock()
            since = {each: since.get(each, now) for each in self.server.connections if not each._request_count}
            for connection, seen_at in since.items():
                if now - seen_at >= request_seconds - look_seconds and connection.transport is not None:
                    connection.transport.abort()
