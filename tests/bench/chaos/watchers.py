"""Subscribers of coded calls: each follows one call to its end, over connections that break and nodes that die, and checks what it gets."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field

import msgspec

from tests.bench.chaos.lean_socket import LeanSocket, Refused
from tests.bench.chaos.phone import CodedCall
from tests.bench.chaos.way import Way

AGAIN_SECONDS = (0.02, 0.2)
"""How soon a subscriber tries again to connect. People's programs wait longer: this is harder."""

EARLY_SECONDS = 5.0
"""A node that was not told of a new call yet says that it does not know it. So long after the call's start that is forgiven."""


class Told(msgspec.Struct, rename="camel"):
    """What matters of a message."""

    type: str
    epoch: str = ""
    offset: int = 0
    whole: bool = True
    newest: int = 0
    reason: str = ""
    code: str = ""
    at: str = ""


_decoder = msgspec.json.Decoder(Told)


@dataclass(frozen=True, slots=True)
class Age:
    """How old an event was when a subscriber received it."""

    received: float
    """Unix seconds."""
    seconds: float
    local: bool
    """Whether the subscriber was on the node that has the call's stream."""


@dataclass
class Watched:
    """What all subscribers of some calls saw."""

    logs: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)
    """By callSid and epoch, the durable events in the order of their offsets."""
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    """The kind of each fault, the call's sid, and more in words."""
    ages: list[Age] = field(default_factory=list)
    newest: dict[str, float] = field(default_factory=dict)
    """By callSid, when the newest word was received, Unix seconds."""
    back: list[float] = field(default_factory=list)
    """When a subscriber had all again that it had missed, Unix seconds."""
    connections: int = 0
    received: int = 0
    """Durable events."""
    resumed: int = 0
    """Positions that subscribers came back with."""


