"""A microphone as a phone call: what is said here goes into the hub's /twilio as the caller's track, as fast as the device gives it.

Knows PortAudio (by `sounddevice`, the extra `mic`) and the call's frames. `speak()` is the library, `run()` the command line.
"""

import argparse
import asyncio
import os
import re
import signal
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from websockets.exceptions import ConnectionClosed

from clients.caller import (
    DEFAULT_URL,
    FIRST_TIMESTAMP_MS,
    FRAME_MS,
    Frame,
    NotAnswered,
    Played,
    Stream,
    call_sid,
    dial,
    duration_ms,
    in_time,
    new_sid,
    overhear,
    parameter,
)
from clients.follow import Refused
from clients.sound import Narrowing
from clients.tail import tail
from hub import audio

FRAME_BYTES = FRAME_MS * audio.BYTES_PER_MS

WAITING_FRAMES = 1500
"""Half a minute of frames that a hub has not taken yet; what comes then is lost, and its timestamps say so. A bound on memory."""

FULL_LEVEL = 6000
"""What fills the meter, of 32768: loud speech near a microphone."""

HUSH_LEVEL = 8
"""Quieter than this, of 32768, is no quiet room but a microphone that is muted or not allowed: even those have some noise."""

HUSH_SECONDS = 3.0
"""How long such a silence lasts before it is remarked upon."""

BEGIN_SECONDS = 5.0
"""How long the hub may take to know the call that it was just told of."""


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


