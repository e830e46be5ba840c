"""An output device that plays frames of telephone audio as they come. The call never waits for the device.

Knows PortAudio's output streams, and what to do when the device asks too late, too early or no more. Does not know calls.
"""

import asyncio
import atexit
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from clients.audio.frames import FRAME_MS
from clients.audio.rates import FromTelephone
from clients.devices import portaudio

STEADY_MS = 60
"""How much audio must wait before the device gets any, at the start and after the buffer ran dry. Three frames, because the microphone and
the loudspeaker each work in steps of 20 ms on clocks of their own, and one frame may be late. Silence is not kept beyond this amount."""

MOST_MS = 120
"""How much audio may wait, the resampler's delay included. Beyond it the oldest is dropped: a person who hears the agent late answers late.
Together with the device's own buffer the delay stays under 200 ms."""

DEVICE_SECONDS = 0.04
"""The size requested for the device's own buffer: two blocks (ALSA gives three). The device still plays it after an interruption."""

GONE_MS = 2000
"""Once this much was dropped while the device asked for nothing, the device is not late but gone, although PortAudio has not said so."""

CLOSING_SECONDS = 1.0
"""How long a device may take to play its own buffer and close. An unplugged device may take forever."""


class Loudspeaker:
    """An open output device. `play()` runs in the event loop and never waits. `fill()` runs in a thread of PortAudio."""

    def __init__(self, rate_hz: int, name: str, report: Callable[[str], None]) -> None:
        """`report` is called once, with a sentence, if the device stops playing."""
        self.name = name
        self._report = report
        self._rate_hz = rate_hz
        self._loop = asyncio.get_running_loop()
        self._converter = FromTelephone(rate_hz)
        most_ms = MOST_MS - self._converter.delay_ms
        self._steady_bytes, self._most_bytes, self._gone_bytes = (2 * (rate_hz * round(ms) // 1000) for ms in (STEADY_MS, most_ms, GONE_MS))
        self._lock = threading.Lock()
        self._waiting = bytearray()
        """Audio that the device has not asked for yet: signed 16-bit at the device's rate."""
        self._flows = False
        """Whether the device gets what waits. Until enough waits, the device gets silence."""
        self._dropped_bytes = 0
        """Audio dropped since the device last asked."""
        self._reported = False
        self._closed = False
        """Whether this program closed the device."""

    @property
    def waiting_ms(self) -> float:
        """How much audio waits."""
        return len(self._waiting) * 1000 / (2 * self._rate_hz)

    def play(self, mulaw: bytes) -> None:
        """Play mu-law after all earlier audio. Every sample of speech is played, unless the device is late."""
        pcm = self._converter.convert(mulaw)
        with self._lock:
            if len(self._waiting) >= self._steady_bytes and not pcm.strip(b"\0"):
                return  # the pause becomes a little shorter, and the speech after it is on time again
            self._waiting += pcm
            if (excess := len(self._waiting) - self._most_bytes) > 0:
                del self._waiting[:excess]
                self._dropped_bytes += excess
            gone = self._dropped_bytes >= self._gone_bytes
        if gone:
            self._vanish()

    def fill(self, out: Any, _frames: int, _time: object, _status: object) -> None:
        """Fill PortAudio's buffer. PortAudio calls this in a thread of its own."""
        size_bytes = len(out)
        with self._lock:
            self._dropped_bytes = 0
            self._flows = self._flows or len(self._waiting) >= self._steady_bytes
            given = bytes(self._waiting[:size_bytes]) if self._flows else b""
            del self._waiting[: len(given)]
            self._flows = len(given) == size_bytes
        out[:] = given.ljust(size_bytes, b"\0")

    def ended(self) -> None:
        """Note that the device plays no more. PortAudio calls this in a thread of its own."""
        with suppress(RuntimeError):  # the loop is closed, so there is nobody to tell
            self._loop.call_soon_threadsafe(self._vanish)

    def close(self) -> None:
        """Expect the device's end: it is no longer worth a report."""
        self._closed = True

    def _vanish(self) -> None:
        if not self._reported and not self._closed:
            self._reported = True
            self._report(f"{self.name} plays no more: it was unplugged, or another program took it. The call goes on.")


@contextmanager
def loudspeaker(
    device: str | int | None, report: Callable[[str], None], *, closing_seconds: float = CLOSING_SECONDS
) -> Iterator[Loudspeaker]:
    """Open an output device: the system's default, or the one with this number or a name that contains this text. Raises: NoDevice."""
    library = portaudio.library()
    with ExitStack() as stack:
        try:
            name, rate_hz = portaudio.chosen("output", device)
            speaker = Loudspeaker(rate_hz, name, report)
            playing = library.RawOutputStream(
                device=device,
                channels=1,
                dtype="int16",
                samplerate=rate_hz,
                blocksize=rate_hz * FRAME_MS // 1000,
                latency=DEVICE_SECONDS,
                callback=speaker.fill,
                finished_callback=speaker.ended,
            )
            stack.callback(_close, library, playing, closing_seconds)
            stack.callback(speaker.close)
            playing.start()
        except (ValueError, library.PortAudioError) as error:
            raise portaudio.refusal("output", device, error) from error
        yield speaker


def _close(library: Any, playing: Any, closing_seconds: float) -> None:
    """Close a stream, or give it up after `closing_seconds`: PortAudio waits for the device, this program does not."""

    def close() -> None:
        playing.stop()  # older versions of PortAudio require it before `close`
        playing.close()

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(closing_seconds)
    if closing.is_alive():
        # Without this, sounddevice would close the stream again when the program ends, and wait forever. The name is private: it may go.
        atexit.unregister(getattr(library, "_exit_handler", None))  # type: ignore[arg-type]