class Watcher:
    """One subscriber."""

    def __init__(self, call: CodedCall, way: Way, watched: Watched, chance: random.Random, home: str = "") -> None:
        """`home`: see below."""
        self.call = call
        self.node = ""
        """Name of the node that it is connected to. Empty while it is not."""
        self.whole = asyncio.Event()
        """Set while it is connected and has everything that there was when it subscribed."""
        self.done = asyncio.Event()
        """Set when it has the call's end."""
        self.position: tuple[str, int] | None = None
        self.patient = chance.random() < 0.5
        """Whether it waits for a node that has stopped answering."""
        self._way = way
        self._watched = watched
        self._chance = chance
        self.home = home
        """The node that it connects to directly while that is up. Empty for one that always takes the balancer."""
        self._interims = chance.random() < 0.5
        self._socket: LeanSocket | None = None
        self._due = 0
        """What the hub had when this subscribed."""

    async def run(self) -> None:
        """Follow the call to its end."""
        while not self.done.is_set():
            try:
                self._socket = await self._dial()
            except (OSError, Refused):
                await asyncio.sleep(self._chance.uniform(*AGAIN_SECONDS))
                continue
            self.node = self._way.chosen(self._socket.headers, self.home)
            self._subscribe()
            await self._socket.gone.wait()
            self._left()
            if not self.done.is_set():
                await asyncio.sleep(self._chance.uniform(*AGAIN_SECONDS))

    def leave(self) -> None:
        """Cut the connection, as a program does that has waited long enough."""
        if self._socket is not None:
            self._socket.abort()

    async def _dial(self) -> LeanSocket:
        self._watched.connections += 1
        return await LeanSocket.dial(self._way.port(self.home), "/client", self._receive)

    def _left(self) -> None:
        """Take note that the connection is gone."""
        if self.node not in self._way.disturbed and not self.done.is_set():
            code = self._socket.close_code if self._socket is not None else None
            self._fault("cut off", f"by {self.node}, which is well, with {code}")
        self.node = ""
        self.whole.clear()

    def _subscribe(self) -> None:
        request: dict[str, object] = {"action": "subscribe", "callSid": self.call.sid, "interims": self._interims}
        if self.position is not None:
            request["after"] = {"epoch": self.position[0], "offset": self.position[1]}
            self._watched.resumed += 1
        assert self._socket is not None
        self._socket.send(json.dumps(request).encode())

    def _receive(self, payload: bytes) -> None:
        if payload.startswith(b"["):  # the list of live calls
            return
        event = _decoder.decode(payload)
        match event.type:
            case "interim":
                self._age(event)
                self._watched.newest[self.call.sid] = time.time()
            case "statistics" if not event.offset:
                pass
            case "subscribed":
                self._subscribed(event)
            case "error":
                self._refused(payload)
            case _:
                self._event(event, payload)

    def _fault(self, kind: str, what: str) -> None:
        self._watched.faults.append((kind, self.call.sid, what))

    def _subscribed(self, event: Told) -> None:
        if not event.whole:
            self._fault("not whole", f"{self.position} on {self.node}, now {event.epoch} {event.offset}")
            self.position = None
        elif (self.position or (event.epoch, 0)) != (event.epoch, event.offset):
            self._fault("torn", f"resumes at {event.epoch} {event.offset} on {self.node}, not at {self.position}")
        self._due = event.newest
        self._caught_up(event.offset)

    def _caught_up(self, offset: int) -> None:
        if offset >= self._due and not self.whole.is_set():
            self.whole.set()
            self._watched.back.append(time.time())

    def _refused(self, payload: bytes) -> None:
        """Ask again. What was seen must be known everywhere; a call that has just begun need not."""
        if self.position is not None or time.time() - self.call.began_at > EARLY_SECONDS:
            self._fault("refused", f"{self.position} on {self.node}: {payload!r}")
        asyncio.get_running_loop().call_later(self._chance.uniform(*AGAIN_SECONDS), self._again, self._socket)

    def _again(self, socket: LeanSocket) -> None:
        if socket is self._socket and not socket.gone.is_set():
            self._subscribe()

    def _event(self, event: Told, payload: bytes) -> None:
        epoch, offset = self.position or (event.epoch, 0)
        if event.epoch != epoch:
            self._fault("epoch changed", f"{epoch} became {event.epoch} in one subscription, on {self.node}")
        elif event.offset > offset + 1:
            self._fault("holes", f"{offset}, then {event.offset}, on {self.node}")
        elif event.offset <= offset:
            self._fault("repeats", f"{offset}, then {event.offset}, on {self.node}")
        else:
            self._see(event, payload)
        self.position = (event.epoch, event.offset)
        if event.type == "final":
            self._watched.newest[self.call.sid] = time.time()
        if event.offset > self._due:
            self._age(event)
        self._caught_up(event.offset)
        if event.type == "call-ended":
            self._ended(event)

    def _see(self, event: Told, payload: bytes) -> None:
        log = self._watched.logs.setdefault(self.call.sid, {}).setdefault(event.epoch, [])
        self._watched.received += 1
        if event.offset == len(log) + 1:
            log.append(payload)
        elif event.offset <= len(log) and log[event.offset - 1] != payload:
            self._fault("altered", f"{event.offset} on {self.node}: {log[event.offset - 1]!r} became {payload!r}")

    def _ended(self, event: Told) -> None:
        if not self.call.over.is_set():
            self._fault("calls ended", f"it lives, and ended: {event.reason}")
            return
        self.done.set()
        if self._socket is not None:
            self._socket.close()

    def _age(self, event: Told) -> None:
        self._watched.ages.append(Age(time.time(), age_of(event.at), self.node == self.call.owner))


def age_of(at: str) -> float:
    """Return how long ago something was, in seconds. `at`: as an event has it, such as 2026-11-26T06:06:41.166Z."""
    sent = int(at[11:13]) * 3600 + int(at[14:16]) * 60 + float(at[17:23])
    return (time.time() - sent + 43200) % 86400 - 43200
