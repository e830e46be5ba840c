"""`transcript-client call`: play a recorded call into a hub, or call an agent.

Knows options, progress and exit codes. Does not know how a call is played.
"""

import argparse
import asyncio
import math
import re
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clients.audio.files import UnreadableFile, read_call
from clients.commands import call_agent, call_options
from clients.commands.call_options import duration_ms
from clients.pretend_twilio.media_socket import NotAnswered
from clients.pretend_twilio.playback import Faults, length_ms, play
from clients.pretend_twilio.signature import CannotSign
from clients.sample import SAMPLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    parser.description = (
        "Play a recorded call into the hub, as Twilio would: the file's left channel is the caller, the right one the callee."
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="WAV, FLAC, Ogg, MP3, …; without one, a sample call")
    call_options.add_arguments(parser)
    parser.add_argument("--speed", default=1.0, type=_speed, metavar="N", help="2 is twice as fast, `max` as fast as possible")
    parser.add_argument("--quiet", action="store_true", help="print nothing unless something goes wrong")
    faults = parser.add_argument_group("what may go wrong", "Durations: 3s, 150ms or 1.5 (seconds). Timestamps stay true.")
    faults.add_argument(
        "--late-outbound", dest="late_outbound_ms", default=0, type=duration_ms, metavar="3s", help="the callee's track starts this late"
    )
    faults.add_argument("--lose", default=0.0, type=_share, metavar="2%", help="this share of the frames never arrives")
    faults.add_argument(
        "--jitter", dest="jitter_ms", default=0, type=duration_ms, metavar="150ms", help="frames come up to this late, out of order"
    )
    faults.add_argument("--duplicate", action="store_const", default=0, const=20, help="every 20th frame of a track comes twice")
    faults.add_argument("--one-sided", action="store_true", help="only the caller's audio is sent, though both tracks are announced")
    faults.add_argument("--no-stop", action="store_true", help="the socket is cut off at the end, without a stop")
    faults.add_argument("--hang-up-after", dest="hang_up_after_ms", type=duration_ms, metavar="10s", help="the call ends here")
    faults.add_argument("--seed", default=0, type=int, metavar="N", help="another number makes other accidents")
    call_agent.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Make the call that the options describe; return the exit code: 0 played, 1 the hub did not take all of it, 2 wrong options."""
    return _play(options) if options.agent is None else call_agent.run(options)


def _play(options: argparse.Namespace) -> int:
    console = Console(stderr=True, quiet=options.quiet, highlight=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        recording = read_call(options.file or SAMPLE)
        call = call_options.read(options)
    except (UnreadableFile, CannotSign) as error:
        errors.print(error)
        return 2
    faults = Faults(**{field.name: getattr(options, field.name) for field in fields(Faults)})
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    try:
        with Progress(*columns, console=console, disable=options.quiet, transient=True) as bar:
            task = bar.add_task(call.call_sid, total=length_ms(recording, faults) / 1000)
            playing = play(
                call, recording, speed=options.speed, faults=faults, progress=lambda seconds: bar.update(task, completed=seconds)
            )
            played = asyncio.run(playing)
    except NotAnswered as error:
        errors.print(call.explain(error))
        return 1
    except KeyboardInterrupt:
        errors.print("You hung up.")
        return 130  # what a shell reports for a program that Ctrl-C ended
    if played.cut_short:
        errors.print(played.ending)
        return 1
    count = " + ".join(f"{number} {track}" for track, number in played.frames_sent.items())
    lost = f", {played.frames_lost} lost" if played.frames_lost else ""
    console.print(f"Played {played.seconds:.1f} s of {played.call_sid}: {count} frames{lost}.", soft_wrap=True)
    return 0


def _share(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%)?", text)
    share = float(match[1]) / (100 if match[2] else 1) if match else math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 2% or 0.02")
    return share


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    if re.fullmatch(r"\d+(?:\.\d+)?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: write 1, 2.5 or max")
    return float(text)
