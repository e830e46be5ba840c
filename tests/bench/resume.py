"""Does anybody miss or repeat a word? Forced disconnects and resumes over many calls and subscribers, counted.

    python -m tests.bench.resume --drops 30000

Runs a hub in a process of its own, on uvloop and with real sockets, in which calls begin, are published into and end all the time.
Subscribers follow several calls on one socket and lose their connection at random moments, most of them without a word and in the middle
of a frame, then come back with their positions. Each durable event has to be the next one of its call. Prints the counts; exits with 1
if any of gaps, repeats, reorderings, strange words or torn replays is not 0.
"""

import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec
import uvloop

from hub.app import running
from hub.config import Config
from hub.web.doors import all_calls
from hub.web.doors.positions import MARGIN_SECONDS
from tests.frames import CLOSE, frame, handshake
from tests.publishing import ScriptedCall

CALLS, SUBSCRIBERS, FOLLOWED = 50, 100, 3
"""Live calls at any time, subscribers, and calls that each follows on its one socket."""

EVENTS_PER_SECOND = 60
"""Of each call, a third of them durable: more than people talk, so that there is always something on the way."""

LENGTHS = (5, 150)
"""A call's durable events."""

LIFE_SECONDS = 0.3
"""A connection lives at most so long."""

FAULTS = ("gaps", "repeats", "reorderings", "strange words", "torn replays", "refusals", "unfinished")


class Recognized(msgspec.Struct, rename="camel"):
    """What matters of an event."""

    type: str
    call_sid: str = ""
    epoch: str = ""
    offset: int = 0
    text: str = ""
    whole: bool = True


decoder = msgspec.json.Decoder(Recognized)
listing = msgspec.json.Decoder(list[str])


def word(call: str, offset: int) -> str:
    return f"{call[-6:]} says {offset}"


@dataclass
class Tally:
    """What was counted."""

    drops: int = 0
    connections: int = 0
    durable: int = 0
    interims: int = 0
    calls: int = 0
    followed_to_the_end: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {self.faults[name]}" for name in FAULTS)
        bound = f"fewer than 1 in {self.drops // 3:,} resumes (95 %)" if not self.faults.total() and self.drops else "none"
        return (
            f"forced disconnects and resumes: {self.drops:,} (of {self.connections:,} connections) in {self.seconds:.0f} s\n"
            f"durable events delivered: {self.durable:,}, interims {self.interims:,}; "
            f"{SUBSCRIBERS} subscribers followed {self.followed_to_the_end:,} times one of {self.calls:,} calls to its end\n"
            f"{faults}\n"
            f"bound on what goes wrong: {bound}"
        )


class Subscriber:
    """Follows calls, each to its end, over connections that break."""

    def __init__(self, port: int, tally: Tally, chance: random.Random) -> None:
        self._port = port
        self._tally = tally
        self._chance = chance
        self._positions: dict[str, tuple[str, int] | None] = {}
        """Calls that are followed, and how far; None before the first word."""
        self._ended: set[str] = set()
        self._last: dict[str, int] = {}
        """Newest offset on this connection."""

    async def run(self, drops: int, over: asyncio.Event) -> None:
        """Go on until enough connections broke, then until every call that was begun is over."""
        while self._tally.drops < drops:
            await self._connection(breaks=True)
        over.set()
        await self._connection(breaks=False)

    async def _connection(self, *, breaks: bool) -> None:
        self._tally.connections += 1
        self._last.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=4096)
        chance = self._chance
        try:
            writer.write(handshake())
            life = asyncio.timeout(chance.random() ** 2 * LIFE_SECONDS) if breaks else asyncio.timeout(60)
            with suppress(TimeoutError):
                async with life:
                    await reader.readuntil(b"\r\n\r\n")
                    await self._read(reader, writer, choose=breaks)
            if not breaks and self._positions:
                self._tally.faults["unfinished"] += len(self._positions)
            self._break(writer)
            if breaks and self._positions:
                self._tally.drops += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            self._tally.faults["refusals"] += 1
        finally:
            writer.transport.abort()

    def _break(self, writer: asyncio.StreamWriter) -> None:
        """Go away: mostly without a word."""
        way = self._chance.random()
        if way < 0.6:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset; what is on the way is lost
        elif way < 0.8:
            writer.write(frame(b"\x03\xe8", CLOSE))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, choose: bool) -> None:
        buffer, greeted = b"", False
        while not greeted or self._positions:
            data = await reader.read(self._chance.choice((1, 7, 100, 1000, 4096)))
            if not data:
                raise ConnectionResetError
            buffer += data
            while (size := _frame_size(buffer)) is not None:
                opcode, payload, buffer = buffer[0] & 15, buffer[2 if buffer[1] < 126 else 4 : size], buffer[size:]
                if opcode == CLOSE:
                    raise ConnectionResetError
                if not greeted:
                    greeted = True
                    self._ask(writer, listing.decode(payload) if choose else [])
                elif opcode == 1:
                    self._hear(decoder.decode(payload))

    def _ask(self, writer: asyncio.StreamWriter, live: list[str]) -> None:
        news = [call for call in live if call not in self._positions and call not in self._ended]
        self._chance.shuffle(news)
        for call in news[: FOLLOWED - len(self._positions)]:
            self._positions[call] = None
        for call, position in self._positions.items():
            request: dict[str, object] = {"action": "subscribe", "callSid": call, "interims": self._chance.random() < 0.8}
            if position is not None:
                request["after"] = {"epoch": position[0], "offset": position[1]}
            writer.write(frame(json.dumps(request)))

    def _hear(self, heard: Recognized) -> None:
        tally, call = self._tally, heard.call_sid
        match heard.type:
            case "interim":
                tally.interims += 1
            case "statistics" if not heard.offset:
                pass
            case "error":
                tally.faults["refusals"] += 1
            case "subscribed":
                tally.faults["torn replays"] += not heard.whole or heard.offset != (self._positions[call] or ("", 0))[1]
            case _:
                tally.durable += 1
                position = (self._positions.get(call) or ("", 0))[1]
                tally.faults["gaps"] += heard.offset > position + 1
                tally.faults["repeats"] += heard.offset <= position
                tally.faults["reorderings"] += heard.offset < self._last.get(call, 0)
                tally.faults["strange words"] += heard.type == "final" and heard.text != word(call, heard.offset)
                self._last[call] = heard.offset
                self._positions[call] = (heard.epoch, heard.offset)
                if heard.type == "call-ended":
                    del self._positions[call]
                    self._ended.add(call)
                    tally.followed_to_the_end += 1


