"""PortAudio as `sounddevice` 0.5 shows it: a microphone that hears what a test gives it, a loudspeaker that keeps what it is given.

As the real one: streams have threads of their own, the callback gets a buffer that is only good during the call (and full of noise where
it is to be filled), errors are PortAudioError with PortAudio's words, and `finished_callback` comes when a stream ends, however that comes
about.
"""

import atexit
import math
import threading
import time
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

sound = b""
"""What the microphone hears, int16 at `rate_hz`; then silence, or nothing more."""
rate_hz = 48_000
"""The only rate that the devices take."""
pace = 1.0
"""How much faster than real time it hears; 0 means as fast as it goes."""
unplugged = False
"""Whether it is gone when all of it was heard."""
absent = False
"""Whether there is no device at all."""
mute = False
"""Whether there is no loudspeaker."""
in_time = False
"""Whether the loudspeaker asks for a block each 20 ms; else it asks when a test does."""
stuck = threading.Event()
"""When set, the loudspeaker's `stop()` does not come back until it is clear again."""
played = bytearray()
"""What the loudspeaker was given, int16 at `rate_hz`."""
speakers: list["RawOutputStream"] = []
"""Those that were opened."""
opened = threading.Event()


def tone(seconds: float, rate_hz: int, hertz: float = 440.0) -> bytes:
    """Something to hear."""
    return array("h", (round(8000 * math.sin(2 * math.pi * hertz * at / rate_hz)) for at in range(round(seconds * rate_hz)))).tobytes()


def _exit_handler() -> None:
    for speaker in speakers:
        if not speaker.closed:
            speaker.stop()


atexit.register(_exit_handler)


class PortAudioError(Exception):
    """As sounddevice's."""


def query_devices(device: str | int | None = None, kind: str | None = None) -> Any:
    if kind is None:
        return "> 0 Pretend microphone, ALSA (1 in, 0 out)\n< 1 Pretend loudspeaker, ALSA (0 in, 1 out)"
    if absent or (mute and kind == "output"):
        raise PortAudioError("Error querying device -1")
    number, name = (0, "Pretend microphone") if kind == "input" else (1, "Pretend loudspeaker")
    if device not in (None, number, "Pretend"):
        raise ValueError(f"No {kind} device matching {device!r}")
    return {"name": name, "index": number, "default_samplerate": float(rate_hz)}


def check_input_settings(*, device: object, channels: int, dtype: str, samplerate: int) -> None:
    assert (channels, dtype) == (1, "int16")
    if samplerate != rate_hz:
        raise PortAudioError("Error opening RawInputStream: Invalid sample rate [PaErrorCode -9997]")


check_output_settings = check_input_settings


class RawInputStream:
    """Hears in a thread, between entering and leaving it."""

    def __init__(
        self, *, samplerate: int, blocksize: int, callback: Callable[..., None], finished_callback: Callable[[], None], **how: Any
    ):
        check_input_settings(samplerate=samplerate, **how)
        self._block_bytes = 2 * blocksize
        self._callback = callback
        self._finished = finished_callback
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear)

    def __enter__(self) -> "RawInputStream":
        self._thread.start()
        opened.set()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _hear(self) -> None:
        at, ours = 0, bytearray(self._block_bytes)
        while not self._stop.wait(0.02 / pace if pace else 0.0):
            piece = sound[at : at + self._block_bytes]
            if (unplugged or not pace) and not piece:
                break
            ours[:] = piece.ljust(self._block_bytes, b"\0")  # the same memory each time
            self._callback(memoryview(ours), self._block_bytes // 2, None, SimpleNamespace(input_overflow=False))
            at += self._block_bytes
        if not unplugged:
            self._stop.wait()
        self._finished()


class RawOutputStream:
    """Plays in a thread, between `start()` and `stop()`."""

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        latency: float,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
        **how: Any,
    ):
        check_output_settings(samplerate=samplerate, **how)
        assert 0 < latency < 0.1
        self.closed = False
        self._block_bytes = 2 * blocksize
        self._callback = callback
        self._finished = finished_callback
        self._asked, self._given, self._end = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def start(self) -> None:
        self._thread.start()
        speakers.append(self)

    def ask(self, blocks: int = 1) -> None:
        """Have it play 20 ms now, or so many times as much."""
        for _ in range(blocks):
            self._asked.release()
            assert self._given.acquire(timeout=5)

    def unplug(self) -> None:
        """It is gone: it ends, and says so before this returns."""
        self._end.set()
        self._asked.release()
        self._thread.join()

    def stop(self) -> None:
        while stuck.is_set():
            time.sleep(0.01)
        self.unplug()

    def close(self) -> None:
        self.closed = True

    def _play(self) -> None:
        ours = bytearray(self._block_bytes)
        while True:
            self._end.wait(0.02) if in_time else self._asked.acquire()
            if self._end.is_set():
                break
            ours[:] = b"\x55" * self._block_bytes  # noise, if nobody fills it
            self._callback(memoryview(ours), self._block_bytes // 2, None, SimpleNamespace(output_underflow=False))
            played.extend(ours)
            self._given.release()
        self._finished()
