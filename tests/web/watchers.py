"""Subscribers with tokens: how they connect, wait for an event, and are refused."""

from typing import Any

import aiohttp
from aiohttp import WSMsgType

from hub.tokens import mint
from tests.house import House

SECRET = "0123456789abcdef0123456789abcdef"
OTHER, THIRD = "CA" + "2" * 32, "CA" + "3" * 32
ALL = {"action": "subscribe", "calls": "all"}


def token(*calls: str, seconds: float = 3600) -> str:
    return mint(SECRET, calls or ["*"], seconds)


async def connect(home: House, shown: str | None = None, *, query: str = "", **headers: str) -> aiohttp.ClientWebSocketResponse:
    if shown is not None:
        headers["Authorization"] = f"Bearer {shown}"
    return await home.open("/client" + query, **headers)


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Return the next message of a type."""
    while True:
        message = await socket.receive_json()
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def turned_away(socket: aiohttp.ClientWebSocketResponse) -> tuple[str, str, int | None]:
    """Return the error's code and sentence, and the close code, of a socket that the hub closes."""
    refusal = await until(socket, "error")
    goodbye = await socket.receive()
    assert goodbye.type is WSMsgType.CLOSE
    return refusal["code"], refusal["message"], goodbye.data
