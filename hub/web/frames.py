"""WebSocket messages from the hub to a peer, as bytes (RFC 6455 section 5.2).

A server's frames carry no mask, and the hub negotiates no compression. So one frame is right for every subscriber: it is built once and
written to all of them, past aiohttp.
"""

from typing import Literal


def text_frame(payload: bytes) -> bytes:
    """Return a whole text message; `payload` is UTF-8."""
    return _frame(0x81, payload)


def binary_frame(payload: bytes) -> bytes:
    """Return a whole binary message."""
    return _frame(0x82, payload)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping. `payload` is the ping's: at most 125 bytes, or the parser would have refused it."""
    return _frame(0x8A, payload)


def close_frame(code: int, reason: str) -> bytes:
    """Return a close message; the reason is cut to the 123 bytes that fit."""
    return _frame(0x88, code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode())


def _frame(head: Literal[0x81, 0x82, 0x88, 0x8A], payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65536:
        return bytes((head, 126)) + size.to_bytes(2, "big") + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload
