"""What recording costs: CPU time per second of a call, for taking blocks and the spool, and for the FLAC file afterwards.

    python -m tests.bench.recording [calls] [seconds]

Calls are recorded in real time, of a real conversation over a telephone. Prints milliseconds of CPU per second of one call. 0.5 is the most
that is allowed.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path

import soundfile

from clients.sample import SAMPLE
from hub.audio.g711 import to_mulaw
from hub.audio.timeline import Block
from hub.recordings.flac import encode
from hub.recordings.recording import Recording
from hub.recordings.spool import Spool, pieces
from hub.recordings.spool_thread import SpoolThread

MOST_MS = 0.5


def conversation() -> tuple[bytes, bytes]:
    """The two sides of the sample call, as mu-law."""
    with soundfile.SoundFile(SAMPLE) as file:
        both = memoryview(bytes(file.buffer_read(dtype="int16"))).cast("h")
    return to_mulaw(both[0::2].tobytes()), to_mulaw(both[1::2].tobytes())


def main(calls: int, seconds: int) -> int:
    left, right = conversation()
    with tempfile.TemporaryDirectory() as directory:
        spool, thread = Spool(Path(directory)), SpoolThread(lambda news: None)
        thread.start()
        recordings = [Recording(f"CA{number}", spool.new_path(f"CA{number}"), print) for number in range(calls)]
        for recording in recordings:
            thread.add(recording)
        began, used = time.monotonic(), time.process_time()
        for number in range(seconds * 10):
            at = number * 800 % (len(left) - 800)
            block = Block(number * 100.0, left[at : at + 800], right[at : at + 800])
            for recording in recordings:
                recording.take(block)
            time.sleep(max(0.0, began + (number + 1) * 0.1 - time.monotonic()))
        thread.stop()
        spooled = (time.process_time() - used) * 1000 / (calls * seconds)
        used = time.process_time()
        for recording in recordings:
            encode(pieces(spool.parts(recording.call_sid)), Path(directory) / "x.flac", threading.Event())
        encoded = (time.process_time() - used) * 1000 / (calls * seconds)
    print(f"{calls} calls, {seconds} s: spool {spooled:.3f} ms, FLAC {encoded:.3f} ms, together {spooled + encoded:.3f} ms a call-second")
    return int(spooled + encoded > MOST_MS)


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:3])) if len(sys.argv) > 1 else main(50, 20))
