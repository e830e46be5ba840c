"""What a caller hears, on an output device: frames of a telephone call, as they come, and the call never waits for the device.

Knows PortAudio's output streams, and what to do when the device asks too late, too early, or no more. Knows nothing of calls.
"""

import asyncio
import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from clients import portaudio
from clients.sound import Widening
from clients.stream import FRAME_MS

STEADY_MS = 60
"""So much waits before the device is given any, at first and after it ran dry: three frames, as microphone and loudspeaker take 20 ms at a
time by clocks of their own, and one may be late. More than this does not wait through a silence."""

MOST_MS = 120
"""More never waits: the oldest is dropped, as what is heard late is answered late. With the device's own, all stays under 200 ms."""

DEVICE_SECONDS = 0.04
"""What is asked of the device's own buffer: two blocks (ALSA gives three). It still plays that when the agent was interrupted."""

GONE_MS = 2000
"""So much was dropped while the device asked for nothing: it is not late but gone, though PortAudio has not said so."""

CLOSING_SECONDS = 1.0
"""How long a device may take to play its own buffer and close; one that was unplugged may take for ever."""


class Loudspeaker:
    """An output device that is open. `play()` from the event loop never waits; `asked()` is PortAudio's thread."""

    def __init__(self, rate_hz: int, name: str, tell: Callable[[str], None]) -> None:
        """`tell` is given a sentence, once, when the device plays no more."""
        self.name = name
        self._tell = tell
        self._rate_hz = rate_hz
        self._loop = asyncio.get_running_loop()
        self._widening = Widening(rate_hz)
        self._steady_bytes, self._most_bytes, self._gone_bytes = (2 * (rate_hz * ms // 1000) for ms in (STEADY_MS, MOST_MS, GONE_MS))
        self._lock = threading.Lock()
        self._waiting = bytearray()
        """What the device has not asked for yet, int16 at its rate."""
        self._flows = False
        """Whether the device is given what waits; until enough does, it gets silence."""
        self._dropped_bytes = 0
        """What had no room since the device last asked."""
        self._told = False
        self._closed = False
        """Whether it was us who ended it."""

    @property
    def waiting_ms(self) -> float:
        """How much waits."""
        return len(self._waiting) * 1000 / (2 * self._rate_hz)

    def play(self, mulaw: bytes) -> None:
        """Have mu-law heard after what came before it: every sample of it, unless the device is late."""
        pcm = self._widening.take(mulaw)
        with self._lock:
            if len(self._waiting) >= self._steady_bytes and not pcm.strip(b"\0"):
                return  # a pause is a little shorter, and what follows it is heard in time again
            self._waiting += pcm
            if (excess := len(self._waiting) - self._most_bytes) > 0:
                del self._waiting[:excess]
                self._dropped_bytes += excess
            gone = self._dropped_bytes >= self._gone_bytes
        if gone:
            self._vanish()

    def asked(self, out: Any, _frames: int, _time: object, _status: object) -> None:
        """Fill PortAudio's buffer, in its thread."""
        size_bytes = len(out)
        with self._lock:
            self._dropped_bytes = 0
            self._flows = self._flows or len(self._waiting) >= self._steady_bytes
            given = bytes(self._waiting[:size_bytes]) if self._flows else b""
            del self._waiting[: len(given)]
            self._flows = len(given) == size_bytes
        out[:] = given.ljust(size_bytes, b"\0")

    def ended(self) -> None:
        """Take notice, from PortAudio's own thread, that the device plays no more."""
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(self._vanish)

    def close(self) -> None:
        """Expect the end."""
        self._closed = True

    def _vanish(self) -> None:
        if not self._told and not self._closed:
            self._told = True
            self._tell(f"{self.name} plays no more: it was unplugged, or another program took it. The call goes on.")


@contextmanager
def loudspeaker(device: str | int | None, tell: Callable[[str], None]) -> Iterator[Loudspeaker]:
    """Open an output device, the machine's own choice unless one is named by number or a part of its name. Raises: NoDevice."""
    library = portaudio.library()
    with ExitStack() as stack:
        try:
            name, rate_hz = portaudio.chosen("output", device)
            speaker = Loudspeaker(rate_hz, name, tell)
            playing = library.RawOutputStream(
                device=device,
                channels=1,
                dtype="int16",
                samplerate=rate_hz,
                blocksize=rate_hz * FRAME_MS // 1000,
                latency=DEVICE_SECONDS,
                callback=speaker.asked,
                finished_callback=speaker.ended,
            )
            stack.callback(_close, library, playing)
            stack.callback(speaker.close)
            playing.start()
        except (ValueError, library.PortAudioError) as error:
            raise portaudio.refusal("output", device, error) from error
        yield speaker


def _close(library: Any, playing: Any) -> None:
    """Close a stream, or leave it behind: PortAudio waits for the device, and we do not."""

    def close() -> None:
        playing.stop()  # PortAudio's older versions want it before `close`
        playing.close()

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(CLOSING_SECONDS)
    if closing.is_alive():
        # Else sounddevice would close it again when the program ends, and wait for ever. The name is private and may be missing one day.
        atexit.unregister(getattr(library, "_exit_handler", None))  # type: ignore[arg-type]
