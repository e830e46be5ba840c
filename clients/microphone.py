"""An input device as frames of a telephone call, as fast as it gives them.

Knows PortAudio's input streams. Knows nothing of calls.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy

from clients import portaudio
from clients.sound import Narrowing
from clients.stream import FRAME_BYTES, FRAME_MS

WAITING_FRAMES = 1500
"""Half a minute of frames that a hub has not taken yet; what comes then is lost, and its timestamps say so. A bound on memory."""


class Microphone:
    """An input device that is open, as frames of 20 ms mu-law. It sets the pace: a frame is there when it was spoken."""

    def __init__(self, rate_hz: int, name: str) -> None:
        self.name = name
        self.overflows = 0
        """How often the device had to throw samples away because this program was too slow."""
        self.lost = 0
        """Frames that nobody fetched in time."""
        self._narrowing = Narrowing(rate_hz)
        self._loop = asyncio.get_running_loop()
        self._frames: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        """Number and bytes; None when no more will come."""
        self._count = 0
        """Frames that were spoken."""
        self._hung_up = False
        self.vanished = False
        """Whether the device ended by itself."""

    @property
    def loss(self) -> str:
        """What to tell somebody whose microphone has vanished."""
        return f"{self.name} gives no more sound: it was unplugged, or another program took it."

    async def frame(self) -> tuple[int, bytes] | None:
        """Return the next frame and its number, from 0; None when the device ended or somebody hung up. Safe to cancel."""
        return await self._frames.get()

    def hang_up(self) -> None:
        """Listen no more: what was spoken before is still to be fetched."""
        if not self._hung_up:
            self._hung_up = True
            self._frames.put_nowait(None)

    def heard(self, samples: Any, _frames: int, _time: object, status: Any) -> None:
        """Take samples, int16 mono, from PortAudio's own thread. They are its memory, and copied here."""
        floats = numpy.frombuffer(samples, dtype="<i2").astype(numpy.float32) / 32768
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._take, floats, bool(status and status.input_overflow))

    def ended(self) -> None:
        """Take notice, from PortAudio's own thread, that the device gives no more."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._vanish)

    def _vanish(self) -> None:
        self.vanished = not self._hung_up
        self.hang_up()

    def _take(self, samples: Any, overflowed: bool) -> None:
        if self._hung_up:
            return
        self.overflows += overflowed
        self._narrowing.take(samples)
        while (mulaw := self._narrowing.ready(FRAME_BYTES)) is not None:
            if self._frames.qsize() < WAITING_FRAMES:
                self._frames.put_nowait((self._count, mulaw))
            else:
                self.lost += 1
            self._count += 1


@contextmanager
def microphone(device: str | int | None = None) -> Iterator[Microphone]:
    """Open an input device, the machine's own choice unless one is named by number or a part of its name. Raises: NoDevice."""
    library = portaudio.library()
    try:
        name, rate_hz = portaudio.chosen("input", device)
        mic = Microphone(rate_hz, name)
        listening = library.RawInputStream(
            device=device,
            channels=1,
            dtype="int16",
            samplerate=rate_hz,
            blocksize=rate_hz * FRAME_MS // 1000,
            callback=mic.heard,
            finished_callback=mic.ended,
        )
    except (ValueError, library.PortAudioError) as error:
        raise portaudio.refusal("input", device, error) from error
    with listening:
        try:
            yield mic
        finally:
            mic.hang_up()


def hang_up_on_ctrl_c(mic: Microphone) -> None:
    """Have the first Ctrl-C end the call in good order, and a second one everything."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    assert me is not None

    def interrupted() -> None:
        mic.hang_up()
        loop.remove_signal_handler(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, me.cancel)

    with suppress(NotImplementedError):  # Windows: Ctrl-C cancels us there, and a cancelled call says stop, too
        loop.add_signal_handler(signal.SIGINT, interrupted)
