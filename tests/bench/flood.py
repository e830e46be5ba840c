"""Does a provider that floods one call's connection cost the other calls anything?

    python -m tests.bench.flood --kind messages --calls 20

A hub on uvloop transcribes some calls with a provider that behaves, and one with a provider that sends ten thousand messages a second, or
pings, or as fast as it can. Providers and calls run in a process of their own. Prints one line of JSON: for how long a frame that arrived
would have waited for its turn in the hub, for some seconds before the flood and from its beginning on, and what the log says of its call.
"""

import argparse
import asyncio
import gc
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import aiohttp
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from hub.app import running
from hub.audio import g711
from hub.vendors.registered import REGISTERED
from tests.media import CONNECTED, media, start
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.puppet import results
from tests.settings import configured

TICK_SECONDS = 0.002
SECONDS = 4.0
"""Before the flood, and again from its beginning on."""

FLOODED = f"CA{0:032d}"

WAVES: dict[str, Callable[[int], Frame]] = {
    "messages": lambda number: Frame(Opcode.TEXT, results(f"so {number}", 0.0, 0.2, final=False).encode()),
    "garbage": lambda _: Frame(Opcode.TEXT, b"{}"),
    "pings": lambda _: Frame(Opcode.PING, b""),
}


async def outside(kind: str, per_second: int, calls: int) -> None:
    """Be both providers, and Twilio. Prints the ports, reads the hub's, and floods with the next line."""
    began = asyncio.Event()

    async def attend(socket: ServerConnection) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(pour(socket))
            with suppress(ConnectionClosed):
                async for _ in socket:
                    pass

    async def pour(socket: ServerConnection) -> None:
        await began.wait()
        since, number = time.perf_counter(), 0
        while not socket.transport.is_closing():
            due = int((time.perf_counter() - since) * per_second) if per_second else number + 5000
            socket.transport.write(b"".join(WAVES[kind](each).serialize(mask=False) for each in range(number, due)))
            number = max(due, number)
            await asyncio.sleep(0.001)

    line = asyncio.get_running_loop().run_in_executor
    async with FakeAssemblyAI() as fake, serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(json.dumps([fake.url, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"]), flush=True)
        port = int(await line(None, sys.stdin.readline))
        async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
            playing = [group.create_task(play(session, port, number)) for number in range(calls + 1)]
            await line(None, sys.stdin.readline)
            began.set()
            await line(None, sys.stdin.readline)
            for each in playing:
                each.cancel()


async def play(session: aiohttp.ClientSession, port: int, number: int) -> None:
    """Play a call of two tracks that goes on; the first call is the flooded one."""
    call, stream = f"CA{number:032d}", f"MZ{number:032d}"
    async with session.ws_connect(f"http://127.0.0.1:{port}/twilio") as socket:
        await socket.send_str(CONNECTED)
        await socket.send_str(start(call, stream, parameters={} if number else {"transcriber": "deepgram"}))
        since = time.perf_counter()
        for at in range(0, 3_600_000, 20):
            await asyncio.sleep(since + at / 1000 - time.perf_counter())
            for track in g711.TRACKS:
                await socket.send_str(media(track, at, b"\x55" * 160, stream))


async def late() -> list[float]:
    """Return by how many ms each tick of some seconds came late: as late as a frame that arrived then."""
    waits, due = [], time.perf_counter()
    until = due + SECONDS
    while due < until:
        due = max(due + TICK_SECONDS, time.perf_counter())
        await asyncio.sleep(due - time.perf_counter())
        waits.append((time.perf_counter() - due) * 1000)
    return sorted(waits)


async def hub(kind: str, per_second: int, calls: int) -> None:
    command = [sys.executable, "-m", "tests.bench.flood", "--outside", "--kind", kind, "--rate", str(per_second), "--calls", str(calls)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        behaved, flooding = json.loads(process.stdout.readline())
        config = configured(
            REGISTERED,
            port=0,
            transcriber="assemblyai",
            assemblyai_key="k",
            assemblyai_url=behaved,
            deepgram_key="k",
            deepgram_url=flooding,
        )
        async with running(config) as (state, port):
            gc.collect()
            gc.freeze()
            gc.set_threshold(10_000, 20, 50)  # as `transcript-hub serve` does
            print(port, file=process.stdin, flush=True)
            await asyncio.sleep(3)
            before = await late()
            print(file=process.stdin, flush=True)
            after = await late()
            record = state.registry.find(FLOODED)
            assert record is not None
            log = [json.loads(each) for each in record.topic.log.after(0)]
            lost = [event["reason"] for event in log if event["type"] == "transcriber-lost"]
            shown = {
                name: {"p50": round(waits[len(waits) // 2], 2), "p99": round(waits[len(waits) * 99 // 100], 2), "max": round(waits[-1], 1)}
                for name, waits in (("before", before), ("flooded", after))
            }
            print(json.dumps({"kind": kind, "rate": per_second, "calls": calls, "waitMs": shown, "lost": lost}), flush=True)
            logging.disable()  # the providers leave before the hub does
            print(file=process.stdin, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=list(WAVES), default="messages")
    parser.add_argument("--rate", type=int, default=10_000, help="messages a second; 0: as fast as it can")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--outside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    uvloop.run((outside if asked.outside else hub)(asked.kind, asked.rate, asked.calls))


if __name__ == "__main__":
    main()
