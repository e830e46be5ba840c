"""A call's two ends in a test: Twilio's socket that brings audio, and a subscriber that follows the call to its end."""

import asyncio

import aiohttp
from aiohttp import WSMsgType

from tests.house import House
from tests.media import CALL, STREAM, media


async def talk(socket: aiohttp.ClientWebSocketResponse, first_ms: int, last_ms: int, stream: str = STREAM) -> None:
    for at in range(first_ms, last_ms, 20):
        await socket.send_str(media("inbound", at, stream=stream))
        await socket.send_str(media("outbound", at, stream=stream))


async def told(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, object]]:
    """Every event until the hub closes."""
    return [message.json() async for message in socket]


async def follow(home: House, call: str = CALL) -> aiohttp.ClientWebSocketResponse:
    socket = await home.open("/client")
    while call not in await socket.receive_json():
        await socket.close()
        socket = await home.open("/client")
    await socket.send_str(call)
    return socket


async def follow_ended(home: House, call: str = CALL) -> aiohttp.ClientWebSocketResponse:
    """Follow a call that may have ended."""
    while home.state.calls.live and call in home.state.calls._calls:
        await asyncio.sleep(0.01)
    socket = await home.open("/client")
    await socket.receive()
    await socket.send_str(call)
    return socket


async def closed(socket: aiohttp.ClientWebSocketResponse) -> tuple[object, object]:
    message = await socket.receive()
    assert message.type is WSMsgType.CLOSE, message
    return message.data, message.extra
