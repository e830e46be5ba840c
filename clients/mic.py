"""A microphone as a phone call: what is said here goes into the hub's /twilio as the caller's track, as fast as the device gives it.

Knows the call's frames and what a speaker wants to see. `speak()` is the library, `run()` the command line.
"""

import argparse
import asyncio
import os
import re
import wave
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from clients import dialling
from clients.dialling import Dialling
from clients.follow import Refused
from clients.leg import Leg, NotAnswered, Played
from clients.microphone import Microphone, hang_up_on_ctrl_c, microphone
from clients.portaudio import NoDevice, device, devices
from clients.signature import Unsigned
from clients.stream import FIRST_TIMESTAMP_MS, FRAME_BYTES, FRAME_MS, Frame, Stream, new_sid
from clients.tail import tail
from hub.audio import g711

FULL_LEVEL = 6000
"""What fills the meter, of 32768: loud speech near a microphone."""

HUSH_LEVEL = 8
"""Quieter than this, of 32768, is no quiet room but a microphone that is muted or not allowed: even those have some noise."""

HUSH_SECONDS = 3.0
"""How long such a silence lasts before it is remarked upon."""

BEGIN_SECONDS = 5.0
"""How long the hub may take to know the call that it was just told of."""


class Recording:
    """A WAV of what was sent, 8 kHz 16-bit mono: bit for bit what the hub heard, with silence where frames were lost."""

    def __init__(self, path: Path) -> None:
        """Raises: OSError."""
        self._to = path.open("wb")  # not by `wave`: one that could not open its file complains again when it is collected
        self._file = wave.open(self._to, "wb")  # noqa: SIM115  closed by `close`
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(g711.SAMPLE_RATE_HZ)
        self._frames = 0

    def add(self, number: int, mulaw: bytes) -> None:
        """Write the frame of this number."""
        missing = number - self._frames
        self._file.writeframesraw(g711.to_pcm(g711.silence(missing * FRAME_BYTES) + mulaw))
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
    headers: Mapping[str, str] | None = None,
) -> Played:
    """Speak into `url` until somebody hangs up, the time is over, or the device ends; then say stop and close.

    `heard` is told each frame that was sent, with the seconds of the call after it. Safe to cancel: stop is sent then too.
    Raises: NotAnswered.
    """
    stream = Stream(call_sid or new_sid("CA"), new_sid("MZ"))
    sent, seconds = 0, 0.0
    async with Leg(url, stream, ["inbound"], parameters, headers=headers) as leg:
        while (hang_up_after_ms is None or seconds * 1000 < hang_up_after_ms) and (spoken := await mic.frame()) is not None:
            number, mulaw = spoken
            at_ms = number * FRAME_MS
            await leg.say(stream.media(Frame("inbound", number + 1, FIRST_TIMESTAMP_MS + at_ms, mulaw)))
            sent, seconds = sent + 1, (at_ms + FRAME_MS) / 1000
            if recording is not None:
                recording.add(number, mulaw)
            if heard is not None:
                heard(seconds, mulaw)
        await leg.say(stream.stop())
    return leg.played({"inbound": sent}, mic.lost, seconds)


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
        level = g711.level(mulaw)
        self._loudest = max(self._loudest, level)
        self._bar.update(self._task, completed=min(FULL_LEVEL, level))
        if not self._remarked and self._loudest < HUSH_LEVEL and seconds >= HUSH_SECONDS:
            self._remarked = True
            self._console.print("The microphone gives only silence: is it muted, or may this terminal not use it?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands."""
    parser.description = "Speak into the hub, as the caller of a phone call. Ctrl-C hangs up."
    dialling.add_arguments(parser)
    parser.add_argument("--device", type=device, metavar="NAME", help="an input device, by number or part of its name")
    parser.add_argument("--devices", action="store_true", help="list the devices there are, and do nothing else")
    parser.add_argument("--save", type=Path, metavar="FILE.wav", help="keep what was sent, 8 kHz 16-bit, as the hub heard it")
    parser.add_argument("--follow", action="store_true", help="show the call's own transcript while you speak")
    parser.add_argument(
        "--token", default=os.environ.get("HUB_TOKEN") or None, help="for --follow, where the hub wants one (default: HUB_TOKEN)"
    )
    parser.add_argument("--hang-up-after", dest="hang_up_after_ms", type=dialling.duration_ms, metavar="10s", help="the call ends here")
    parser.add_argument("--quiet", action="store_true", help="say only the callSid, unless something goes wrong")


def run(options: argparse.Namespace) -> int:
    """Speak as the options say; return the exit code: 0 hung up, 1 the hub or the device ended it, 2 no microphone, or no file."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        if options.devices:
            print(devices())
            return 0
        return asyncio.run(_call(options, dialling.read(options), errors))
    except (NoDevice, Unsigned, _NoFile) as error:
        errors.print(str(error))
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("You left without waiting for the last words." if options.follow else "You hung up.")
        return 130


class _NoFile(OSError):
    """The recording cannot be written; its text is a sentence."""


async def _call(options: argparse.Namespace, dialled: Dialling, errors: Console) -> int:
    console = Console(stderr=True, quiet=options.quiet, highlight=False, markup=False)
    sid = dialled.call_sid
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
                    dialled.url,
                    mic,
                    call_sid=sid,
                    parameters=dialled.parameters,
                    hang_up_after_ms=options.hang_up_after_ms,
                    recording=recording,
                    heard=heard,
                    headers=dialled.headers,
                )
            except NotAnswered as error:
                errors.print(dialled.explain(error))
                return 1
            finally:
                if following is not None and not begun.is_set():
                    following.cancel()
    return _tell(played, mic, console, errors)


def _tell(played: Played, mic: Microphone, console: Console, errors: Console) -> int:
    if played.cut_short:
        errors.print(played.ending)
        return 1
    lost = f", {played.frames_lost} lost because the hub took no more" if played.frames_lost else ""
    late = f"; {mic.overflows} times this machine was too slow for the microphone" if mic.overflows else ""
    console.print(f"Spoke for {played.seconds:.1f} s in {played.call_sid}: {played.frames_sent['inbound']} frames{lost}{late}.")
    if mic.vanished:
        errors.print(mic.loss)
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


def main(argv: list[str] | None = None) -> int:
    """Run `transcript-client mic`."""
    parser = argparse.ArgumentParser(prog="transcript-client mic")
    add_arguments(parser)
    return run(parser.parse_args(argv))
