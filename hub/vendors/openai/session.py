"""One session with a model's server: opened, held, and closed the moment it is not needed, for every second of it is paid for.

Knows the connection, what its refusals mean, and how long to wait for what. Does not know what is said: messages go through.
"""

import asyncio
import logging
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed

from hub.errors import ProviderError, WireError
from hub.ops.counters import ProviderCounters
from hub.ops.logs import CallLog
from hub.transcribers.connection import ProviderConnection as Line
from hub.transcribers.connection import ProviderSocket as Wire
from hub.transcribers.connection import dial
from hub.vendors.openai import wire as openai

OPEN_SECONDS = 5.0
"""How long a session may take to open, and again to be as it was asked to be: somebody listens to nothing."""

AGAIN_SECONDS = 0.5
"""The wait before a second try to open one, where it was refused for the moment: less than a replay."""

STALLED_SECONDS = 5.0
"""A model's server that takes nothing off its socket for so long is gone; the socket's buffer holds about as much of the caller."""

log = logging.getLogger(__name__)


class ModelSession:
    """One session, from the first byte to the last."""

    def __init__(self, address: str, key: str, counters: ProviderCounters, clock: Callable[[], float], call_sid: str) -> None:
        """`clock` is monotonic seconds; the callSid is for the log."""
        self._address = address
        self._key = key
        self._counters = counters
        self._clock = clock
        self._lost: Callable[[ProviderError], None] = _unheld
        self._line: Line | None = None
        """The connection; None while there is none."""
        self._ready = False
        """Whether the session is as it was asked to be."""
        self._over = False
        """Whether nothing is to be sent or taken any more."""
        self._stalled_at: float | None = None
        """Since when the other side takes nothing; None while it does."""
        self._log = CallLog(log, {"call": call_sid})

    async def hold(
        self, opened: Callable[[], None], take: Callable[[openai.Message | None], None], lost: Callable[[ProviderError], None]
    ) -> None:
        """Open the session and hold it until it is over. Cancelling this closes it.

        `opened` is called when messages can be sent. `take` gets each that comes, inside the connection's own read, and may raise
        ProviderError. `lost` is called when the session is over and `hang_up()` was not why.
        """
        self._lost, began = lost, self._clock()
        try:
            connection = await self._dial()
        except ProviderError as error:
            self.lose(error)
            return
        line = self._line = Line(connection, lambda text: self._received(text, take, began), self._clock())
        self._counters.open_sessions += 1
        self._counters.sessions += 1
        if self._over:  # it was hung up while it opened
            line.hang_up(None)
        impatience = asyncio.get_running_loop().call_later(OPEN_SECONDS, self._expect_ready)
        try:
            opened()
            await line.closed()
        except ConnectionClosed as closed:
            self.lose(openai.closed(closed.rcvd.code if closed.rcvd else None, closed.rcvd.reason if closed.rcvd else ""))
        finally:
            impatience.cancel()
            self._line = None
            self._counters.open_sessions -= 1
            line.hang_up(None)

    async def _dial(self) -> Wire:
        """Connect, at a second try if a short wait may help. Raises: ProviderError."""
        began = self._clock()
        key = openai.headers(self._key)
        try:
            return await dial(openai.PROVIDER, self._address, key, OPEN_SECONDS, openai.refused)
        except ProviderError as error:
            if not error.retryable or self._clock() - began > OPEN_SECONDS / 2:
                raise
            self._log.warning("%s; once more", error)
        await asyncio.sleep(AGAIN_SECONDS)
        return await dial(openai.PROVIDER, self._address, key, OPEN_SECONDS, openai.refused)

    def send(self, message: bytes) -> None:
        """Send a message; nothing happens while there is no session. Never waits."""
        line = self._line
        if line is None or self._over:
            return
        if line.send_text(message):
            self._stalled_at = None
        elif self._stalled_at is None:
            self._stalled_at = self._clock()
        elif self._clock() - self._stalled_at > STALLED_SECONDS:
            line.cut()

    def hang_up(self) -> None:
        """Close it now: not when a task wakes."""
        self._over = True
        if self._line is not None:
            self._line.hang_up(None)

    def _expect_ready(self) -> None:
        if not self._ready:
            self.lose(ProviderError(openai.PROVIDER, f"did not begin the session within {OPEN_SECONDS:.0f} s", retryable=True))

    def lose(self, error: ProviderError) -> None:
        """Close it, and say why, once."""
        if not self._over:
            self._counters.refused += 1
            self._log.error("%s", error)
            self.hang_up()
            self._lost(error)

    def _received(self, text: bytes, take: Callable[[openai.Message | None], None], began: float) -> None:
        """Take one message. Never waits, never raises."""
        if self._over:
            return
        try:
            message = openai.decode(text)
            if type(message) is openai.Error:
                self._log.warning("OpenAI says %s", message.error.code or message.error.type)
                self._log.debug("OpenAI says %s", message.error.message)  # it may quote what was said
            take(message)
            if type(message) is openai.SessionUpdated and not self._ready:
                self._ready = True
                self._counters.handshake_seconds.add(self._clock() - began)
        except WireError as error:
            self._log.warning("%s", error)
        except ProviderError as error:
            self.lose(error)
        except Exception:  # noqa: BLE001  it is taken inside the connection's own read
            self._log.exception("a message of OpenAI could not be taken")


def _unheld(_: ProviderError) -> None:
    """Nobody holds the session yet, so nobody has lost it."""
