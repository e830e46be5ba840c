"""What the engine on this machine costs, and how well it reads, without sockets and without waiting: CPU time, not wall time.

    python -m tests.bench.engine                     the calls of `make accuracy`, each track by itself, with interims
    python -m tests.bench.engine --noise 8           the same after a minute of noise, 8 dB below the voice, which goes on under it
    python -m tests.bench.engine --without-pauses 10 ten minutes of speech without a pause of 0.2 s
    python -m tests.bench.engine CALL.flac ...       other calls, with a .json of {track, start, end, text} beside each

A track is given 100 ms at a time, and each interim is made when it is due, as on a machine with time to spare. Prints word errors, the
longest final, CPU per second of voice (what a track costs while somebody speaks), and the largest single piece of work.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy

from clients.audio.files import read_call
from hub.audio import g711
from hub.audio.resample import floats
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.recognizer import MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from tests.bench import accuracy

PIECE_BYTES = 800


@dataclass
class Cost:
    """What one track came to."""

    reports: list[Recognized]
    cpu_seconds: float
    most_cpu_seconds: float
    """Of one piece of work."""

    def finals(self) -> list[Recognized]:
        """The utterances with words."""
        return [report for report in self.reports if report.settled and report.text]

    def text(self) -> str:
        """All their words."""
        return " ".join(final.text for final in self.finals())


class Engine:
    """The models, for one track after the other."""

    def __init__(self) -> None:
        self.detectors, self.recognizer = SileroPool(), MoonshineRecognizer()
        self.recognizer.load()

    def run(self, mulaw: bytes, *, interims: bool = True) -> Cost:
        """Recognize a track."""
        track, cost = TrackRecognizer("inbound", self.detectors, self.recognizer), Cost([], 0.0, 0.0)
        for at in range(0, len(mulaw), PIECE_BYTES):
            began = time.process_time()
            cost.reports += track.recognize(g711.ms(at), mulaw[at : at + PIECE_BYTES])
            self._count(cost, began)
            if interims and track.interim_due() >= 1:
                began = time.process_time()
                cost.reports += track.interim()
                self._count(cost, began)
        began = time.process_time()
        cost.reports += track.interrupt()
        self._count(cost, began)
        return cost

    @staticmethod
    def _count(cost: Cost, began: float) -> None:
        seconds = time.process_time() - began
        cost.cpu_seconds += seconds
        cost.most_cpu_seconds = max(cost.most_cpu_seconds, seconds)


def with_noise(mulaw: bytes, lines: list[dict[str, Any]], below_db: float) -> tuple[bytes, list[dict[str, Any]]]:
    """Put a minute of pink noise before a track and let it go on under it, so much weaker than the voice of its lines."""
    speech = floats(mulaw)
    voice = numpy.concatenate([speech[int(line["start"] * 8000) : int(line["end"] * 8000)] for line in lines])
    size = len(speech) + 60 * g711.SAMPLE_RATE_HZ
    spectrum = numpy.fft.rfft(numpy.random.default_rng(7).normal(size=size))
    noise = numpy.fft.irfft(spectrum / numpy.sqrt(numpy.maximum(numpy.fft.rfftfreq(size, 1 / 8000), 20)), size)
    noise *= numpy.sqrt(numpy.mean(voice**2) / numpy.mean(noise**2)) * 10 ** (-below_db / 20)
    noise[-len(speech) :] += speech
    later = [{**line, "start": line["start"] + 60, "end": line["end"] + 60} for line in lines]
    return g711.to_mulaw((numpy.clip(noise, -1, 1) * 32767).astype("<i2").tobytes()), later


def without_pauses(tracks: list[bytes], minutes: float) -> bytes:
    """Join what is loud of these tracks, over and over: no pause of 0.2 s is left."""
    speech = bytearray()
    for track in tracks:
        steps = [track[at : at + 160] for at in range(0, len(track), 160)]
        loud = [g711.level(step) > 200 for step in steps]
        speech += b"".join(
            step for at, step in enumerate(steps) if any(loud[max(0, at - 4) : at + 5]) and any(loud[max(0, at - 4) : at + 1])
        )
    size = int(minutes * 60 * g711.SAMPLE_RATE_HZ)
    return (bytes(speech) * (size // len(speech) + 1))[:size]


def show(name: str, cost: Cost, lines: list[dict[str, Any]]) -> None:
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


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", nargs="*", type=Path, metavar="CALL", default=[call.audio for call in accuracy.CALLS])
    parser.add_argument("--noise", type=float, metavar="DB", help="how far below the voice")
    parser.add_argument("--without-pauses", type=float, metavar="MINUTES", help="join the calls' speech")
    parser.add_argument("--no-interims", action="store_true", help="finals alone")
    parser.add_argument("--text", action="store_true", help="print what was recognized")
    options, engine = parser.parse_args(), Engine()
    sounds = {path: read_call(path) for path in options.calls}
    if options.without_pauses:
        tracks = [track for sound in sounds.values() for track in (sound.inbound, sound.outbound) if track]
        cost = engine.run(without_pauses(tracks, options.without_pauses), interims=not options.no_interims)
        show(f"{options.without_pauses:g} minutes without a pause", cost, [])
        return 0
    for path, sound in sounds.items():
        script = json.loads(path.with_suffix(".json").read_text())
        for track, mulaw in (("inbound", sound.inbound), ("outbound", sound.outbound or b"")):
            lines = [line for line in script if line["track"] == track]
            if options.noise is not None:
                mulaw, lines = with_noise(mulaw, lines, options.noise)
            cost = engine.run(mulaw, interims=not options.no_interims)
            show(f"{path.stem} {track}", cost, lines)
            for final in cost.finals() if options.text else ():
                print(f"    {final.start:6.2f}-{final.end:6.2f} {final.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
