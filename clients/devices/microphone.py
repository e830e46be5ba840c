"""An input device as frames of telephone audio, at the pace of the device.

Knows PortAudio's input streams. Does not know calls.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy

from clients.audio.frames import FRAME_BYTES, FRAME_MS
from clients.audio.rates import ToTelephone
from clients.devices import portaudio

WAITING_FRAMES = 1500
"""Half a minute of frames that the hub has not taken yet: a bound on memory. Later frames are lost, and the timestamps show the hole."""


class Microphone:
    """An open input device as 20 ms frames of mu-law. The device sets the pace: a frame exists once it was spoken."""

    def __init__(self, rate_hz: int, name: str, *, waiting_frames: int = WAITING_FRAMES) -> None:
        self.name = name
        self.overflows = 0
        """How often the device dropped samples because this program was too slow."""
        self.lost = 0
        """Frames that were dropped because too many others waited."""
        self.vanished = False
        """Whether the device stopped by itself."""
        self._waiting_frames = waiting_frames
        self._converter = ToTelephone(rate_hz, steady=True)
        self._loop = asyncio.get_running_loop()
        self._frames: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        """Each frame's number and bytes; None once no more will come."""
        self._count = 0
        """Frames spoken so far, lost ones included."""
        self._hung_up = False

    @property
    def loss(self) -> str:
        """The sentence for a person whose microphone has vanished."""
        return f"{self.name} delivers no more sound: it was unplugged, or another program took it."

    async def frame(self) -> tuple[int, bytes] | None:
        """Return the next frame and its number, counted from 0, or None after `hang_up()` or the device's end. Safe to cancel."""
        return await self._frames.get()

    def hang_up(self) -> None:
        """Record no more. Frames that were spoken before can still be fetched."""
        if not self._hung_up:
            self._hung_up = True
            self._frames.put_nowait(None)

    def record(self, samples: Any, _frames: int, _time: object, status: Any) -> None:
        """Take signed 16-bit mono samples. PortAudio calls this in a thread of its own and reuses the memory, so the samples are copied."""
        floats = numpy.frombuffer(samples, dtype="<i2").astype(numpy.float32) / 32768
        with suppress(RuntimeError):  # the loop is closed, so nobody fetches frames any more
            self._loop.call_soon_threadsafe(self._add, floats, bool(status and status.input_overflow))

    def ended(self) -> None:
        """Note that the device delivers no more samples. PortAudio calls this in a thread of its own."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._vanish)

    def _vanish(self) -> None:
        self.vanished = not self._hung_up
        self.hang_up()

    def _add(self, samples: Any, overflowed: bool) -> None:
        if self._hung_up:
            return
        self.overflows += overflowed
        self._converter.add(samples)
        while (mulaw := self._converter.take(FRAME_BYTES)) is not None:
            if self._frames.qsize() < self._waiting_frames:
                self._frames.put_nowait((self._count, mulaw))
            else:
                self.lost += 1
            self._count += 1


@contextmanager
def microphone(device: str | int | None = None) -> Iterator[Microphone]:
    """Open an input device: the system's default, or the one with this number or a name that contains this text. Raises: NoDevice."""
    library = portaudio.library()
    try:
        name, rate_hz = portaudio.chosen("input", device)
        mic = Microphone(rate_hz, name)
        recording = library.RawInputStream(
            device=device,
            channels=1,
            dtype="int16",
            samplerate=rate_hz,
            blocksize=rate_hz * FRAME_MS // 1000,
            callback=mic.record,
            finished_callback=mic.ended,
        )
    except (ValueError, library.PortAudioError) as error:
        raise portaudio.refusal("input", device, error) from error
    with recording:
        try:
            yield mic
        finally:
            mic.hang_up()


def hang_up_on_ctrl_c(mic: Microphone) -> None:
    """Make the first Ctrl-C hang up in good order, and a second one cancel the current task."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None

    def interrupted() -> None:
        mic.hang_up()
        loop.remove_signal_handler(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, me.cancel)

    with suppress(NotImplementedError):  # Windows: there Ctrl-C cancels the task, and a cancelled call sends its `stop` too
        loop.add_signal_handler(signal.SIGINT, interrupted)
