"""A pretend Twilio: plays a recorded call into the hub's /twilio door, frame by frame as Media Streams would.

Knows when which frame of a recording leaves, and what goes wrong on the way. Knows nothing of what the hub makes of the call. `call()` is
the library, `run()` the command line.
"""

import argparse
import asyncio
import heapq
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clients import dialling
from clients.dialling import duration_ms
from clients.leg import Leg, NotAnswered, Played
from clients.signature import Unsigned
from clients.sound import Sound, UnreadableSound, read_call
from clients.stream import FIRST_TIMESTAMP_MS, FRAME_BYTES, FRAME_MS, Frame, Stream, new_sid
from hub.audio.g711 import BYTES_PER_MS, SILENCE_BYTE, Track

SAMPLE = Path(__file__).parent / "sample" / "support-call.flac"
"""The call that is played when no file is named."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the way. The same faults with the same `seed` send the same frames in the same order.

    A frame that is lost, late or repeated keeps its true timestamp and chunk number; `sequenceNumber` counts what is really sent.
    """

    late_outbound_ms: int = 0  # the outbound track begins this late, as while it rings: what it held before is never sent
    lose: float = 0.0  # this share of the frames, 0-1, is never sent
    jitter_ms: int = 0  # each frame leaves up to this much too late, and so out of order
    duplicate: int = 0  # every nth frame of a track is sent twice, as the very same message; 0: none
    one_sided: bool = False  # inbound only, although start names both tracks
    no_stop: bool = False  # no stop and no close frame: the socket is cut off
    hang_up_after_ms: int | None = None  # the call ends here, with a stop (unless no_stop); None: it is played to its end
    seed: int = 0


NO_FAULTS = Faults()


def frames(sound: Sound, faults: Faults = NO_FAULTS) -> Iterator[Frame]:
    """Yield the call's frames in the order in which they leave, each 160 bytes, the last one filled up with silence."""
    waiting: list[tuple[float, int, Frame]] = []  # delayed by jitter; the number keeps frames of one moment in order
    for number, frame in enumerate(_recorded(sound, faults)):
        heapq.heappush(waiting, (frame.at_ms, number, frame))
        while waiting and waiting[0][0] <= frame.timestamp_ms - FIRST_TIMESTAMP_MS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _recorded(sound: Sound, faults: Faults) -> Iterator[Frame]:
    chance = random.Random(faults.seed)
    tracks: dict[Track, bytes] = {"inbound": sound.inbound}
    if sound.outbound is not None and not faults.one_sided:
        tracks["outbound"] = sound.outbound
    chunks = dict.fromkeys(tracks, 0)
    for position_ms in range(0, math.ceil(_length_ms(sound, faults)), FRAME_MS):
        for track, mulaw in tracks.items():
            if track == "outbound" and position_ms < faults.late_outbound_ms:
                continue
            chunks[track] += 1
            piece = mulaw[position_ms * BYTES_PER_MS : (position_ms + FRAME_MS) * BYTES_PER_MS]
            copies = 2 if faults.duplicate and chunks[track] % faults.duplicate == 0 else 1
            yield Frame(
                at_ms=position_ms + chance.uniform(0, faults.jitter_ms),
                track=track,
                chunk=chunks[track],
                timestamp_ms=FIRST_TIMESTAMP_MS + position_ms,
                payload=piece.ljust(FRAME_BYTES, bytes([SILENCE_BYTE])),
                copies=0 if chance.random() < faults.lose else copies,
            )


def _length_ms(sound: Sound, faults: Faults) -> float:
    whole = sound.seconds * 1000
    return whole if faults.hang_up_after_ms is None else min(whole, faults.hang_up_after_ms)


