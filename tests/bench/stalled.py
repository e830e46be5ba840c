"""Does a subscriber that reads nothing cost the others anything? One call with 300 subscribers, five of which stall.

    python -m tests.bench.stalled --rounds 2

In each round the same is measured with nobody stalled and with five that stop reading right away. The hub runs in a process of its own,
on uvloop, and publishes events that carry the time; an event's age is read where it arrives. Prints one line of JSON a round: p50 and p99
of the others, and for each stalled one how long it was stuck until it was gone, and the most that the hub held for it.
"""

import argparse
import asyncio
import json
import re
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import uvloop

from hub.app import running
from hub.config import Config
from hub.topics.outbox import Outbox
from tests.bench.load import connect, cpu_seconds, frame, tree
from tests.media import CALL
from tests.publishing import ScriptedCall

STAMP = re.compile(rb"t0 (\d+\.\d{6}) ")
FILLING = "this is a test of the live transcript " * 8


@dataclass
class Stuck:
    """One outbox that waits for room."""

    since: float
    held_bytes: int = 0


async def hub(rate: float, seconds: float) -> None:
    """Publish on a line from stdin; then tell what happened to those that got stuck."""
    loop, stuck, gone = asyncio.get_running_loop(), {}, []  # type: ignore[var-annotated]
    async with running(Config(port=0, drain_seconds=0.0)) as (state, port):
        publisher = ScriptedCall(state)
        print(port, flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        began, sent = time.perf_counter(), 0
        while sent < rate * seconds:
            text = f"t0 {time.perf_counter():.6f} {FILLING}"
            if sent % 3 == 2:
                publisher.final(text, f"u{sent // 3}")
            else:
                publisher.interim(text, f"u{sent // 3}")
            sent += 1
            behind: set[Outbox] = set(state.rounds._behind)
            for outbox in behind:
                each = stuck.setdefault(outbox, Stuck(outbox.taken_at))
                each.since = outbox.taken_at
                each.held_bytes = max(each.held_bytes, outbox.waiting_bytes())
            for outbox in list(stuck):
                # A transport that is gone has no handle any more; until then its bytes are held.
                if outbox not in behind and (not outbox.closed or outbox.sink.get_write_buffer_size() == 0):
                    each = stuck.pop(outbox)
                    if outbox.closed:
                        gone.append({"stuck_s": round(time.monotonic() - each.since, 1), "held_kib": round(each.held_bytes / 1024)})
            await asyncio.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        await asyncio.sleep(0.5)
        print(json.dumps({"gone": gone, "left": len(stuck)}), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)


def measure(subscribers: int, stalled: int, rate: float, seconds: float) -> dict[str, object]:
    """Return the age of what the reading ones got, in ms, the hub's CPU a delivery, and what became of the stalled ones."""
    command = [sys.executable, "-m", "tests.bench.stalled", "--hub", "--rate", str(rate), "--seconds", str(seconds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    sockets: list[socket.socket] = []
    try:
        port = int(process.stdout.readline())
        poll, reading = select.epoll(), {}
        for number in range(subscribers):
            sock = connect(port, "/client")
            sockets.append(sock)
            sock.sendall(frame(CALL.encode()))
            # Stalled ones are spread over the audience.
            if stalled and number % (subscribers // stalled) == 0 and number // (subscribers // stalled) < stalled:
                continue
            sock.setblocking(False)
            poll.register(sock.fileno(), select.EPOLLIN)
            reading[sock.fileno()] = sock
        time.sleep(1.0)
        ages: list[float] = []
        stopped = threading.Event()
        reader = threading.Thread(target=_read, args=(poll, reading, ages, stopped))
        reader.start()
        time.sleep(0.5)
        ages.clear()
        before = cpu_seconds(tree(process.pid))
        process.stdin.write(b"\n")
        process.stdin.flush()
        outcome = json.loads(process.stdout.readline())
        used = cpu_seconds(tree(process.pid)) - before
        stopped.set()
        reader.join()
        process.stdin.write(b"\n")
        process.stdin.flush()
    finally:
        for sock in sockets:
            sock.close()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    ages.sort()
    delivered = {"delivered": len(ages), "expected": round(rate * seconds) * len(reading), "us": round(used / len(ages) * 1e6, 2)}
    return delivered | {"p50_ms": round(ages[len(ages) // 2] * 1e3, 2), "p99_ms": round(ages[len(ages) * 99 // 100] * 1e3, 2)} | outcome


def _read(poll: select.epoll, sockets: dict[int, socket.socket], ages: list[float], stopped: threading.Event) -> None:
    while not stopped.is_set():
        for descriptor, _ in poll.poll(0.2):
            try:
                data = sockets[descriptor].recv(262144)
            except BlockingIOError:
                continue
            now = time.perf_counter()
            if not data:
                poll.unregister(descriptor)
            ages.extend(now - float(stamp) for stamp in STAMP.findall(data))


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stalled", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--subscribers", type=int, default=300)
    parser.add_argument("--stalled", type=int, default=5)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--hub", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hub:
        uvloop.run(hub(options.rate, options.seconds))
        return 0
    for _ in range(options.rounds):
        for stalled in (0, options.stalled):
            print(json.dumps({"stalled": stalled} | measure(options.subscribers, stalled, options.rate, options.seconds)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
