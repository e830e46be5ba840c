"""What the hub pays to take in live calls: CPU microseconds per Twilio media frame, beside the least that any server pays.

    python -m tests.bench.ingest --calls 80 --seconds 20 --runs 3

Every call is a WebSocket with both tracks, 2 x 50 frames of 160 bytes a second, spread evenly over each 20 ms as Twilio sends them. The
hub transcribes with a stand-in for Deepgram that costs little: it takes the audio and answers an interim for every 400 ms. The floor is a
server that only reads the bytes and counts them. CPU is that of the whole process tree, from the operating system. Both are measured in
every run, one after the other, because machines differ and drift: quote the ratio, and the median.
"""

import argparse
import base64
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.load import connect, cpu_seconds, frame, free_port, tree, wait_for
from tests.media import CONNECTED, media, start, stop

HERE = Path(__file__).parent


def drive(port: int, pid: int, calls: int, seconds: float) -> tuple[float, float]:
    """Play calls into a server; return its CPU microseconds per frame, and how late the generator ever was, in ms."""
    sockets = []
    for number in range(calls):
        sock = connect(port, "/twilio")
        sock.sendall(frame(CONNECTED.encode()))
        sock.sendall(frame(start(f"CA{number:032x}", f"MZ{number:032x}").encode()))
        sockets.append(sock)
    time.sleep(1)
    payload = base64.b64encode(os.urandom(160)).decode()
    silent = base64.b64encode(b"\x7f" * 160).decode()
    sent, late, before, began = 0, 0.0, cpu_seconds(tree(pid)), time.perf_counter()
    for tick in range(int(seconds * 50)):
        for half, track in enumerate(("inbound", "outbound")):
            message = frame(media(track, tick * 20).replace(silent, payload).encode())
            for index, sock in enumerate(sockets):
                sock.sendall(message)
                sent += 1
                if index % 25 == 0:
                    wait = began + tick * 0.02 + half * 0.01 + 0.01 * index / calls - time.perf_counter()
                    if wait > 0:
                        time.sleep(wait)
                    else:
                        late = max(late, -wait)
    time.sleep(0.5)
    used = cpu_seconds(tree(pid)) - before
    for number, sock in enumerate(sockets):
        sock.sendall(frame(stop(f"CA{number:032x}", f"MZ{number:032x}").encode()))
        sock.close()
    return used / sent * 1e6, late * 1000


def measured(command: list[str], port: int, options: argparse.Namespace, **settings: str) -> tuple[float, float]:
    """Start a server, play calls into it, end it."""
    process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        time.sleep(0.5)
        return drive(port, process.pid, options.calls, options.seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    for run in range(options.runs):
        port = free_port()
        floor, _ = measured([sys.executable, str(HERE / "floor.py"), str(port)], port, options)
        port, stub_port = free_port(), free_port()
        stub = subprocess.Popen([sys.executable, str(HERE / "stub_deepgram.py"), str(stub_port)])
        try:
            wait_for(stub_port)
            hub, late = measured(
                [sys.executable, "-m", "hub", "serve"], port, options,
                HUB_PORT=str(port), HUB_TRANSCRIBER="deepgram", DEEPGRAM_API_KEY="stub", DEEPGRAM_URL=f"ws://127.0.0.1:{stub_port}",
                HUB_DRAIN_SECONDS="5",
            )  # fmt: skip
        finally:
            stub.kill()
            stub.wait()
        ratios.append(hub / floor)
        print(json.dumps({
            "run": run + 1, "calls": options.calls, "hub_us_per_frame": round(hub, 2), "floor_us_per_frame": round(floor, 2),
            "ratio": round(hub / floor, 2), "calls_per_core": round(1e4 / hub), "generator_late_ms": round(late, 1),
        }), flush=True)  # fmt: skip
    print(f"ratio to the floor: median {statistics.median(ratios):.2f} of {len(ratios)} runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
