"""What it costs to archive an event: CPU time and wall time of a commit with one event each, in the thread that writes.

    python -m tests.bench.archiving calls.db --rate 25

Events of 25 calls come one after the other, as finals do, with the row of their call. The place may be a PostgreSQL URL: then the CPU time
is that of the hub, not of the server. The last line is the cost of a batch of 20 events in one commit, as it comes with many calls. Prints
JSON.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import closing

from hub.archive.archive import Archive, Change, Facts, StoredEvent
from hub.archive.opening import open_archive

CALLS = 25
PAYLOAD = b"x" * 1100
"""A final of twelve words with their times."""
SUMMARY = b"y" * 700


def changes(began: float) -> Iterator[Change]:
    """Yield changes without end."""
    offsets = [0] * CALLS
    while True:
        for call in range(CALLS):
            offsets[call] += 1
            facts = Facts(
                number=int(began * 1000) * 1024 + call,
                started_at=began,
                ended_at=None,
                from_="+14155550100",
                to="+14155550101",
                agent=None,
                state="complete",
                summary=SUMMARY,
            )
            yield Change(
                call_sid=f"CA{int(began)}{call:020d}",
                epoch="epoch",
                events=(StoredEvent(offsets[call], PAYLOAD),),
                facts=facts,
                note=b"note",
            )


def measure(archive: Archive, events: int, rate: float, at_once: int) -> dict[str, float]:
    """Write events at a rate, and measure each commit."""
    made = changes(time.time())
    taken: list[float] = []
    cpu = 0.0
    for _ in range(events // at_once):
        batch = [next(made) for _ in range(at_once)]
        began, cpu_began = time.perf_counter(), time.thread_time()
        archive.write(batch)
        cpu += time.thread_time() - cpu_began
        taken.append(time.perf_counter() - began)
        time.sleep(at_once / rate if rate else 0)
    taken.sort()
    return {
        "events_per_commit": at_once,
        "cpu_us_per_event": round(cpu / events * 1e6),
        "commit_ms_p50": round(taken[len(taken) // 2] * 1000, 2),
        "commit_ms_p99": round(taken[int(len(taken) * 0.99)] * 1000, 2),
    }


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("place")
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=25, help="events per second; 0: as many as go")
    options = parser.parse_args()
    with closing(open_archive(options.place)) as archive:
        print(json.dumps(measure(archive, options.events, options.rate, 1)))
        print(json.dumps(measure(archive, options.events, options.rate * 20, 20)))


if __name__ == "__main__":
    main()
