"""Do `curl -N` and `follow_call` miss or repeat a word? Calls followed over connections that are cut, counted.

    python -m tests.bench.cuts --cuts 1000

Runs a hub in a process of its own in which calls begin, are published into and end. The real curl follows one call to its end, or all
calls. It is killed at random moments, or its connection is cut after any byte, and it is started again with the newest `id` that it has
printed, as `Last-Event-ID`. What it had printed of a block that was not whole is thrown away. An assistant follows by the tool of
`transcript-client mcp`, through a proxy that cuts its connections. Each durable event has to be the next one of its call. Prints
the counts; exits with 1 if there was any fault.

The moment in a position of all calls is a minute old, so it stands still in a run that is shorter. `--margin 1` makes it a second.
"""

import argparse
import asyncio
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import uvloop
from mcp import Client

from clients.assistant.server import server_for
from hub.web.doors.positions import MARGIN_SECONDS
from tests.bench.resume import Recognized, decoder, hub_process, word

CALLS = 3
"""Live calls at any time: what they say is told in one stream, whose position names those of a whole minute."""

KILLED, MOST_BYTES = 0.5, 20_000
"""Half of the cuts kill curl. The other half cut its connection after any number of bytes up to this one: mostly within a block."""

LIFE_SECONDS = 0.12
"""A connection lives at most so long. curl takes a tenth of that to start."""


@dataclass
class Tally:
    """What was counted."""

    cuts: int = 0
    in_a_block: int = 0
    """Of these, cuts within a block."""
    durable: int = 0
    interims: int = 0
    ended: int = 0
    """Calls that were followed to their end."""
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items())) or "none"
        return (
            f"{self.cuts:,} cuts in {self.seconds:.0f} s, {self.in_a_block:,} of them within a block; {self.durable:,} durable events and "
            f"{self.interims:,} interims read, {self.ended:,} calls followed to their end; faults: {faults}"
        )


class CurlReader:
    """Somebody who follows an address by curl, and comes back."""

    def __init__(self, url: str, tally: Tally, chance: random.Random) -> None:
        self._url = url
        self._tally = tally
        self._chance = chance
        self._last_id = ""
        self.offsets: dict[str, int] = {}
        """How far the reader is in each call, by callSid."""
        self.ended: set[str] = set()
        self.newest_at_first = 0
        """Number of the newest call that there was when something was read for the first time: none that began later may be missed."""

    async def connect(self, *, cut: bool) -> None:
        """Connect once. `cut`: at a random moment it is over, unless the hub ends it before; otherwise the hub does."""
        headers = ["-H", f"Last-Event-ID: {self._last_id}"] if self._last_id else []
        curl = await asyncio.create_subprocess_exec("curl", "-sN", *headers, self._url, stdout=asyncio.subprocess.PIPE)
        reading = asyncio.ensure_future(curl.communicate())
        if cut and self._chance.random() < KILLED:
            done, _ = await asyncio.wait((reading,), timeout=self._chance.random() * LIFE_SECONDS)
            if not done:
                self._tally.cuts += 1
                with suppress(ProcessLookupError):  # it has ended by itself in this moment
                    curl.kill()
        printed, _ = await reading
        *blocks, rest = printed.split(b"\n\n")
        self._tally.in_a_block += bool(rest)
        for block in blocks:
            self._read(block)
        self.newest_at_first = self.newest_at_first or max((int(call[2:]) for call in self.offsets), default=0)

    async def until_all_ended(self, begun: int) -> None:
        """Follow until every call is over that began since something was read first. `begun`: how many there were in all."""
        due = {f"CA{number:032}" for number in range(self.newest_at_first, begun + 1)} | self.offsets.keys()
        while due - self.ended:
            await self.connect(cut=True)

    def _read(self, block: bytes) -> None:
        for line in block.split(b"\n"):
            name, _, value = line.partition(b": ")
            if name == b"id":
                self._last_id = value.decode()
            elif name == b"data":
                self._take(decoder.decode(value))

    def _take(self, event: Recognized) -> None:
        faults, reached = self._tally.faults, self.offsets.get(event.call_sid, 0)
        match event.type:
            case "interim":
                self._tally.interims += 1
            case "statistics" if not event.offset:
                pass
            case "watching":
                faults["not whole"] += not event.whole
            case "error":
                faults[f"error: {event.text}"] += 1
            case "subscribed":
                faults["torn replays"] += not event.whole or event.offset != reached
                self.offsets[event.call_sid] = reached
            case _:
                self._tally.durable += 1
                faults["gaps"] += event.offset > reached + 1
                faults["repeats"] += event.offset <= reached
                faults["strange words"] += event.type == "final" and event.text != word(event.call_sid, event.offset)
                self.offsets[event.call_sid] = event.offset
                if event.type == "call-ended":
                    self.ended.add(event.call_sid)
                    self._tally.ended += 1


