"""What an agent's call costs the hub, and how much later the caller hears the model because of it.

    python -m tests.bench.agents --calls 50 --seconds 30

Each call is a pretend Twilio that plays in real time, sends its marks back and counts gaps; behind the hub is a stand-in for the Realtime
API that costs little: it takes the audio and, while it talks, says four seconds of speech every five, four times faster than it is played,
in deltas of 200 ms. Latency is from the stand-in's write of an answer's first delta to the pretend Twilio's having it: the delta carries
the moment, by the machine's one monotonic clock. It is measured on a fifth of the calls, whose telephones are in a process of their own
with little else to do; what the other process, busy with playing and being the model, measures of its calls holds its own queue as well
(`busy_latency_ms_p99`). CPU is that of the hub's process: first with a silent model (the caller's direction alone), then with one that
talks; the difference is the agent's direction. `hub_lag_ms_p99` is the hub's own event loop's, by its metrics: a bucket's upper bound.
`generator_pace` is 1 where the load generator kept up with real time.
"""

import argparse
import asyncio
import base64
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from typing import Any

import aiohttp
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from clients.audio.frames import FRAME_BYTES
from clients.pretend_twilio.agent_phone import Phone
from tests.bench.load import cpu_seconds, free_port, tree, wait_for

WATCHED = 5
"""One call in so many is watched from a process of its own."""

MARK_BYTES = 9
"""What an answer's first delta begins with: a byte, and the moment it was written, in ns. Nine bytes are twelve characters of base64."""

DELTA_BYTES = 1600
DELTAS = 20
GAP_SECONDS = 0.05
EVERY_SECONDS = 5.0


