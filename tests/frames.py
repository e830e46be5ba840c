"""WebSocket frames as no library would send them: unmasked, with reserved bits, with a wrong length."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def handshake(path: str = "/client") -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def frame(
    payload: bytes | str, opcode: int = TEXT, *, fin: bool = True, reserved: int = 0, masked: bool = True, size: int | None = None
) -> bytes:
    """One client frame, masked with zeros. `size`: what its head claims, if not the truth."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload) if size is None else size
    mask = 0x80 if masked else 0
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload


@asynccontextmanager
async def knock(port: int, data: bytes = b"", path: str = "/client") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a socket, send a handshake and whatever comes after it in one go; cut it off in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    try:
        writer.write(handshake(path) + data)
        yield reader, writer
    finally:
        writer.transport.abort()
