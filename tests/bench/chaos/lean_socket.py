"""A WebSocket client that costs little: thousands of them fit into a test's own process. Knows no message's meaning."""

import asyncio
from collections.abc import Callable, Mapping

from hub.errors import HubError
from tests.frames import CLOSE, PING, frame

PONG = 10
DIAL_SECONDS = 10.0


class Refused(HubError):
    """The server did not upgrade."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the upgrade was answered by {status}")
        self.status = status


class LeanSocket(asyncio.Protocol):
    """One connection. `received` is called with each text or binary message, and must not raise."""

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._buffer = b""
        self.headers: dict[str, str] | None = None
        """Of the answer to the upgrade, with lower-case names. None before it."""
        self.status = 0
        self.close_code: int | None = None
        """What the server's close frame said. None without one."""
        self.upgraded = asyncio.Event()
        """Set when the server has answered the upgrade, or the connection is gone."""
        self.gone = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    @classmethod
    async def dial(cls, port: int, path: str, received: Callable[[bytes], None], headers: Mapping[str, str] | None = None) -> "LeanSocket":
        """Connect to a port of this machine. Raises: OSError, Refused."""
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                _, socket = await asyncio.get_running_loop().create_connection(lambda: cls(received), "127.0.0.1", port)
                try:
                    more = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "127.0.0.1"} | dict(headers or {})).items())
                    assert socket.transport is not None
                    socket.transport.write((
                        f"GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
                    ).encode())  # fmt: skip
                    await socket.upgraded.wait()
                except BaseException:
                    socket.abort()
                    raise
        except TimeoutError:
            raise ConnectionError("no answer to the upgrade") from None
        if socket.status != 101:
            socket.abort()
            raise Refused(socket.status) if socket.status else ConnectionError("closed during the upgrade")
        return socket

    def send(self, *messages: bytes) -> None:
        """Send text messages, all in one write. Never waits."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"".join(map(frame, messages)))

    def close(self) -> None:
        """Close the connection in order. What was sent before still arrives."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frame(b"\x03\xe8", CLOSE))
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.gone.set()
        self.upgraded.set()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        data = self._buffer + data
        if self.headers is None:
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                self._buffer = head
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            self.status = int(first.split()[1])
            self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self.upgraded.set()
            if self.status != 101:
                return
        at = 0
        while (taken := self._frame(data, at)) > 0:
            at += taken
        self._buffer = data[at:]

    def _frame(self, data: bytes, at: int) -> int:
        """Take one frame. Returns its size, or 0 while it is not whole. The hub sends every message in one frame."""
        if len(data) < at + 2:
            return 0
        size, head = data[at + 1], 2
        if size == 126:
            size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
        if len(data) < at + head + size:
            return 0
        payload = data[at + head : at + head + size]
        match data[at] & 0x0F:
            case 1 | 2:
                self._received(payload)
            case 8:
                self.close_code = int.from_bytes(payload[:2], "big") if payload else None
                if self.transport is not None:
                    self.transport.close()
            case op if op == PING and self.transport is not None:
                self.transport.write(frame(payload, PONG))
        return head + size
