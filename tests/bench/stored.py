"""What it costs to store an event before it is told: how much later subscribers have it, and CPU time.

    python -m tests.bench.stored --seconds 10

Runs a hub without an archive, with SQLite and with PostgreSQL, each in a process of its own. In it, 20 calls publish finals of fourteen
words and note how far they are, as real calls do. A subscriber in this process follows all calls, and takes an event's age from the moment
that stands in its text. CPU is all of the hub's process for each event, what it sends included. `behind` counts how often the archive took
longer than an event may wait. With `--webhooks` the hub also has a webhook, whose receiver is in this process: `waits` is one that these
events are not for, `all` one that is sent each of them, until the last has arrived. Prints a line of JSON for each rate, and how busy the
machine was: compare figures of one run.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiohttp import web
from websockets.asyncio.client import connect

from hub.app import running
from hub.commands import SWITCH_SECONDS
from hub.config import Config
from hub.delivery.signing import new_secret
from hub.events import Final, Word
from hub.web.state import State
from tests.bench.hub_process import archive
from tests.publishing import ScriptedCall

CALLS = 20
WORDS = ["so", "what", "I", "would", "like", "to", "know", "is", "whether", "the", "invoice", "that", "you", "sent"]
NOTE = b"n" * 400

PLACES = ("memory", "sqlite", "postgresql")

WEBHOOKS = {"none": "", "waits": '"call-ended"', "all": '"*"'}
"""By option: the types of events that the webhook is sent."""


class Told(msgspec.Struct):
    """What matters of a message."""

    type: str
    text: str = ""


_decoder = msgspec.json.Decoder(Told)


class _Counting(logging.Handler):
    """Counts how often the hub says that the archive is slow."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "events are told before" in record.getMessage()


def speak(call: ScriptedCall, number: int) -> None:
    """Publish a final as a transcribed call does."""
    words = [Word(text=word, start=number + i / 8, end=number + i / 8 + 0.1, confidence=0.98) for i, word in enumerate(WORDS)]
    keeper = call.state.past.keeper
    if keeper is not None:
        keeper.note(call.record, NOTE)
    final = Final(
        call_sid=call.call, utterance=f"inbound-{number}", revision=1, track="inbound", speaker="caller",
        text=f"{time.time():.6f} {' '.join(WORDS)}", start=float(number), end=number + 1.9, words=words,
    )  # fmt: skip
    call.publish(final)


def config(place: str, webhooks: str) -> Config:
    """Return the settings of a hub. `webhooks`: the file of webhooks. Empty: it has none."""
    return Config(port=0, drain_seconds=0.0, archive=place, webhooks=webhooks)


async def until_sent(state: State, number: int) -> None:
    """Wait until the webhook that is sent all events has so many."""
    counters = state.counters.webhooks.get("all")
    while counters is not None and counters.delivered < number:
        await asyncio.sleep(0.02)


async def hub(place: str, webhooks: str) -> None:
    """Run a hub. For each line with a rate and seconds on stdin, publish, and print the CPU time and how often it fell behind."""
    sys.setswitchinterval(SWITCH_SECONDS)
    slow = _Counting()
    logging.getLogger("hub").addHandler(slow)
    logging.getLogger("hub.topics.stores").setLevel(logging.INFO)
    loop = asyncio.get_running_loop()
    async with running(config(place, webhooks)) as (state, port):
        calls = [ScriptedCall(state, f"CA{number:032}") for number in range(CALLS)]
        print(port, flush=True)
        number = 0
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            rate, seconds = map(float, line.split())
            slow.count, cpu, began = 0, time.process_time(), loop.time()
            for at in range(int(rate * seconds)):
                if (wait := began + at / rate - loop.time()) > 0:
                    await asyncio.sleep(wait)
                number += 1
                speak(calls[number % CALLS], number)
            await asyncio.sleep(0.3)  # what is on the way
            await until_sent(state, number)
            print(json.dumps([time.process_time() - cpu, slow.count]), flush=True)


@asynccontextmanager
async def receiving(kind: str) -> AsyncIterator[str]:
    """Take what a webhook is sent, until this is left. Yields the name of its file. Empty: there is none."""
    if kind == "none":
        yield ""
        return

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "webhooks.toml"
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        path.write_text(
            f'[webhooks.{kind}]\nurl = "{url}"\nsecret = "{new_secret()}"\nnetworks = ["127.0.0.1"]\nevents = [{WEBHOOKS[kind]}]\n'
        )
        yield str(path)
    await runner.cleanup()


async def measure(place: str, webhooks: str, rates: list[float], seconds: float) -> list[dict[str, Any]]:
    """Measure one kind of archive at each rate. `webhooks`: the file of webhooks. Empty: the hub has none."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.stored", "--hub", place, "--file", webhooks,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    results = []
    try:
        port = int(await process.stdout.readline())
        async with connect(f"ws://127.0.0.1:{port}/client", compression=None, proxy=None) as socket:
            await socket.recv()  # the calls that are live
            for number in range(CALLS):
                await socket.send(json.dumps({"action": "subscribe", "callSid": f"CA{number:032}"}))
            for rate in [rates[0], *rates]:  # the first time is to warm up
                process.stdin.write(f"{rate} {seconds}\n".encode())
                ages: list[float] = []
                while len(ages) < int(rate * seconds):
                    told = _decoder.decode(await socket.recv(decode=False))
                    if told.type == "final":
                        ages.append(time.time() - float(told.text.split()[0]))
                cpu, behind = json.loads(await process.stdout.readline())
                ages.sort()
                results.append({
                    "events_per_second": rate, "p50_ms": round(ages[len(ages) // 2] * 1000, 2),
                    "p99_ms": round(ages[int(len(ages) * 0.99)] * 1000, 2), "us_per_event": round(cpu / len(ages) * 1e6),
                    "behind": behind, "load": round(os.getloadavg()[0], 1),
                })  # fmt: skip
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
    return results[1:]


async def measure_all(names: list[str], kinds: list[str], rates: list[float], seconds: float) -> None:
    """Measure each kind of archive with each kind of webhook."""
    for name in names:
        for kind in kinds if name != "memory" else ["none"]:
            with archive(name) if name != "memory" else nullcontext("") as place:
                async with receiving(kind) as webhooks:
                    for result in await measure(place, webhooks, rates, seconds):
                        print(json.dumps({"archive": name, "webhook": kind, **result}), flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stored", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[25.0, 100.0, 400.0])
    parser.add_argument("--archives", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--webhooks", nargs="+", choices=list(WEBHOOKS), default=["none"])
    parser.add_argument("--hub", help=argparse.SUPPRESS)
    parser.add_argument("--file", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hub is not None:
        uvloop.run(hub(options.hub, options.file))
    else:
        uvloop.run(measure_all(options.archives, options.webhooks, options.rates, options.seconds))


if __name__ == "__main__":
    main()
