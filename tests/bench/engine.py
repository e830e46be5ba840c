"""What the engine on this machine costs, and how well it reads, without sockets and without waiting: CPU time, not wall time.

    python -m tests.bench.engine                     the calls of `make accuracy`, each track by itself, with interims
    python -m tests.bench.engine --noise babble      the same after a minute of noise, 8 dB below the voice, which goes on under it:
                                                     babble, car, hiss or pink
    python -m tests.bench.engine --echo              the same with the echo of the other side in each track; --echo --band: through a filter
    python -m tests.bench.engine --without-pauses 10 ten minutes of speech without a pause of 0.2 s
    python -m tests.bench.engine --late 7            the same calls, 7 ms later: the figures are to hold at any alignment
    python -m tests.bench.engine CALL.flac ...       other calls, with a .json of {track, start, end, text} beside each

Both tracks are given 100 ms at a time, and each interim is made when it is due, as on a machine with time to spare. Prints word errors, the
longest final, CPU per second of voice (what a track costs while somebody speaks), and the largest single piece of work.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer

from clients.audio.files import read_call
from hub.audio import g711
from hub.audio.g711 import TRACKS, Track
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.echo import RecentSound
from hub.vendors.moonshine.recognizer import MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from tests.bench import accuracy, disturbances
from tests.bench.disturbances import echoed, through_a_band, with_noise, without_pauses

PIECE_BYTES = 800

Line = dict[str, Any]
Sound = dict[Track, bytes]


@dataclass
class Cost:
    """What one track came to."""

    reports: list[Recognized]
    cpu_seconds: float = 0.0
    most_cpu_seconds: float = 0.0
    """Of one piece of work."""

    def finals(self) -> list[Recognized]:
        """The utterances with words."""
        return [report for report in self.reports if report.settled and report.text]

    def text(self) -> str:
        """All their words."""
        return " ".join(final.text for final in self.finals())

    def take(self, work: Callable[[], list[Recognized]]) -> None:
        """Do a piece of work and count it."""
        began = time.process_time()
        self.reports += work()
        seconds = time.process_time() - began
        self.cpu_seconds += seconds
        self.most_cpu_seconds = max(self.most_cpu_seconds, seconds)


class Engine:
    """The models, for one call after the other."""

    def __init__(self) -> None:
        self.detectors, self.recognizer = SileroPool(), MoonshineRecognizer()
        self.recognizer.load()

    def run(self, sound: Sound, *, interims: bool = True) -> dict[Track, Cost]:
        """Recognize both tracks, in step."""
        recent = {track: RecentSound() for track in TRACKS}
        costs: dict[Track, Cost] = {track: Cost([]) for track in TRACKS}
        recognizers = {
            track: TrackRecognizer(track, self.detectors, self.recognizer, recent[other])
            for track, other in zip(TRACKS, TRACKS[::-1], strict=True)
        }
        for at in range(0, max(map(len, sound.values())), PIECE_BYTES):
            for track in TRACKS:
                recent[track].take(g711.ms(at), sound[track][at : at + PIECE_BYTES])
            for track, recognizer in recognizers.items():
                piece = sound[track][at : at + PIECE_BYTES]
                costs[track].take(lambda recognizer=recognizer, at=at, piece=piece: recognizer.recognize(g711.ms(at), piece))  # type: ignore[misc]
                if interims and recognizer.interim_due() >= 1:
                    costs[track].take(recognizer.interim)
        for track, recognizer in recognizers.items():
            costs[track].take(recognizer.interrupt)
        return costs


def show(name: str, cost: Cost, lines: list[Line]) -> None:
    """Print one line of figures."""
    finals = cost.finals()
    voice = sum(final.end - final.start for final in finals) or 1.0
    longest = max((final.end - final.start for final in finals), default=0.0)
    said = accuracy.plain(" ".join(line["text"] for line in lines))
    wrong = f"word errors {jiwer.wer(said, accuracy.plain(cost.text())):.3f}, " if said else ""
    lost = sum(not any(final.start < line["end"] and final.end > line["start"] for final in finals) for line in lines)
    print(
        f"{name}: {wrong}{lost} of {len(lines)} lines lost, {len(finals)} finals of at most {longest:.1f} s, "
        f"{cost.cpu_seconds / voice:.2f} core while speaking, at most {cost.most_cpu_seconds:.2f} s of CPU at once",
        flush=True,
    )


def disturbed(options: argparse.Namespace, sound: Sound, lines: dict[Track, list[Line]]) -> tuple[Sound, dict[Track, list[Line]]]:
    """Return a call's sound and lines as the options want them."""
    if options.echo:
        change = through_a_band if options.band else None
        sound = {track: echoed(sound[track], sound[other], change=change) for track, other in zip(TRACKS, TRACKS[::-1], strict=True)}
    if options.noise:
        noise = {
            "babble": lambda: disturbances.babble([sound[track] for track in TRACKS]),
            "car": lambda: disturbances.car_noise(30),
            "hiss": lambda: disturbances.hiss(30),
            "pink": lambda: disturbances.pink_noise(30),
        }[options.noise]()
        noisy = {track: with_noise(sound[track], lines[track], options.below, noise) for track in TRACKS}
        sound, lines = {track: each[0] for track, each in noisy.items()}, {track: each[1] for track, each in noisy.items()}
    return {track: g711.silence(options.late * g711.BYTES_PER_MS) + sound[track] for track in TRACKS}, lines


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", nargs="*", type=Path, metavar="CALL", default=[call.audio for call in accuracy.CALLS])
    parser.add_argument("--noise", choices=["babble", "car", "hiss", "pink"])
    parser.add_argument("--below", type=float, metavar="DB", default=8, help="how far the noise is below the voice: 8 by default")
    parser.add_argument("--echo", action="store_true", help="22 dB weaker and 180 ms later")
    parser.add_argument("--band", action="store_true", help="the echo comes through a filter from 400 to 2200 Hz")
    parser.add_argument("--without-pauses", type=float, metavar="MINUTES", help="join the calls' speech")
    parser.add_argument("--late", type=int, metavar="MS", default=0, help="how much later the sound begins")
    parser.add_argument("--no-interims", action="store_true", help="finals alone")
    parser.add_argument("--text", action="store_true", help="print what was recognized")
    options, engine = parser.parse_args(), Engine()
    calls = {path: read_call(path) for path in options.calls}
    sounds: dict[Path, Sound] = {
        path: {"inbound": call.inbound, "outbound": call.outbound or g711.silence(len(call.inbound))} for path, call in calls.items()
    }
    if options.without_pauses:
        speech = without_pauses([sound[track] for sound in sounds.values() for track in TRACKS], options.without_pauses)
        costs = engine.run({"inbound": speech, "outbound": g711.silence(len(speech))}, interims=not options.no_interims)
        show(f"{options.without_pauses:g} minutes without a pause", costs["inbound"], [])
        return 0
    for path, sound in sounds.items():
        script = json.loads(path.with_suffix(".json").read_text())
        lines: dict[Track, list[Line]] = {track: [line for line in script if line["track"] == track] for track in TRACKS}
        sound, lines = disturbed(options, sound, lines)
        for track, cost in engine.run(sound, interims=not options.no_interims).items():
            show(f"{path.stem} {track}", cost, lines[track])
            for final in cost.finals() if options.text else ():
                print(f"    {final.start:6.2f}-{final.end:6.2f} {final.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
