"""Subscribers that a hub dies under again and again, and what they saw: each event that any of them ever received, byte by byte."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

FOLLOWED = 3
"""Calls that a subscriber follows at a time."""

PATIENCE_SECONDS = 60.0
"""How long the ends of calls may take that all hang up at the same moment. A reader looks at least with every comment, each 15 seconds."""

AGAIN_SECONDS = 0.03
"""How soon a subscriber tries to connect again."""


class Received(msgspec.Struct, rename="camel"):
    """What matters of a message."""

    type: str
    call_sid: str = ""
    epoch: str = ""
    offset: int = 0
    whole: bool = True
    reason: str = ""

    @property
    def ends(self) -> bool:
        """Whether the call is over. Where only the hub stops, it is not."""
        return self.type == "call-ended" and self.reason != "hub-stopping"


_decoder = msgspec.json.Decoder(Received)


@dataclass
class Seen:
    """What all subscribers saw."""

    logs: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    """By callSid and epoch, the durable events in the order of their offsets."""
    epochs: dict[str, str] = field(default_factory=dict)
    """The newest epoch of each call."""
    ended: set[str] = field(default_factory=set)
    """Calls whose `call-ended` somebody saw."""
    behind: set[tuple[str, str]] = field(default_factory=set)
    """Logs that were live when a hub died that had told more than it had stored: they end there, and others take their place."""
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    """The first faults, in words."""
    received: int = 0
    """Durable events, of all subscribers."""
    resumed: int = 0
    """Positions that subscribers came back with."""
    not_whole: int = 0
    """Answers with `whole: false`."""
    on_event: Callable[[], None] = lambda: None
    """Called when an event is seen for the first time."""

    def fault(self, kind: str, what: str) -> None:
        self.faults[kind] += 1
        if len(self.examples) < 50:
            self.examples.append(f"{kind}: {what}")

    def see(self, event: Received, payload: bytes) -> None:
        """Take note of an event that some subscriber received."""
        self.received += 1
        log = self.logs.setdefault((event.call_sid, event.epoch), [])
        self.epochs[event.call_sid] = event.epoch
        if event.offset <= len(log):
            if log[event.offset - 1] != payload:
                self.fault("altered", f"{event.call_sid} {event.epoch} {event.offset}: {log[event.offset - 1]!r} became {payload!r}")
            return
        if event.offset > len(log) + 1:
            return  # of a log that began anew, which this subscriber follows from the middle: its start is yet to be seen
        log.append(payload)
        if event.ends:
            self.ended.add(event.call_sid)
        self.on_event()

    @property
    def events(self) -> int:
        """How many different events were seen."""
        return sum(map(len, self.logs.values()))


class Witness:
    """A subscriber: follows calls to their ends, over connections that break, and comes back with its positions."""

    def __init__(self, address: str, seen: Seen, chance: random.Random) -> None:
        self._address = address
        self._seen = seen
        self._chance = chance
        self._interims = chance.random() < 0.5
        self._positions: dict[str, tuple[str, int] | None] = {}
        """Calls that are followed, and how far. None before the first event."""
        self._ended: set[str] = set()
        self.back = asyncio.Event()
        """Set while there is a connection with everything subscribed to."""

    async def run(self, over: asyncio.Event) -> None:
        """Follow calls until `over`, and those that are followed then to their ends."""
        while not over.is_set() or self._positions:
            try:
                async with connect(self._address, compression=None, proxy=None, ping_interval=None, open_timeout=60) as socket:
                    await self._listen(socket, over)
            except (OSError, InvalidHandshake, ConnectionClosed):
                self.back.clear()
                await asyncio.sleep(AGAIN_SECONDS)

    async def _listen(self, socket: ClientConnection, over: asyncio.Event) -> None:
        live = [] if over.is_set() else list(msgspec.json.decode(await socket.recv(decode=False), type=list[str]))
        self._chance.shuffle(live)
        for call_sid in live:
            if len(self._positions) < FOLLOWED and call_sid not in self._ended:
                self._positions.setdefault(call_sid)
        for call_sid in self._positions:
            await self._subscribe(socket, call_sid)
        self.back.set()
        while self._positions or not over.is_set():
            await self._receive(socket, await socket.recv(decode=False))

    async def _subscribe(self, socket: ClientConnection, call_sid: str) -> None:
        request: dict[str, object] = {"action": "subscribe", "callSid": call_sid, "interims": self._interims}
        if (position := self._positions[call_sid]) is not None:
            request["after"] = {"epoch": position[0], "offset": position[1]}
            self._seen.resumed += 1
        await socket.send(json.dumps(request))

    async def _receive(self, socket: ClientConnection | None, payload: bytes) -> None:
        if payload.startswith(b"["):  # the list of live calls
            return
        event = _decoder.decode(payload)
        match event.type:
            case "interim":
                pass
            case "statistics" if not event.offset:
                pass
            case "subscribed":
                self._subscribed(event)
            case "error":
                await self._refused(event, payload)
            case _:
                self._event(event, payload)

    def _subscribed(self, event: Received) -> None:
        seen, position = self._seen, self._positions[event.call_sid]
        if event.whole:
            if (position or (event.epoch, 0)) != (event.epoch, event.offset):
                seen.fault("torn", f"{event.call_sid} resumes at {event.epoch} {event.offset}, not at {position}")
            return
        seen.not_whole += 1
        if position is None or (event.call_sid, position[0]) not in seen.behind:
            seen.fault("not whole", f"{event.call_sid} {position}, now {event.epoch} {event.offset}")
        self._positions[event.call_sid] = None

    async def _refused(self, event: Received, payload: bytes) -> None:
        position = self._positions.pop(event.call_sid, None)
        if position is None or (event.call_sid, position[0]) not in self._seen.behind:
            self._seen.fault("refused", f"{position} {payload!r}")

    def _event(self, event: Received, payload: bytes) -> None:
        seen, position = self._seen, self._positions.get(event.call_sid)
        epoch, offset = position or (event.epoch, 0)
        if event.epoch != epoch:
            seen.fault("epoch changed", f"{event.call_sid} {epoch} became {event.epoch} in one subscription")
        elif event.offset > offset + 1:
            seen.fault("holes", f"{event.call_sid} {offset}, then {event.offset}")
        elif event.offset <= offset:
            seen.fault("repeats", f"{event.call_sid} {offset}, then {event.offset}")
        else:
            seen.see(event, payload)
        self._positions[event.call_sid] = (event.epoch, event.offset)
        if event.ends:
            del self._positions[event.call_sid]
            self._ended.add(event.call_sid)


class StreamWitness(Witness):
    """A subscriber that follows all calls as Server-Sent Events, and comes back with the newest `id` that it got."""

    def __init__(self, address: str, seen: Seen, chance: random.Random) -> None:
        super().__init__(address, seen, chance)
        self._last_id = ""
        self._doubted: set[str] = set()
        """Calls that a hub told of before it could store them, and with which the next one has not gone on: it may know nothing of them."""

        self._over_since = 0.0
        """When it was first seen that no further call begins, in monotonic seconds. 0 until then."""

    def _is_done(self, over: asyncio.Event) -> bool:
        """Whether all calls have ended, or none is going to."""
        if not over.is_set():
            return False
        self._over_since = self._over_since or time.monotonic()
        lasting = self._positions.keys() - self._ended - self._doubted
        if lasting and time.monotonic() - self._over_since < PATIENCE_SECONDS:
            return False
        # After a kill while the hub was behind, a reader cannot tell a call that nobody knows any more from one that goes on.
        if lasting and not self._seen.behind:
            self._seen.fault("never ended", f"{sorted(lasting)[0]} and {len(lasting) - 1} others, for a reader of all calls")
        return True

    async def run(self, over: asyncio.Event) -> None:
        """Follow all calls until `over`, and those that are live then to their ends."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**20) as session:
            while not self._is_done(over):
                try:
                    headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
                    async with session.get(f"{self._address}?interims={str(self._interims).lower()}", headers=headers) as answer:
                        answer.raise_for_status()
                        self._seen.resumed += bool(self._last_id)
                        await self._read(answer.content, over)
                except (OSError, aiohttp.ClientError):
                    self.back.clear()
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self, content: aiohttp.StreamReader, over: asyncio.Event) -> None:
        block: dict[bytes, bytes] = {}
        async for line in content:
            if line != b"\n":
                name, _, value = line.rstrip(b"\n").partition(b": ")
                block[name] = value
            elif b"data" in block:  # only now is the block whole
                self._last_id = block.get(b"id", self._last_id.encode()).decode()
                await self._receive_block(block[b"data"])
                block = {}
            if self._is_done(over):
                return

    async def _receive_block(self, payload: bytes) -> None:
        event = _decoder.decode(payload)
        if event.type == "watching":
            if not event.whole and not self._seen.behind:
                self._seen.fault("not whole", f"all calls, from {self._last_id}")
            self._doubted |= {call_sid for call_sid, position in self._positions.items() if self._is_doubtful(call_sid, position)}
            self.back.set()
            return
        self._positions.setdefault(event.call_sid)
        await self._receive(None, payload)

    def _is_doubtful(self, call_sid: str, position: tuple[str, int] | None) -> bool:
        """Whether a hub that was killed may have stored nothing of a call: no event of it was seen, or the hub was behind with it."""
        return position is None or position[1] == 0 or (call_sid, position[0]) in self._seen.behind

    def _subscribed(self, event: Received) -> None:
        self._doubted.discard(event.call_sid)
        position = self._positions[event.call_sid]
        if event.whole and position is not None and position[0] != event.epoch and (event.call_sid, position[0]) in self._seen.behind:
            self._positions[event.call_sid] = (event.epoch, event.offset)  # `watching` has said that it is not whole
            return
        super()._subscribed(event)

    def _event(self, event: Received, payload: bytes) -> None:
        super()._event(event, payload)
        self._positions[event.call_sid] = (event.epoch, event.offset)  # the end of a call may not be its last event
        if event.type == "call-started":
            self._ended.discard(event.call_sid)
