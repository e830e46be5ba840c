"""Those who come to /client: the token they show, what they wait for, and how they are turned away."""

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
    """The next message of a type."""
    while True:
        message = await socket.receive_json(timeout=5)
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def turned_away(socket: aiohttp.ClientWebSocketResponse) -> tuple[str, str, int | None]:
    """The error and the close code of a socket that the hub closes."""
    refusal = await until(socket, "error")
    assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
    return refusal["code"], refusal["message"], socket.close_code
