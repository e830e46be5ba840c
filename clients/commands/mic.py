"""`transcript-client mic`: speak into a hub as the caller of a phone call.

Knows options, what a speaker needs to see, and exit codes. Does not know devices or streams.
"""

import argparse
import asyncio
from contextlib import ExitStack, aclosing, closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from clients.audio.wav import WavRecorder
from clients.commands import call_options, hub_options
from clients.devices.microphone import Microphone, hang_up_on_ctrl_c, microphone
from clients.devices.portaudio import NoDevice, device, devices
from clients.follow import Refused, door_address, follow
from clients.pretend_twilio.media_socket import CallResult, NotAnswered, OutgoingCall
from clients.pretend_twilio.signature import CannotSign
from clients.pretend_twilio.speaking import speak
from clients.terminal.transcript import show
from hub.audio import g711
from hub.backoff import Backoff
from hub.text.foreign_text import line

FULL_LEVEL = 6000
"""The level that fills the meter, of 32768: loud speech near a microphone."""

SILENT_LEVEL = 8
"""A level below this, of 32768, means a microphone that is muted or not allowed. Even a quiet room has more noise."""

SILENT_SECONDS = 3.0
"""How long such silence lasts before the speaker is asked about it."""

START_SECONDS = 5.0
"""How long the hub may take to know the call that has just been announced to it."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 0.4
"""The waits before asking the hub again for a call that it does not know yet. It usually knows the call at the second try."""


class LevelMeter:
    """Shows the time and how loud the speaker is. Asks once whether the microphone is muted if it delivers only silence."""

    def __init__(self, console: Console, bar: Progress, call_sid: str) -> None:
        self._console = console
        self._bar = bar
        self._task = bar.add_task(call_sid, total=FULL_LEVEL)
        self._loudest = 0
        self._asked = False

    def show(self, seconds: float, mulaw: bytes) -> None:
        """Show the level of one frame. `seconds` is the call's length including it."""
        level = g711.level(mulaw)
        self._loudest = max(self._loudest, level)
        self._bar.update(self._task, completed=min(FULL_LEVEL, level))
        if not self._asked and self._loudest < SILENT_LEVEL and seconds >= SILENT_SECONDS:
            self._asked = True
            self._console.print("The microphone delivers only silence: is it muted, or is this terminal not allowed to use it?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    parser.description = "Speak into the hub, as the caller of a phone call. Ctrl-C hangs up."
    call_options.add_arguments(parser)
    parser.add_argument("--device", type=device, metavar="NAME", help="an input device, by number or part of its name")
    parser.add_argument("--devices", action="store_true", help="list the devices, and do nothing else")
    parser.add_argument("--save", type=Path, metavar="FILE.wav", help="record what was sent, 8 kHz 16-bit, as the hub received it")
    parser.add_argument("--follow", action="store_true", help="show the call's own transcript while you speak")
    hub_options.add_token(parser, "for --follow, where the hub wants a token (default: the variable HUB_TOKEN)")
    parser.add_argument("--hang-up-after", dest="hang_up_after_ms", type=call_options.duration_ms, metavar="10s", help="the call ends here")
    parser.add_argument("--quiet", action="store_true", help="print only the callSid, unless something goes wrong")


def run(options: argparse.Namespace) -> int:
    """Speak as the options say; return the exit code: 0 hung up, 1 the hub or the device ended the call, 2 no microphone, or no file."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        if options.devices:
            print(devices())
            return 0
        return asyncio.run(_call(options, call_options.read(options), errors))
    except (NoDevice, CannotSign, _CannotWrite) as error:
        errors.print(str(error))
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print("You left without waiting for the last words." if options.follow else "You hung up.")
        return 130


class _CannotWrite(OSError):
    """The recording cannot be written. Its text is one sentence."""


async def _call(options: argparse.Namespace, call: OutgoingCall, errors: Console) -> int:
    console = Console(stderr=True, quiet=options.quiet, highlight=False, markup=False)
    with ExitStack() as stack:
        recorder = stack.enter_context(closing(_recorder(options.save))) if options.save else None
        mic = stack.enter_context(microphone(options.device))
        hang_up_on_ctrl_c(mic)
        meter = LevelMeter(console, stack.enter_context(_bar(console, shown=not options.quiet and not options.follow)), call.call_sid)
        console.print(f"Speak into {mic.name}; Ctrl-C hangs up.")
        print(call.call_sid, flush=True)
        begun = asyncio.Event()

        def sent(seconds: float, mulaw: bytes) -> None:
            begun.set()
            meter.show(seconds, mulaw)

        async with asyncio.TaskGroup() as group:
            url = door_address(options.url, "/client")
            following = group.create_task(show_transcript(url, options.token, call.call_sid, begun, errors)) if options.follow else None
            try:
                spoken = await speak(call, mic, hang_up_after_ms=options.hang_up_after_ms, recorder=recorder, sent=sent)
            except NotAnswered as error:
                errors.print(call.explain(error))
                return 1
            finally:
                if following is not None and not begun.is_set():
                    following.cancel()
    return _report(spoken, mic, console, errors)


def _report(spoken: CallResult, mic: Microphone, console: Console, errors: Console) -> int:
    """Print how the call went. Return the exit code."""
    if spoken.cut_short:
        errors.print(spoken.ending)
        return 1
    lost = f", {spoken.frames_lost} lost because the hub took no more" if spoken.frames_lost else ""
    late = f"; {mic.overflows} times this machine was too slow for the microphone" if mic.overflows else ""
    console.print(f"Spoke for {spoken.seconds:.1f} s in {spoken.call_sid}: {spoken.frames_sent['inbound']} frames{lost}{late}.")
    if mic.vanished:
        errors.print(mic.loss)
        return 1
    return 0


def _recorder(path: Path) -> WavRecorder:
    try:
        return WavRecorder(path)
    except OSError as error:
        raise _CannotWrite(f"{path} cannot be written: {error.strerror or error}.") from error


def _bar(console: Console, *, shown: bool) -> Progress:
    columns = TextColumn("{task.description}", markup=False), TimeElapsedColumn(), BarColumn(bar_width=20)
    return Progress(*columns, console=console, disable=not shown, transient=True)


async def show_transcript(
    url: str, token: str | None, call_sid: str, begun: asyncio.Event, errors: Console, start_seconds: float = START_SECONDS
) -> None:
    """Show the transcript from when `begun` is set until the call has ended. A transcript that cannot be shown does not end the call."""
    await begun.wait()
    problem: Refused | None = None
    async for _ in Backoff(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, give_up_seconds=start_seconds).until():
        try:
            async with aclosing(follow(url, call_sid, token=token)) as followed:
                await show(followed)
            return
        except Refused as refused:
            problem = refused
            if refused.refusal_code != "unknown-call":
                break
    errors.print(f"The transcript cannot be shown: {line(str(problem))}")
