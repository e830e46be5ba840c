"""The HTTP server: aiohttp's runner, with connections that are bounded, and a log that blames the right side.

Knows how connections come in, with TLS or without. Does not know addresses or doors.
"""

import logging
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_server import Server

from hub.web.connections import Connections, ConnectionServer
from hub.web.limits import Limits
from hub.web.unproved import Unproved

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
    """An aiohttp AppRunner whose connections have deadlines and a bounded room; see `connections.py`."""

    def __init__(
        self, app: web.Application, limits: Limits, unproved: Unproved, *, goodbye_seconds: float, clock: Callable[[], float]
    ) -> None:
        """`goodbye_seconds`: how long open sockets may take to answer the hub's close when it stops. `clock`: monotonic seconds."""
        # aiohttp logs the subprotocols that a client offers, and some clients carry their token there.
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=goodbye_seconds,
            keepalive_timeout=limits.keep_alive_seconds,
            # 60 KB of compressed zeros unpack to 60 MB, in the event loop, before any door is asked whether it wants them.
            auto_decompress=False,
            lingering_time=limits.close_seconds,
            logger=_log(),
        )
        self.connections = Connections(limits, unproved, clock)

    async def _make_server(self) -> Server:
        return ConnectionServer(await super()._make_server(), self.connections)
