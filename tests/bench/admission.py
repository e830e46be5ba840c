"""More calls than one core carries: how many the hub takes, how late their audio is, and how many it refuses.

    python -m tests.bench.admission --calls 1000 --ramp 10 --seconds 30

The hub runs on the first core. The calls come from another, and so does a stand-in for Deepgram. Each call has both tracks, 2 x 50 frames
of 160 bytes a second, paced in real time. Every frame carries the moment at which it was sent, in its samples. The stand-in reads it out
of the blocks that the hub passes on. *Late* is the time from sending the frame that completes a block to the block's arrival there, so the
hub's own resting and the stand-in's reading are in it. Prints one line of JSON: of the whole run, and of its second half, when the load
has settled. Linux only.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import uvloop
from aiohttp import ClientSession, WSMsgType, web

from tests.bench.load import connect, cpu_seconds, frame, free_port, resident_kib, wait_for
from tests.bench.stub_deepgram import INTERIM_BYTES, interim
from tests.media import CONNECTED, media, start

STAMP = struct.Struct(">d")
FRAME_BYTES = 160
FOUND_BYTES = 2 * FRAME_BYTES
"""One frame of both tracks, as the hub passes it on: a byte of each in turn."""

EVERY_SECONDS = 0.1
"""How often further calls are offered while the ramp lasts."""

STAND_IN_PRIORITY = 20
"""The stand-in reads as soon as something arrives, although it shares a core with the calls: its own lateness would be measured."""

COHORT_TICKS = 25
"""Calls that begin in the same half second have the same timestamps: one message is made for all of them."""


async def stand_in(port: int) -> None:
    """Take the hub's audio, answer interims, and print on SIGTERM how late each block was: pairs of arrival and lateness, in seconds."""
    late: list[tuple[float, float]] = []
    stopping = asyncio.Event()

    async def listen(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse(compress=False)
        await answer.prepare(request)
        heard = told = 0
        async for message in answer:
            if message.type is not WSMsgType.BINARY:
                continue
            now, block = time.monotonic(), message.data
            heard += len(block)
            last = block[-FOUND_BYTES:]
            stamps = [STAMP.unpack(last[track::2][: STAMP.size])[0] for track in (0, 1)]
            if all(now - 60 < stamp <= now for stamp in stamps):  # silence that the hub filled in has none
                late.append((now, now - max(stamps)))
            while heard - told >= INTERIM_BYTES:
                told += INTERIM_BYTES
                await answer.send_str(interim(told / 16000, told // INTERIM_BYTES % 2))
        return answer

    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    print(json.dumps(late), flush=True)


def both_tracks(at_ms: int, payload: bytes) -> bytes:
    """Return a frame of each track. Their masks are zero: the hub cannot tell, and building them costs a tenth."""
    texts = (media(track, at_ms, payload).encode() for track in ("inbound", "outbound"))
    return b"".join(b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text for text in texts)


class Offer:
    """The calls that are offered, and those that were taken."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self.playing: dict[int, list[socket.socket]] = {}
        """Sockets by the tick at which they were opened."""
        self.refused = 0

    def bring(self, number: int, tick: int) -> None:
        """Offer one call."""
        try:
            sock = connect(self._port, "/twilio")
        except ConnectionError as error:
            if " 503 " not in f"{error} ":
                raise
            with self._lock:
                self.refused += 1
            return
        sock.sendall(frame(CONNECTED.encode()))
        sock.sendall(frame(start(f"CA{number:032x}", f"MZ{number:032x}").encode()))
        with self._lock:
            self.playing.setdefault(tick, []).append(sock)

    def lost(self, tick: int, sock: socket.socket) -> None:
        """Count a call that was refused after the upgrade: other calls were taken between the two."""
        with self._lock:
            self.playing[tick].remove(sock)
            self.refused += 1
        sock.close()

    def cohorts(self) -> list[tuple[int, list[socket.socket]]]:
        with self._lock:
            return [(began, list(sockets)) for began, sockets in self.playing.items()]


def play(offer: Offer, options: argparse.Namespace) -> None:
    """Offer calls over the ramp, and play all that were taken, in real time."""
    began, offered = time.monotonic(), 0
    filler = os.urandom(FRAME_BYTES - STAMP.size)
    with ThreadPoolExecutor(4) as bringing:
        for tick in range(int(options.seconds * 50)):
            due_calls = min(options.calls, int(options.calls * (tick * 0.02 + EVERY_SECONDS) / options.ramp))
            while offered < due_calls:
                bringing.submit(offer.bring, offered, tick - tick % COHORT_TICKS)
                offered += 1
            cohorts = offer.cohorts()
            for index, (first, sockets) in enumerate(cohorts):
                messages = both_tracks((tick - first) * 20, STAMP.pack(time.monotonic()) + filler)
                for sock in sockets:
                    try:
                        sock.sendall(messages)
                    except ConnectionError:
                        offer.lost(first, sock)
                wait = began + tick * 0.02 + 0.018 * index / len(cohorts) - time.monotonic()
                if wait > 0.001:
                    time.sleep(wait)
            rest = began + tick * 0.02 + 0.02 - time.monotonic()
            if rest > 0:
                time.sleep(rest)


def spread(late: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest, in ms."""
    ordered = sorted(late)
    return {name: round(ordered[int((len(ordered) - 1) * share)] * 1000, 1) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


async def ready(port: int) -> str:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
        return f"{answer.status} {(await answer.text()).strip()}"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--ramp", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument(
        "--real-time", action="store_true", help="as root, on a machine that does other things, too: run before all other programs"
    )
    parser.add_argument("--stand-in", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    if options.stand_in:
        uvloop.run(stand_in(options.stand_in))
        return 0
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    port, stub_port = free_port(), free_port()
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(STAND_IN_PRIORITY))  # type: ignore[attr-defined]
    stub = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.admission", "--stand-in", str(stub_port)], stdout=subprocess.PIPE, text=True
    )
    if options.real_time:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(STAND_IN_PRIORITY - 1))  # type: ignore[attr-defined]
    wait_for(stub_port)
    settings = {
        "HUB_PORT": str(port), "HUB_TRANSCRIBER": "deepgram", "DEEPGRAM_API_KEY": "stub", "DEEPGRAM_URL": f"ws://127.0.0.1:{stub_port}",
        "HUB_DRAIN_SECONDS": "0", "HUB_LOG_LEVEL": "warning",
    }  # fmt: skip
    command = ["taskset", "-c", str(cores[0]), sys.executable, "-m", "hub", "serve"]
    hub = subprocess.Popen(command, env=os.environ | settings, cwd=Path.cwd())
    try:
        wait_for(port)
        before_kib, began, before = resident_kib(hub.pid), time.monotonic(), cpu_seconds([hub.pid])
        offer = Offer(port)
        play(offer, options)
        half_at, seconds = began + (time.monotonic() - began) / 2, time.monotonic() - began
        taken = sum(len(sockets) for sockets in offer.playing.values())
        result = {
            "offered": options.calls, "taken": taken, "refused": offer.refused, "readyz": asyncio.run(ready(port)),
            "core": round((cpu_seconds([hub.pid]) - before) / seconds, 2),
            "kib_per_call": round((resident_kib(hub.pid) - before_kib) / taken, 1), "generator_took": round(seconds, 1),
        }  # fmt: skip
        hub.kill()
        stub.terminate()
        late = json.loads(stub.communicate()[0])
        per_second = [at for at, _ in late]
        assert all(earlier <= later for earlier, later in pairwise(per_second))
        result |= {"late_ms": spread([each for _, each in late]), "late_ms_settled": spread([each for at, each in late if at > half_at])}
        print(json.dumps(result), flush=True)
    finally:
        hub.kill()
        hub.wait()
        stub.kill()
        stub.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
