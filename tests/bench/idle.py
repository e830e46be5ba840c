"""What a subscriber costs that only waits: thousands on one live call, joining, idling and leaving again.

    python -m tests.bench.idle --subscribers 5000

The hub runs in a process of its own, on uvloop; its resident memory is read from /proc (Linux) before anyone came, while all wait, and
after all left, twice over: what is still there after the second time would be a leak. Prints one line of JSON.
"""

import argparse
import asyncio
import gc
import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from hub.app import running
from hub.config import Config
from tests.bench.load import connect, frame
from tests.media import CALL
from tests.publishing import ScriptedCall


async def hub() -> None:
    """Run a hub with one live call; on each line from stdin tell what is open in it."""
    loop = asyncio.get_running_loop()
    async with running(Config(port=0, drain_seconds=0.0)) as (state, port):
        publisher = ScriptedCall(state)
        publisher.final("good morning")
        print(port, flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            gc.collect()
            following = len(publisher.record.topic.audience.followings)
            tasks = len(asyncio.all_tasks())
            print(json.dumps({"sockets": len(state.sockets), "followings": following, "tasks": tasks}), flush=True)


def resident_kib(pid: int) -> int:
    """Return a process's resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def measure(subscribers: int) -> dict[str, object]:
    """Return the KiB that each of so many subscribers costs, and what is left when they are gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.idle", "--hub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    out = process.stdout

    def look(sockets_open: int) -> tuple[int, dict[str, int]]:
        """Wait until so many sockets are open, then tell the memory and what is open."""
        while True:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            found: dict[str, int] = json.loads(out.readline())
            if found["sockets"] == sockets_open and found["followings"] == sockets_open:
                return resident_kib(process.pid), found
            time.sleep(0.1)

    try:
        port = int(out.readline())
        before, open_before = look(0)
        result: dict[str, object] = {"subscribers": subscribers}
        for visit in ("first", "second"):
            sockets: list[socket.socket] = []
            for _ in range(subscribers):
                sockets.append(connect(port, "/client"))
                sockets[-1].sendall(frame(CALL.encode()))
            while_there, _ = look(subscribers)
            for each in sockets:
                each.close()
            after, open_after = look(0)
            result |= {
                f"{visit}_kib_each": round((while_there - before) / subscribers, 1),
                f"{visit}_left_kib_each": round((after - before) / subscribers, 2),
                f"{visit}_left_tasks": open_after["tasks"] - open_before["tasks"],
            }
        return result
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        out.close()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.idle", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--subscribers", type=int, default=5000)
    parser.add_argument("--hub", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * options.subscribers + 1000), hard))
    if options.hub:
        uvloop.run(hub())
        return 0
    print(json.dumps(measure(options.subscribers)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