async def call(
    url: str,
    sound: Sound,
    *,
    call_sid: str | None = None,
    stream_sid: str | None = None,
    parameters: Mapping[str, str] | None = None,
    speed: float = 1.0,
    faults: Faults = NO_FAULTS,
    progress: Callable[[float], None] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Played:
    """Play a call into `url` and hang up. `speed` 2 is twice as fast, 0 as fast as the socket takes it.

    `progress` is told the seconds of audio that were sent; `headers` go onto the upgrade (`X-Twilio-Signature`, say). Safe to cancel:
    stop is sent then too. Raises: NotAnswered.
    """
    stream = Stream(call_sid or new_sid("CA"), stream_sid or new_sid("MZ"))
    sent: dict[Track, int] = {"inbound": 0} if sound.outbound is None else {"inbound": 0, "outbound": 0}
    lost, seconds = 0, 0.0
    clock = asyncio.get_running_loop().time
    async with Leg(url, stream, list(sent), parameters, headers=headers) as leg:
        began = clock()
        for frame in frames(sound, faults):
            await _until(began + frame.at_ms / 1000 / speed if speed else 0.0, clock)
            message = stream.media(frame) if frame.copies else b""
            for _copy in range(frame.copies):
                await leg.say(message)
            sent[frame.track] += frame.copies
            lost += frame.copies == 0
            seconds = max(seconds, (frame.timestamp_ms - FIRST_TIMESTAMP_MS + FRAME_MS) / 1000)
            if progress is not None:
                progress(seconds)
        await _until(began + _length_ms(sound, faults) / 1000 / speed if speed else 0.0, clock)
        if faults.no_stop:
            leg.break_off()
        else:
            await leg.say(stream.stop())
    return leg.played(sent, lost, seconds)


async def _until(deadline: float, clock: Callable[[], float]) -> None:
    """Wait for a moment of the loop's clock. Deadlines are absolute, so that a late frame does not make the next one late."""
    await asyncio.sleep(max(0.0, deadline - clock()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands."""
    parser.description = (
        "Play a recorded call into the hub, as Twilio would: the file's left channel is the caller, the right one the callee."
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="WAV, FLAC, Ogg, MP3, …; without one, a sample call")
    dialling.add_arguments(parser)
    parser.add_argument("--speed", default=1.0, type=_speed, metavar="N", help="2 is twice as fast, `max` as fast as it goes")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless something goes wrong")
    faults = parser.add_argument_group("what may go wrong", "Durations: 3s, 150ms or 1.5 (seconds). Timestamps stay true.")
    faults.add_argument(
        "--late-outbound", dest="late_outbound_ms", default=0, type=duration_ms, metavar="3s", help="the callee's track begins this late"
    )
    faults.add_argument("--lose", default=0.0, type=_share, metavar="2%", help="this share of the frames never arrives")
    faults.add_argument(
        "--jitter", dest="jitter_ms", default=0, type=duration_ms, metavar="150ms", help="frames come up to this late, out of order"
    )
    faults.add_argument("--duplicate", action="store_const", default=0, const=20, help="every 20th frame of a track comes twice")
    faults.add_argument("--one-sided", action="store_true", help="only the caller is heard, though both tracks are announced")
    faults.add_argument("--no-stop", action="store_true", help="the socket is cut off at the end, without a stop")
    faults.add_argument("--hang-up-after", dest="hang_up_after_ms", type=duration_ms, metavar="10s", help="the call ends here")
    faults.add_argument("--seed", default=0, type=int, metavar="N", help="another number, other accidents")


def run(options: argparse.Namespace) -> int:
    """Play the call that the options describe; return the exit code: 0 played, 1 the hub did not take all of it, 2 wrong options."""
    console = Console(stderr=True, quiet=options.quiet, highlight=False)
    errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    try:
        sound = read_call(options.file or SAMPLE)
        dialled = dialling.read(options)
    except (UnreadableSound, Unsigned) as exc:
        errors.print(exc)
        return 2
    faults = Faults(**{field.name: getattr(options, field.name) for field in fields(Faults)})
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    try:
        with Progress(*columns, console=console, disable=options.quiet, transient=True) as bar:
            task = bar.add_task(dialled.call_sid, total=_length_ms(sound, faults) / 1000)
            playing = call(
                dialled.url,
                sound,
                call_sid=dialled.call_sid,
                parameters=dialled.parameters,
                speed=options.speed,
                faults=faults,
                progress=lambda seconds: bar.update(task, completed=seconds),
                headers=dialled.headers,
            )
            played = asyncio.run(playing)
    except NotAnswered as exc:
        errors.print(dialled.explain(exc))
        return 1
    except KeyboardInterrupt:
        errors.print("You hung up.")
        return 130  # what a shell gives a program that Ctrl-C ended
    if played.cut_short:
        errors.print(played.ending)
        return 1
    count = " + ".join(f"{number} {track}" for track, number in played.frames_sent.items())
    lost = f", {played.frames_lost} lost" if played.frames_lost else ""
    console.print(f"Played {played.seconds:.1f} s of {played.call_sid}: {count} frames{lost}.", soft_wrap=True)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run `transcript-client call`."""
    parser = argparse.ArgumentParser(prog="transcript-client call")
    add_arguments(parser)
    return run(parser.parse_args(argv))


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