class Recording:
    """A WAV of what was sent, 8 kHz 16-bit mono: bit for bit what the hub heard, with silence where frames were lost."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self._to = path.open("wb")  # not by `wave`: one that could not open its file complains again when it is collected
        self._file = wave.open(self._to, "wb")  # noqa: SIM115  closed by `close`
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(audio.SAMPLE_RATE_HZ)
        self._frames = 0

    def add(self, number: int, mulaw: bytes) -> None:
        """Write the frame of this number."""
        missing = number - self._frames
        self._file.writeframesraw(audio.to_pcm(audio.silence(missing * FRAME_BYTES) + mulaw))
        self._frames = number + 1

    def close(self) -> None:
        """Write the length into the head."""
        self._file.close()
        self._to.close()


async def speak(
    url: str,
    mic: Microphone,
    *,
    call_sid: str | None = None,
    parameters: Mapping[str, str] | None = None,
    hang_up_after_ms: int | None = None,
    recording: Recording | None = None,
    heard: Callable[[float, bytes], None] | None = None,
) -> Played:
    """Speak into `url` until somebody hangs up, the time is over, or the device ends; then say stop and close.

    `heard` is told each frame that was sent, with the seconds of the call after it. Safe to cancel: stop is sent then too.
    Raises: NotAnswered.
    """
    stream = Stream(call_sid or new_sid("CA"), new_sid("MZ"))
    sent, seconds, cut_short = 0, 0.0, False
    connection = await dial(url)
    async with asyncio.TaskGroup() as group:
        group.create_task(overhear(connection))
        try:
            await connection.send(stream.connected(), text=True)
            await connection.send(stream.start(["inbound"], parameters or {}), text=True)
            while (hang_up_after_ms is None or seconds * 1000 < hang_up_after_ms) and (spoken := await mic.frame()) is not None:
                number, mulaw = spoken
                at_ms = number * FRAME_MS
                frame = Frame(at_ms, "inbound", number + 1, FIRST_TIMESTAMP_MS + at_ms, mulaw, 1)
                await connection.send(stream.media(frame), text=True)
                sent, seconds = sent + 1, (at_ms + FRAME_MS) / 1000
                if recording is not None:
                    recording.add(number, mulaw)
                if heard is not None:
                    heard(seconds, mulaw)
            await connection.send(stream.stop(), text=True)
        except ConnectionClosed:
            cut_short = True
        except asyncio.CancelledError:
            with suppress(ConnectionClosed):
                await in_time(connection, connection.send(stream.stop(), text=True))
            raise
        finally:
            await in_time(connection, connection.close())
    code, reason = (connection.close_code, connection.close_reason) if cut_short else (None, None)
    return Played(stream.call_sid, stream.stream_sid, {"inbound": sent}, mic.lost, seconds, code, reason, cut_short)


class Meter:
    """Shows that somebody is heard: the time and how loud it is; says so when it is nobody."""

    def __init__(self, console: Console, bar: Progress, call_sid: str) -> None:
        self._console = console
        self._bar = bar
        self._task = bar.add_task(call_sid, total=FULL_LEVEL)
        self._loudest = 0
        self._remarked = False

    def heard(self, seconds: float, mulaw: bytes) -> None:
        """Take notice of a frame."""
        level = audio.level(mulaw)
        self._loudest = max(self._loudest, level)
        self._bar.update(self._task, completed=min(FULL_LEVEL, level))
        if not self._remarked and self._loudest < HUSH_LEVEL and seconds >= HUSH_SECONDS:
            self._remarked = True
            self._console.print("The microphone gives only silence: is it muted, or may this terminal not use it?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands."""
    parser.description = "Speak into the hub, as the caller of a phone call. Ctrl-C hangs up."
    parser.add_argument("--url", default=DEFAULT_URL, help="the hub's door for Twilio (default: %(default)s)")
    parser.add_argument("--device", type=_device, metavar="NAME", help="an input device, by number or part of its name")
    parser.add_argument("--devices", action="store_true", help="list the devices there are, and do nothing else")
    parser.add_argument("--save", type=Path, metavar="FILE.wav", help="keep what was sent, 8 kHz 16-bit, as the hub heard it")
    parser.add_argument("--follow", action="store_true", help="show the call's own transcript while you speak")
    parser.add_argument(
        "--token", default=os.environ.get("HUB_TOKEN") or None, help="for --follow, where the hub wants one (default: HUB_TOKEN)"
    )
    parser.add_argument("--call-sid", type=call_sid, metavar="CA…", help="the call's name (default: a random one)")
    parser.add_argument("--from", dest="from_", metavar="+1…", help="sent as the parameter `from`")
    parser.add_argument("--to", metavar="+1…", help="sent as the parameter `to`")
    parser.add_argument("--parameter", action="append", default=[], type=parameter, metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--hang-up-after", dest="hang_up_after_ms", type=duration_ms, metavar="10s", help="the call ends here")
    parser.add_argument("--quiet", action="store_true", help="say only the callSid, unless something goes wrong")


def run(options: argparse.Namespace) -> int:
    """Speak as the options say; return the exit code: 0 hung up, 1 the hub or the device ended it, 2 no microphone, or no file."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        if options.devices:
            print(_portaudio().query_devices())
            return 0
        return asyncio.run(_call(options, errors))
    except (NoMicrophone, _NoFile) as error:
        errors.print(str(error))
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("You left without waiting for the last words." if options.follow else "You hung up.")
        return 130


class _NoFile(OSError):
    """The recording cannot be written; its text is a sentence."""


async def _call(options: argparse.Namespace, errors: Console) -> int:
    console = Console(stderr=True, quiet=options.quiet, highlight=False, markup=False)
    sid = options.call_sid or new_sid("CA")
    parameters = {"from": options.from_, "to": options.to} | dict(options.parameter)
    with ExitStack() as stack:
        recording = stack.enter_context(closing(_recording(options.save))) if options.save else None
        mic = stack.enter_context(microphone(options.device))
        hang_up_on_ctrl_c(mic)
        meter = Meter(console, stack.enter_context(_bar(console, shown=not options.quiet and not options.follow)), sid)
        console.print(f"Speak into {mic.name}; Ctrl-C hangs up.")
        print(sid, flush=True)
        begun = asyncio.Event()

        def heard(seconds: float, mulaw: bytes) -> None:
            begun.set()
            meter.heard(seconds, mulaw)

        async with asyncio.TaskGroup() as group:
            following = group.create_task(_follow(options, sid, begun, errors)) if options.follow else None
            try:
                played = await speak(
                    options.url,
                    mic,
                    call_sid=sid,
                    parameters={name: value for name, value in parameters.items() if value is not None},
                    hang_up_after_ms=options.hang_up_after_ms,
                    recording=recording,
                    heard=heard,
                )
            except NotAnswered as error:
                errors.print(str(error))
                return 1
            finally:
                if following is not None and not begun.is_set():
                    following.cancel()
    return _tell(played, mic, console, errors)


def _tell(played: Played, mic: Microphone, console: Console, errors: Console) -> int:
    if played.cut_short:
        reason = f": {played.close_reason}" if played.close_reason else ""
        errors.print(f"The hub ended the call after {played.seconds:.1f} s with close code {played.close_code}{reason}")
        return 1
    lost = f", {played.frames_lost} lost because the hub took no more" if played.frames_lost else ""
    late = f"; {mic.overflows} times this machine was too slow for the microphone" if mic.overflows else ""
    console.print(f"Spoke for {played.seconds:.1f} s in {played.call_sid}: {played.frames_sent['inbound']} frames{lost}{late}.")
    if mic.vanished:
        errors.print(f"{mic.name} gives no more sound: it was unplugged, or another program took it.")
        return 1
    return 0


def _recording(path: Path) -> Recording:
    try:
        return Recording(path)
    except OSError as error:
        raise _NoFile(f"{path} cannot be written: {error.strerror or error}.") from error


def _bar(console: Console, *, shown: bool) -> Progress:
    columns = TextColumn("{task.description}", markup=False), TimeElapsedColumn(), BarColumn(bar_width=20)
    return Progress(*columns, console=console, disable=not shown, transient=True)


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


async def _follow(options: argparse.Namespace, sid: str, begun: asyncio.Event, errors: Console) -> None:
    """Show the transcript until the call has ended; what keeps us from it does not end the call."""
    await begun.wait()
    url = re.sub(r"/[^/]*$", "/client", options.url)
    give_up = asyncio.get_running_loop().time() + BEGIN_SECONDS
    while True:
        try:
            await tail(url, sid, json=False, token=options.token)
        except Refused as refused:
            if refused.refusal_code == "unknown-call" and asyncio.get_running_loop().time() < give_up:
                await asyncio.sleep(0.1)
                continue
            errors.print(f"The transcript cannot be shown: {refused}")
        return


def _device(text: str) -> str | int:
    return int(text) if text.isdigit() else text


def main(argv: list[str] | None = None) -> int:
    """Run `transcript-client mic`."""
    parser = argparse.ArgumentParser(prog="transcript-client mic")
    add_arguments(parser)
    return run(parser.parse_args(argv))