def _frame_size(buffer: bytes) -> int | None:
    """Return how long the first frame is; None while it is not whole. No event here is longer than 64 KiB."""
    if len(buffer) < 4:
        return 2 if len(buffer) >= 2 and buffer[1] == 0 else None
    size = 2 + buffer[1] if buffer[1] < 126 else 4 + int.from_bytes(buffer[2:4], "big")
    return size if len(buffer) >= size else None


async def hub(calls: int = CALLS) -> None:
    """Run a hub in which calls begin, are published into and end; on a line from stdin let all end, say how many there were, and wait.

    `calls`: how many live at any time.
    """
    chance, begun = random.Random(4), 0
    async with running(Config(port=0, drain_seconds=0.0)) as (state, port):
        print(port, flush=True)
        asked = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        live: dict[ScriptedCall, int] = {}
        while live or not asked.done():
            while len(live) < calls and not asked.done():
                begun += 1
                live[ScriptedCall(state, f"CA{begun:032}")] = chance.randint(*LENGTHS)
            for publisher, length in list(live.items()):
                if publisher.offset >= length or asked.done():
                    publisher.end()
                    del live[publisher]
                elif chance.random() < 1 / 3:
                    publisher.final(word(publisher.call, publisher.offset + 1))
                else:
                    publisher.interim("an utterance that goes on", f"u{publisher.offset + 1}")
                if chance.random() < 0.3:
                    await asyncio.sleep(0)
            await asyncio.sleep(chance.random() * 2 / EVENTS_PER_SECOND)
        print(begun, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


@asynccontextmanager
async def hub_process(calls: int = CALLS, margin_seconds: float = MARGIN_SECONDS) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.resume",
        "--hub",
        "--calls",
        str(calls),
        "--margin",
        str(margin_seconds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def prove(drops: int) -> Tally:
    """Break so many connections and return what was counted."""
    tally, over, began = Tally(), asyncio.Event(), time.monotonic()
    async with hub_process() as (process, port):
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.TaskGroup() as group:
            for number in range(SUBSCRIBERS):
                group.create_task(Subscriber(port, tally, random.Random(number)).run(drops, over))
            await over.wait()
            process.stdin.write(b"\n")
        tally.calls = int(await process.stdout.readline())
        process.stdin.write(b"\n")
        await process.stdin.drain()
        await process.wait()
    tally.seconds = time.monotonic() - began
    return tally


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.resume", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--drops", type=int, default=30_000)
    parser.add_argument("--hub", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=CALLS, help=argparse.SUPPRESS)
    parser.add_argument("--margin", type=float, default=MARGIN_SECONDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hub:
        all_calls.MARGIN_SECONDS = options.margin
        uvloop.run(hub(options.calls))
        return 0
    tally = uvloop.run(prove(options.drops))
    print(tally)
    return 1 if tally.faults.total() else 0


if __name__ == "__main__":
    sys.exit(main())
