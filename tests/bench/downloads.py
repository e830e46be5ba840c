"""What downloads cost a hub: its memory, and how long another answer waits, while many take the transcript of a very long call.

    python -m tests.bench.downloads --downloads 20 --megabytes 16 --kind json

The hub runs in a process of its own with one call in it, and curl takes the files. Meanwhile /healthz is asked every 10 ms. Memory is read
from /proc (Linux). Prints one line of JSON; times in milliseconds.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from hub.app import running
from hub.calls.publisher import Publisher
from hub.events import TranscriberName
from hub.topics.log import LOG_BYTES
from hub.transcribers.utterances import Recognized, RecognizedWord
from tests.bench.kept import WORDS
from tests.scripted import ScriptedTranscriber
from tests.settings import configured

CALL = "CA" + "1" * 32


async def serve(megabytes: float) -> None:
    """Run a hub with one call of this size until the standard input ends. Prints its port."""
    async with running(configured(), lambda _: ScriptedTranscriber()) as (state, port):
        record = state.registry.open(CALL)
        publisher = Publisher(record, state.registry)
        name = TranscriberName(provider="deepgram", model="nova-3")
        publisher.began("MZ1", {"from": "+14155550123"}, ["inbound", "outbound"], name)
        second = 0
        while record.topic.log.total_bytes < min(megabytes * 2**20, LOG_BYTES - 4096):
            track = "inbound" if second % 4 else "outbound"
            words = tuple(RecognizedWord(word, second + i / 8, second + i / 8 + 0.1, 0.9876 - i / 1000) for i, word in enumerate(WORDS))
            said = Recognized(track, second, second + 1.85, " ".join(WORDS), settled=True, closes=True, confidence=0.98, words=words)
            publisher.report(said)
            second += 2
        publisher.ended("completed", second * 1000.0, {}, complete=True)
        print(port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def memory_mb(pid: int, name: str) -> float:
    """Return `VmRSS` or `VmHWM` of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise OSError("this machine does not say how much memory a process has")


def asked(port: int) -> float:
    """Return how long one /healthz took."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while peer.recv(4096):
            pass
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--downloads", type=int, default=20)
    parser.add_argument("--megabytes", type=float, default=16.0)
    parser.add_argument("--kind", default="json")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.megabytes))
        return
    command = [sys.executable, "-m", "tests.bench.downloads", "--serve", "--megabytes", str(options.megabytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hub:
        assert hub.stdout is not None
        assert hub.stdin is not None
        port = int(hub.stdout.readline())
        quiet = sorted(asked(port) for _ in range(100))
        before = memory_mb(hub.pid, "VmRSS")
        with contextlib.suppress(OSError):
            Path(f"/proc/{hub.pid}/clear_refs").write_text("5")  # the highest mark begins anew
        url = f"http://127.0.0.1:{port}/calls/{CALL}/transcript.{options.kind}"
        packed = ["-H", "Accept-Encoding: gzip"] if options.gzip else []
        fetch = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{time_total}\n", *packed, url]
        began = time.perf_counter()
        fetching = [subprocess.Popen(fetch, stdout=subprocess.PIPE, text=True) for _ in range(options.downloads)]
        waits: list[float] = []
        while any(each.poll() is None for each in fetching):
            waits.append(asked(port))
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        told = [each.communicate()[0].split() for each in fetching]
        waits.sort()
        print(json.dumps({
            "statuses": sorted({each[0] for each in told}), "mb": round(int(told[0][1]) / 1e6, 1), "seconds": round(seconds, 2),
            "first_seconds": min(float(each[2]) for each in told),
            "rss_before_mb": before, "rss_peak_mb": memory_mb(hub.pid, "VmHWM"), "rss_after_mb": memory_mb(hub.pid, "VmRSS"),
            "healthz_quiet": [round(quiet[50], 1), round(quiet[-1], 1)],
            "healthz_p50_p99_max": [round(waits[len(waits) // 2], 1), round(waits[int(len(waits) * 0.99)], 1), round(waits[-1], 1)],
        }))  # fmt: skip
        hub.stdin.close()


if __name__ == "__main__":
    main()
