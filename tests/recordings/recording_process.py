"""A process that records a call in real time and prints how much of it was spoken, in ms. To be killed."""

import sys
import time
from pathlib import Path

from hub.recordings.recording import Recording
from hub.recordings.spool import Spool
from hub.recordings.spool_thread import SpoolThread
from tests.recordings.sounds import CALL, block


def main() -> None:
    thread = SpoolThread(lambda news: None)
    thread.start()
    recording = Recording(CALL, Spool(Path(sys.argv[1])).new_path(CALL), print)
    thread.add(recording)
    began = time.monotonic()
    at_ms = 0
    while True:
        if (time.monotonic() - began) * 1000 >= at_ms + 100:
            recording.take(block(at_ms))
            at_ms += 100
            print(at_ms, flush=True)
        time.sleep(0.005)


if __name__ == "__main__":
    main()
