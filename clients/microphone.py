"""An input device as frames of a telephone call, as fast as it gives them.

Knows PortAudio (by `sounddevice`, the extra `mic`) and what can be missing. Knows nothing of calls.
"""

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy

from clients.sound import Narrowing
from clients.stream import FRAME_BYTES, FRAME_MS
from hub import audio

WAITING_FRAMES = 1500
"""Half a minute of frames that a hub has not taken yet; what comes then is lost, and its timestamps say so. A bound on memory."""


class NoMicrophone(OSError):
    """There is nothing to listen with; its text is one sentence that says what to do."""


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


def devices() -> str:
    """Return what PortAudio can listen to, a line each. Raises: NoMicrophone."""
    return str(_portaudio().query_devices())


def _portaudio() -> Any:
    """Return the module that speaks to PortAudio. Raises: NoMicrophone."""
    try:
        import sounddevice
    except ImportError as error:
        raise NoMicrophone("A microphone needs the extra `mic`: pip install 'transcript-hub[mic]'.") from error
    except OSError as error:  # it looks for the library when it is imported
        raise NoMicrophone(
            "PortAudio is not installed: on Debian and Ubuntu `apt install libportaudio2`, on macOS `brew install portaudio`."
        ) from error
    return sounddevice


@contextmanager
def microphone(device: str | int | None = None) -> Iterator[Microphone]:
    """Open an input device, the machine's own choice unless one is named by number or a part of its name. Raises: NoMicrophone."""
    portaudio = _portaudio()
    try:
        about = portaudio.query_devices(device, "input")
        rate_hz = audio.SAMPLE_RATE_HZ
        try:
            portaudio.check_input_settings(device=device, channels=1, dtype="int16", samplerate=rate_hz)
        except portaudio.PortAudioError:
            rate_hz = round(about["default_samplerate"])  # many take only their own
        mic = Microphone(rate_hz, str(about["name"]))
        listening = portaudio.RawInputStream(
            device=device,
            channels=1,
            dtype="int16",
            samplerate=rate_hz,
            blocksize=rate_hz * FRAME_MS // 1000,
            callback=mic.heard,
            finished_callback=mic.ended,
        )
    except (ValueError, portaudio.PortAudioError) as error:
        raise NoMicrophone(_why(device, error)) from error
    with listening:
        try:
            yield mic
        finally:
            mic.hang_up()


def _why(device: str | int | None, error: Exception) -> str:
    if device is None:
        return f"No microphone can be used here: {_words(error)}. `transcript-client mic --devices` lists what there is."
    return f"{device!r} is no microphone that can be used: {_words(error)}. `transcript-client mic --devices` lists what there is."


def _words(error: Exception) -> str:
    """Return PortAudio's words without its numbers, on one line."""
    return re.sub(r"\s*\[PaErrorCode.*?]", "", " ".join(str(error).split())).rstrip(".")


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
