"""Readers of one call, by each of the doors that guarantee the same: a socket at `/client`, and Server-Sent Events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import aiohttp

from tests.house import House
from tests.media import CALL

Door: TypeAlias = Literal["client", "events", "all"]
"""`/client`, `/calls/{sid}/events`, and `/events`."""


@dataclass
class Block:
    """One block of Server-Sent Events."""

    id: str | None
    data: dict[str, Any]
    text: str
    """The data as it was sent."""


class Blocks:
    """What comes on one stream of Server-Sent Events."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.comments = 0
        self.last_id = ""
        """What a browser would come back with."""

    async def next(self) -> Block | None:
        """Return the next block with data. None at the end of the stream. Raises: ClientPayloadError when it was cut."""
        identity, data = None, None
        async for raw in self.answer.content:
            line = raw.decode().removesuffix("\n")
            name, _, value = line.partition(": ")
            if name == "id":
                identity = value
            elif name == "data":
                data = value
            elif line == ":":
                self.comments += 1
            elif not line and data is not None:
                self.last_id = identity if identity is not None else self.last_id
                return Block(identity, json.loads(data), data)
        return None

    async def until(self, kind: str) -> list[Block]:
        """Return the blocks up to the next one of a type."""
        found = []
        while True:
            block = await self.next()
            assert block is not None, f"the stream ended before {kind}"
            found.append(block)
            if block.data["type"] == kind:
                return found

    async def rest(self) -> list[Block]:
        """Return all blocks up to the end of the stream."""
        found = []
        while (block := await self.next()) is not None:
            found.append(block)
        return found


@asynccontextmanager
async def streamed(home: House, path: str, last_id: str = "", **headers: str) -> AsyncIterator[Blocks]:
    """Open a stream. `last_id`: the position that the reader has."""
    shown = headers | ({"Last-Event-ID": last_id} if last_id else {})
    async with home.session.get(home.url(path), headers=shown, read_bufsize=2**20) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Blocks(answer)


class Reader:
    """Somebody who follows a call, and comes back with the position of what came last."""

    def __init__(self, home: House, door: Door, call: str = CALL, token: str | None = None, *, interims: bool = True) -> None:
        self.home = home
        self.door = door
        self.call = call
        self.interims = interims
        self.position: str | dict[str, Any] | None = None
        """As this door has it. None before the first message that has one."""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._blocks: Blocks | None = None
        self._answer: aiohttp.ClientResponse | None = None

    async def come(self) -> dict[str, Any]:
        """Connect, also once more. Return the `subscribed` of the call, or the `error`."""
        if self.door == "client":
            self._socket = await self.home.open("/client", **self._headers)
            await self._socket.receive()
            asked = {"action": "subscribe", "callSid": self.call, "interims": self.interims}
            await self._socket.send_json(asked | ({"after": self.position} if self.position else {}))
        else:
            path = "/events" if self.door == "all" else f"/calls/{self.call}/events"
            headers = self._headers | ({"Last-Event-ID": str(self.position)} if self.position else {})
            asking = self.home.session.get(self.home.url(f"{path}?interims={str(self.interims).lower()}"), headers=headers)
            self._answer = await asking
            if self._answer.status != 200:
                refusal = await self._answer.json()
                return {"type": "error"} | refusal["error"]
            self._blocks = Blocks(self._answer)
            if self.door == "all":
                watching = await self.next()
                assert watching is not None
                assert watching["type"] == "watching"
        message = await self.next()
        assert message is not None
        return message

    async def next(self) -> dict[str, Any] | None:
        """Return the next message. None when the connection is over."""
        message = await self.next_text()
        return json.loads(message) if message is not None else None

    async def next_text(self) -> str | None:
        """Return the next message as it was sent. None when the connection is over, however that came."""
        if self._socket is not None:
            received = await self._socket.receive()
            text: str | None = received.data if received.type is aiohttp.WSMsgType.TEXT else None
            message = json.loads(text) if text is not None else {}
            if "offset" in message:
                self.position = {"epoch": message["epoch"], "offset": message["offset"]}
            return text
        assert self._blocks is not None
        try:
            block = await self._blocks.next()
        except aiohttp.ClientError:
            return None
        self.position = self._blocks.last_id or self.position
        return block.text if block is not None else None

    async def until(self, kind: str) -> list[str]:
        """Return the messages up to the next one of a type, as they were sent."""
        texts: list[str] = []
        while True:
            text = await self.next_text()
            assert text is not None, f"it was over before {kind}"
            texts.append(text)
            if json.loads(text)["type"] == kind:
                return texts

    async def rest(self) -> list[dict[str, Any]]:
        """Return what comes until the connection is over."""
        found = []
        while (message := await self.next()) is not None:
            found.append(message)
        return found

    def stall(self) -> None:
        """Take nothing any more."""
        response = self._socket._response if self._socket is not None else self._answer
        assert response is not None
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.pause_reading()  # type: ignore[attr-defined]

    def leave(self) -> None:
        """Be gone, without a word."""
        response = self._socket._response if self._socket is not None else self._answer
        if response is not None and response.connection is not None and response.connection.transport is not None:
            response.connection.transport.abort()
        self._socket = self._blocks = self._answer = None
