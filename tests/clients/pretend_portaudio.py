"""PortAudio as `sounddevice` 0.5 shows it, with one microphone that hears what a test gives it: samples in a thread of its own.

As the real one: the callback gets a buffer that is only good during the call, errors are PortAudioError with PortAudio's words, and
`finished_callback` comes when a stream ends, however that comes about.
"""

import math
import threading
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

sound = b""
"""What the microphone hears, int16 at `rate_hz`; then silence, or nothing more."""
rate_hz = 48_000
"""The only rate that the device takes."""
pace = 1.0
"""How much faster than real time it hears; 0 means as fast as it goes."""
unplugged = False
"""Whether it is gone when all of it was heard."""
absent = False
"""Whether there is no device at all."""
opened = threading.Event()


def tone(seconds: float, rate_hz: int, hertz: float = 440.0) -> bytes:
    """Something to hear."""
    return array("h", (round(8000 * math.sin(2 * math.pi * hertz * at / rate_hz)) for at in range(round(seconds * rate_hz)))).tobytes()


class PortAudioError(Exception):
    """As sounddevice's."""


def query_devices(device: str | int | None = None, kind: str | None = None) -> Any:
    if absent:
        raise PortAudioError("Error querying device -1")
    if device not in (None, 0, "Pretend"):
        raise ValueError(f"No {kind} device matching {device!r}")
    about = {"name": "Pretend microphone", "index": 0, "max_input_channels": 1, "default_samplerate": float(rate_hz)}
    return about if kind else f"> 0 {about['name']}, ALSA (1 in, 0 out)"


def check_input_settings(*, device: object, channels: int, dtype: str, samplerate: int) -> None:
    assert (channels, dtype) == (1, "int16")
    if samplerate != rate_hz:
        raise PortAudioError("Error opening RawInputStream: Invalid sample rate [PaErrorCode -9997]")


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