class Talker:
    """The stand-in for the model."""

    def __init__(self) -> None:
        self.talking = False
        self.answers = 0
        self.deltas = 0

    async def attend(self, socket: ServerConnection) -> None:
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(self._talk(socket))
            try:
                async for message in socket:
                    kind = (message.encode() if isinstance(message, str) else message)[:40]
                    if b"session.update" in kind:
                        await socket.send('{"type":"session.updated","session":{}}')
                    elif b"response.create" in kind:  # the greeting, which is said in silence
                        await socket.send('{"type":"response.created","response":{"id":"r"}}')
                        await socket.send('{"type":"response.done","response":{"id":"r","status":"completed"}}')
            except ConnectionClosed:
                pass
            talking.cancel()

    async def _talk(self, socket: ServerConnection) -> None:
        await asyncio.sleep(hash(socket.id) % 1000 / 1000 * EVERY_SECONDS)
        while True:
            due = time.perf_counter() + EVERY_SECONDS
            if self.talking:
                await self._answer(socket)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _answer(self, socket: ServerConnection) -> None:
        self.answers += 1
        number = self.answers
        name = {"response_id": f"r{number}", "item_id": f"i{number}", "output_index": 0, "content_index": 0}
        said: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": f"r{number}"}}]
        audio = base64.b64encode(b"\x01" * DELTA_BYTES).decode()
        delta = json.dumps({"type": "response.output_audio.delta", **name, "delta": audio})
        head, tail = json.dumps({"type": "response.output_audio.delta", **name, "delta": "|" + audio[MARK_BYTES // 3 * 4 :]}).split("|")
        await socket.send(json.dumps(said[0]))
        for count in range(DELTAS):
            if count:
                await socket.send(delta)
            else:
                mark = base64.b64encode(b"\x02" + time.monotonic_ns().to_bytes(8, "big")).decode()
                await socket.send(head + mark + tail)
            self.deltas += 1
            await asyncio.sleep(GAP_SECONDS)
        text = "word " * 10
        await socket.send(json.dumps({"type": "response.output_audio_transcript.done", **name, "transcript": text}))
        await socket.send(json.dumps({"type": "response.output_audio.done", **name}))
        await socket.send(json.dumps({"type": "response.done", "response": {"id": f"r{number}", "status": "completed"}}))


class TimedPhone(Phone):
    """A phone that notes when each answer's first audio came."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.late_ms: list[float] = []
        """For each answer."""
        self.gaps = 0
        """Frames in which nothing was heard in the middle of an answer."""
        self._left = 0
        inner = self.playout.receive

        def receive(text: str | bytes) -> None:
            now_ns = time.monotonic_ns()
            inner(text)
            if b'"media"' in (text.encode() if isinstance(text, str) else text)[:20]:
                mark = base64.b64decode(json.loads(text)["media"]["payload"][: MARK_BYTES // 3 * 4])
                if mark[0] == 2:
                    self.late_ms.append((now_ns - int.from_bytes(mark[1:], "big")) / 1e6)
                    self._left = DELTAS * DELTA_BYTES

        self.playout.receive = receive  # type: ignore[method-assign]

    async def step(self, mulaw: bytes = b"") -> bytes:
        heard = await super().step(mulaw)
        if self._left > 0:
            silent = len(heard) - len(heard.rstrip(b"\xff"))
            self.gaps += silent > 0 and self._left > FRAME_BYTES
            self._left -= FRAME_BYTES - silent
        return heard


async def hold(phone: TimedPhone, offset: float, done: asyncio.Event) -> None:
    """Be on the telephone in real time."""
    began = time.perf_counter() + offset
    frame, voice = 0, b"\x55" * FRAME_BYTES
    while not done.is_set() and not phone.over.is_set():
        await phone.step(voice)
        frame += 1
        await asyncio.sleep(max(0.0, began + frame * 0.02 - time.perf_counter()))


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run a hub and hold calls with it."""
    talker = Talker()
    async with serve(talker.attend, "127.0.0.1", 0, compression=None, ping_interval=None, max_queue=None) as server:
        port = free_port()
        settings = {"HUB_PORT": str(port), "HUB_AGENT_CALLS": str(options.calls), "HUB_DRAIN_SECONDS": "0", "HUB_LOG_LEVEL": "error"}
        settings |= {"OPENAI_API_KEY": "k", "OPENAI_URL": f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", "OPENAI_GREETING": " "}
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "OPENAI_"))} | settings
        process = subprocess.Popen([sys.executable, "-m", "hub", "serve"], env=environment)
        try:
            await asyncio.to_thread(wait_for, port)
            return await _hold_all(options, talker, port, process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


async def _hold_all(options: argparse.Namespace, talker: Talker, port: int, pid: int) -> dict[str, Any]:
    watched = options.calls // WATCHED
    done, phones = asyncio.Event(), telephones(options.calls - watched, port)
    watching = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.agents", "--watch", str(port), "--calls", str(watched), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        group.create_task(ring(phones, done))

        def frames() -> int:
            return sum(len(phone.said) for phone in phones) // FRAME_BYTES * options.calls // len(phones)

        await asyncio.sleep(2)
        before, heard = cpu_seconds(tree(pid)), frames()
        await asyncio.sleep(options.seconds / 2)
        inward_us = (cpu_seconds(tree(pid)) - before) / max(1, frames() - heard) * 1e6
        talker.talking = True
        await asyncio.sleep(EVERY_SECONDS)  # until all have begun
        before, heard, said = cpu_seconds(tree(pid)), frames(), talker.deltas
        await asyncio.sleep(options.seconds)
        used, heard, said = cpu_seconds(tree(pid)) - before, frames() - heard, talker.deltas - said
        lag_ms = await hub_lag_ms(port)
        talker.talking = False
        await asyncio.sleep(GAP_SECONDS * DELTAS)
        done.set()
    told, _ = await watching.communicate(b"enough")
    late, gaps = json.loads(told)
    outward_frames = said * DELTA_BYTES / FRAME_BYTES
    return {
        "calls": options.calls, "answers": len(late), "latency_ms_p50": round(statistics.median(late), 2), "latency_ms_p99": p99(late),
        "busy_latency_ms_p99": p99([each for phone in phones for each in phone.late_ms]), "hub_lag_ms_p99": lag_ms,
        "inward_us_per_frame": round(inward_us, 1), "outward_us_per_frame": round((used * 1e6 - inward_us * heard) / outward_frames, 1),
        "outward_us_per_delta": round((used * 1e6 - inward_us * heard) / said, 1),
        "hub_cpu_percent_while_talking": round(used / options.seconds * 100, 1), "gaps": gaps + sum(phone.gaps for phone in phones),
        "generator_pace": round(heard / (options.seconds * 50 * options.calls), 3),
    }  # fmt: skip


def telephones(count: int, port: int) -> list[TimedPhone]:
    return [TimedPhone(f"ws://127.0.0.1:{port}/agent") for _ in range(count)]


async def ring(phones: list[TimedPhone], done: asyncio.Event) -> None:
    """Call with all of them, evenly spread over the 20 ms of a frame, until it is done."""

    async def one(at: int, phone: TimedPhone) -> None:
        async with phone:
            await hold(phone, 0.02 * at / len(phones), done)
            await phone.hang_up()

    async with asyncio.TaskGroup() as group:
        for at, phone in enumerate(phones):
            group.create_task(one(at, phone))


async def watch(options: argparse.Namespace) -> list[Any]:
    """Hold the calls that are watched, until stdin ends; return the latencies in ms, and the gaps."""
    done, phones = asyncio.Event(), telephones(options.calls, options.watch)
    async with asyncio.TaskGroup() as group:
        group.create_task(ring(phones, done))
        await asyncio.to_thread(sys.stdin.read)
        done.set()
    return [[each for phone in phones for each in phone.late_ms], sum(phone.gaps for phone in phones)]


async def hub_lag_ms(port: int) -> float:
    """Return below what 99 of 100 of the hub's wakings were late, since it began."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
    buckets = [each for each in families["hub_loop_lag_seconds"].samples if each.name.endswith("_bucket")]
    return next(float(each.labels["le"]) * 1000 for each in buckets if each.value >= 0.99 * buckets[-1].value)


def p99(late_ms: list[float]) -> float:
    return round(sorted(late_ms)[int(len(late_ms) * 0.99)], 2)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--watch", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    gc.disable()  # of the load generator only: the hub collects as it does
    print(json.dumps(uvloop.run(watch(options) if options.watch else measure(options))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
