"""What a kept call costs: the memory of an hour of dense talk, against its events' bytes on the wire.

    python -m tests.bench.kept --calls 20

Each call has a final every two seconds, of fourteen words with their times and confidences, and three interims before it: about twice as
dense as people talk. Resident memory is read from /proc (Linux) before and after. Prints one line of JSON.
"""

import argparse
import gc
import json
from pathlib import Path

from hub.calls.publisher import Publisher
from hub.events import TranscriberName
from hub.topics.registry import Registry
from hub.transcribers.utterances import Recognized, RecognizedWord

WORDS = ["so", "what", "I", "would", "like", "to", "know", "is", "whether", "the", "invoice", "that", "you", "sent"]


def resident_bytes() -> int:
    """Return this process's resident memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("this machine does not say how much memory a process has")


def talk(registry: Registry, number: int, seconds: int) -> None:
    """Publish one call."""
    publisher = Publisher(registry.open(f"CA{number:032d}"), registry)
    name = TranscriberName(provider="deepgram", model="nova-3")
    publisher.began(f"MZ{number:032d}", {"from": "+14155550123"}, ["inbound", "outbound"], name)
    for second in range(0, seconds, 2):
        track = "inbound" if second % 4 else "outbound"
        words = tuple(RecognizedWord(word, second + i / 8, second + i / 8 + 0.1, 0.9876 - i / 1000) for i, word in enumerate(WORDS))
        for part in (4, 8, 12):
            text = " ".join(WORDS[:part])
            publisher.report(Recognized(track, second, second + part / 8, text, settled=False, closes=False))
        publisher.report(Recognized(track, second, second + 1.85, " ".join(WORDS), settled=True, closes=True, confidence=0.98, words=words))
    publisher.ended("completed", seconds * 1000.0, {}, complete=True)


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=3600)
    options = parser.parse_args()
    registry = Registry(keep_seconds=3600.0, clock=lambda: 0.0, wall=lambda: 1.8e9, soon=lambda call: call())
    talk(registry, 0, options.seconds)  # what is imported and cached once is no call's
    gc.collect()
    before, kept_before = resident_bytes(), registry.kept_bytes
    for number in range(1, options.calls + 1):
        talk(registry, number, options.seconds)
    gc.collect()
    wire, memory = registry.kept_bytes - kept_before, resident_bytes() - before
    print(
        json.dumps(
            {"calls": options.calls, "wire_mb": round(wire / 1e6, 2), "memory_mb": round(memory / 1e6, 2), "ratio": round(memory / wire, 2)}
        )
    )


if __name__ == "__main__":
    main()
