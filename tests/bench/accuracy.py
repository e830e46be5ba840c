"""How many words of three calls come out right, and how soon, through the whole path: caller, /twilio, stereo, engine, /client.

    python -m tests.bench.accuracy              at real-time pace, then as fast as the hub takes it
    python -m tests.bench.accuracy --fast       only the second
    python -m tests.bench.accuracy --text       print what was recognized, too

One call is the sample that the demo plays: natural synthetic voices in a quiet room. The others are real telephone calls of people
(tests/bench/speech), because people hesitate and lines are bad: figures of synthetic voices alone would promise too much.

Prints, per speaker, the word error rate after the English text normalizer that Whisper's authors published, with digits and spelled letters
counted one by one, and the latencies: from the end of speech to its `final`, and from its beginning to the first `interim`. Exits 1 when a
rate is above the call's bound, or the two paces differ.
"""

import argparse
import asyncio
import json
import re
import secrets
import statistics
import sys
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from clients.audio.files import read_call
from clients.commands import demo
from clients.follow import follow
from clients.pretend_twilio import playback
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.sample import SAMPLE
from hub import events


@dataclass(frozen=True)
class Played:
    """A call to play, with what is said in it beside it in a file of the same name."""

    name: str
    audio: Path
    most_errors: float
    """The word error rate that neither speaker may exceed: what is measured today, and a few words more."""

    def script(self) -> list[dict[str, Any]]:
        """Return the lines: track, start, end, text."""
        return json.loads(self.audio.with_suffix(".json").read_text())  # type: ignore[no-any-return]


SPEECH = Path(__file__).parent / "speech"

CALLS = (
    Played("the sample call", SAMPLE, most_errors=0.1),
    Played("a real call to a shop", SPEECH / "shop-call.flac", most_errors=0.15),
    Played("a real call to a garage", SPEECH / "garage-call.flac", most_errors=0.33),
)


@dataclass
class Run:
    """One playing of a call: what was recognized, and when, in seconds since the call began."""

    finals: list[tuple[float, events.Final]] = field(default_factory=list)
    interims: list[tuple[float, events.Interim]] = field(default_factory=list)
    gaps: int = 0

    def text(self, track: str) -> str:
        """Everything one track said, as it began."""
        return " ".join(final.text for _, final in sorted(self.finals, key=lambda each: each[1].start) if final.track == track)


async def play(port: int, audio: Path, speed: float) -> Run:
    """Play a call into a hub and collect what a subscriber gets."""
    run, clock = Run(), asyncio.get_running_loop().time
    call_sid = "CA" + secrets.token_hex(16)
    async with asyncio.TaskGroup() as group:
        began = clock()
        outgoing = OutgoingCall(f"ws://127.0.0.1:{port}/twilio", call_sid=call_sid)
        group.create_task(playback.play(outgoing, read_call(audio), speed=speed))
        await demo.begun(f"127.0.0.1:{port}", call_sid)
        async with aclosing(follow(f"ws://127.0.0.1:{port}/client", call_sid)) as followed:
            async for event in followed:
                match event:
                    case events.Final():
                        run.finals.append((clock() - began, event))
                    case events.Interim():
                        run.interims.append((clock() - began, event))
                    case events.Gap():
                        run.gaps += 1
    return run


def errors(script: list[dict[str, Any]], run: Run) -> dict[str, float]:
    """Return the word error rate per track."""
    return {
        track: jiwer.wer(plain(" ".join(line["text"] for line in script if line["track"] == track)), plain(run.text(track)))
        for track in ("inbound", "outbound")
    }


def plain(text: str) -> str:
    """Return a text as words without punctuation, a number as its digits one by one: "4719" and "four seven one nine" are the same."""
    words = re.findall(r"\w+", str(EnglishTextNormalizer()(text)))
    return " ".join(" ".join(word) if any(map(str.isdigit, word)) else word for word in words)


def latencies(script: list[dict[str, Any]], run: Run) -> tuple[list[float], list[float]]:
    """Return seconds from each line's end to the final that covers it, and from its beginning to its first interim."""
    to_final, to_interim = [], []
    for line in script:
        covering = [at for at, final in run.finals if final.track == line["track"] and final.start < line["end"] <= final.end + 0.5]
        if covering:
            to_final.append(min(covering) - line["end"])
        first = [
            at for at, interim in run.interims if interim.track == line["track"] and at > line["start"] and interim.end > line["start"]
        ]
        if first and min(first) < line["end"] + 1:
            to_interim.append(min(first) - line["start"])
    return to_final, to_interim


def spread(name: str, seconds: list[float]) -> str:
    """Say median and extremes."""
    if not seconds:
        return f"{name}: none"
    return f"{name}: median {statistics.median(seconds):.2f} s, least {min(seconds):.2f}, most {max(seconds):.2f} ({len(seconds)} lines)"


async def measure(options: argparse.Namespace) -> int:
    """Run and print; return the exit code."""
    code, port = 0, demo.free_port(0)
    async with demo.hub(port):
        for call in CALLS:
            print(f"\n{call.name}")
            code |= await measure_call(options, call, port)
    return code


async def measure_call(options: argparse.Namespace, call: Played, port: int) -> int:
    """Play one call at both paces and print; return 1 when too much is wrong."""
    script, code, texts = call.script(), 0, list[dict[str, str]]()
    for pace, speed in (("real-time pace", 1.0), ("as fast as it goes", 0.0)):
        if options.fast and speed:
            continue
        run = await play(port, call.audio, speed)
        texts.append({track: run.text(track) for track in ("inbound", "outbound")})
        print(f"{pace}: {len(run.finals)} finals, {len(run.interims)} interims, {run.gaps} gaps")
        for track, rate in errors(script, run).items():
            print(f"  word error rate, {track}: {rate:.3f}")
            code |= rate > call.most_errors
        if speed:
            to_final, to_interim = latencies(script, run)
            print("  " + spread("end of speech to final", to_final))
            print("  " + spread("beginning of speech to first interim", to_interim))
        if options.text:
            for _, final in sorted(run.finals, key=lambda each: each[1].start):
                print(f"    {final.start:6.2f} {final.track:8} {final.text}")
    same = all(text == texts[0] for text in texts)
    if len(texts) > 1:
        print(f"the same text at both paces: {'yes' if same else 'no'}")
    return code or (0 if same else 1)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="do not play at real-time pace")
    parser.add_argument("--text", action="store_true", help="print what was recognized")
    return asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