async def follow_one_by_one(base: str, cut: str, cuts: int, tally: Tally) -> None:
    """Follow one call after the other, each to its end, until so many connections were cut."""
    chance = random.Random(1)
    async with aiohttp.ClientSession() as session:
        while tally.cuts < cuts:
            async with session.get(f"{base}/calls?live=true&limit=1") as answer:
                (call,) = (await answer.json())["calls"]
            reader = CurlReader(f"{cut}/calls/{call['callSid']}/events", tally, chance)
            while call["callSid"] not in reader.ended:
                await reader.connect(cut=True)


async def follow_all(base: str, cuts: int, tally: Tally, others: asyncio.Event) -> CurlReader:
    """Follow all calls until so many connections were cut, and the others are done."""
    reader = CurlReader(f"{base}/events", tally, random.Random(2))
    while tally.cuts < cuts or not others.is_set():
        await reader.connect(cut=True)
    return reader


@asynccontextmanager
async def cutting(port: int, tally: Tally, chance: random.Random, most_bytes: int = sys.maxsize) -> AsyncIterator[str]:
    """Carry connections to a port of this machine, each for a while, and cut them then. Gives the address.

    `most_bytes`: what comes back on one connection is cut after any number of bytes up to this one.
    """

    async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int = sys.maxsize) -> None:
        with suppress(ConnectionError, RuntimeError):  # the latter is uvloop's, for a connection that is closed
            while left and (data := await source.read(min(65536, left))):
                sink.write(data)
                left -= len(data)
            if not left:
                await sink.drain()
                tally.cuts += 1

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        limit = chance.randint(1, most_bytes)
        pouring = [asyncio.ensure_future(pour(reader, back)), asyncio.ensure_future(pour(there, writer, limit))]
        done, left = await asyncio.wait(pouring, timeout=LIFE_SECONDS * 4 * chance.random(), return_when=asyncio.FIRST_COMPLETED)
        tally.cuts += not done
        for each in left:
            each.cancel()
        writer.transport.abort()
        back.transport.abort()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def follow_by_tool(base: str, port: int, cuts: int, tally: Tally) -> None:
    """Follow one call after the other by `follow_call`, each to its end, until so many connections were cut."""
    async with (
        cutting(port, tally, random.Random(3)) as cut,
        Client(server_for(cut, None)) as client,
        Client(server_for(base, None)) as whole,
    ):
        while tally.cuts < cuts:
            listed = await whole.call_tool("list_calls", {"state": "live", "limit": 1})
            assert listed.structured_content is not None
            (call,) = listed.structured_content["calls"]
            await _follow_by_tool(client, call["call_sid"], tally)


async def _follow_by_tool(client: Client, call_sid: str, tally: Tally) -> None:
    position, reached, live = None, 0, True
    while live:
        asked = {"call_sid": call_sid, "wait_seconds": 5, "limit": 5} | ({"after": position} if position else {})
        answer = await client.call_tool("follow_call", asked)
        part = answer.structured_content
        if answer.is_error or part is None:  # its question whether the call is live was cut: it asks again, with the position that it has
            continue
        tally.faults["not whole"] += not part["whole"]
        for line in part["lines"]:
            tally.durable += 1
            tally.faults["gaps"] += line["offset"] > reached + 1
            tally.faults["repeats"] += line["offset"] <= reached
            tally.faults["strange words"] += line["kind"] == "final" and line["text"] != word(call_sid, line["offset"])
            reached = line["offset"]
        position, live = part["position"], part["live"] or part["more"]
    tally.ended += 1


async def prove(cuts: int, margin_seconds: float = MARGIN_SECONDS) -> tuple[Tally, Tally, Tally]:
    """Cut so many connections of each kind. Return what was counted: of one call at a time, of all calls, and of the tool."""
    one, every, tool, began, others = Tally(), Tally(), Tally(), time.monotonic(), asyncio.Event()
    async with hub_process(CALLS, margin_seconds) as (process, port):
        assert process.stdin is not None
        assert process.stdout is not None
        base = f"http://127.0.0.1:{port}"
        async with (
            cutting(port, one, random.Random(4), MOST_BYTES) as one_cut,
            cutting(port, every, random.Random(5), MOST_BYTES) as every_cut,
            asyncio.TaskGroup() as group,
        ):
            following = group.create_task(follow_all(every_cut, cuts, every, others))
            async with asyncio.TaskGroup() as each:
                each.create_task(follow_one_by_one(base, one_cut, cuts, one))
                each.create_task(follow_by_tool(base, port, cuts, tool))
            others.set()
            process.stdin.write(b"\n")
            begun = int(await process.stdout.readline())
            await (await following).until_all_ended(begun)
        process.stdin.write(b"\n")
        await process.stdin.drain()
        await process.wait()
    one.seconds = every.seconds = tool.seconds = time.monotonic() - began
    return one, every, tool


def has_curl() -> bool:
    """Return whether there is a curl on this machine."""
    return shutil.which("curl") is not None


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cuts", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--margin", type=float, default=MARGIN_SECONDS, help="how old the moment of a position is, in seconds")
    options = parser.parse_args()
    tallies = uvloop.run(prove(options.cuts, options.margin))
    for name, tally in zip(("one call at a time", "all calls", "follow_call"), tallies, strict=True):
        print(f"{name}: {tally}")
    return 1 if any(tally.faults.total() for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
