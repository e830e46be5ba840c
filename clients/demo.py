"""A hub, a sample call and its transcript in this terminal: everything on this machine, with no account.

The hub transcribes with the speech engine. Where the engine has no wheel, a provider transcribes whose key is set, or else the hub follows
the sample's script, and the demo says which of them it is before the first word appears.
"""

import argparse
import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console
from websockets.asyncio.client import connect

from clients import caller
from clients.follow import Refused
from clients.sound import read_call
from clients.tail import tail

SAMPLE = Path(__file__).parent / "sample" / "support-call.flac"
SCRIPT = SAMPLE.with_suffix(".json")
"""What is said in the sample, and when."""

START_SECONDS = 30.0
"""The hub listens within a second or two; a machine that is busy installing may take longer."""

PAUSE_SECONDS = 3.0
"""Between one playing of the sample and the next."""

NUMBERS = {"from": "+14155550123", "to": "+14155550100", "direction": "inbound"}
"""Fictional numbers, as Twilio would pass them by <Parameter>."""

KEYS = {"deepgram": ("Deepgram", "DEEPGRAM_API_KEY"), "assemblyai": ("AssemblyAI", "ASSEMBLYAI_API_KEY")}
"""Providers that can transcribe the sample where the engine cannot: their names for people, and the variables that hold their keys."""

NO_ENGINE = "HUB_TRANSCRIBER local"
"""Stands in the hub's sentence when the engine is not installed here, or does not run on this machine."""


class NotStarted(Exception):
    """The hub ended before it listened; its text is what the hub printed."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get the sample's words: what the hub is started with, and what the person at the terminal is told about it."""

    settings: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    says: str = ""


ENGINE = Way({"HUB_TRANSCRIBER": "local"}, says="The speech engine transcribes it on this machine; no audio leaves it.")
SCRIPTED = Way(
    {"HUB_TRANSCRIBER": "auto"},
    ("--script", str(SCRIPT)),
    "The speech engine does not run on this machine and no provider's key is set, so nothing is transcribed: the words come from the "
    "sample's script, at the times at which they are said.",
)


def without_engine(environment: Mapping[str, str | None]) -> Way:
    """Return how to get the sample's words where the engine does not run: from a provider whose key is set, or from the script."""
    for provider, (title, key) in KEYS.items():
        if (environment.get(key) or "").strip():
            says = f"The speech engine does not run on this machine, so {title} transcribes it: the sample is sent there, as {key} is set."
            return Way({"HUB_TRANSCRIBER": provider}, says=says)
    return SCRIPTED


async def demo(port: int, *, once: bool, speed: float) -> None:
    """Run the hub, play the sample into it and follow it here; again and again unless `once`.

    Raises: Refused when the hub does not start.
    """
    console = Console(highlight=False)
    sound = read_call(SAMPLE)
    async with hub(port, engine_only=False) as way:
        base = f"127.0.0.1:{port}"
        # First of all the one line that everybody needs: what comes after it may scroll away.
        console.print(f"[bold]The dashboard: http://{base}/[/bold]", soft_wrap=True)
        console.print(f"A hub listens there, and a sample support call is played into it. {way.says}")
        while True:
            call_sid = "CA" + secrets.token_hex(16)
            _explain(console, base, call_sid)
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(
                    caller.call(
                        f"ws://{base}/twilio", sound, call_sid=call_sid, parameters=NUMBERS | {"outboundTrackLabel": "agent"}, speed=speed
                    )
                )
                await begun(base, call_sid)
                await tail(f"ws://{base}/client", call_sid, json=False)
                await playing
            if once:
                return
            console.print(f"\nPlaying it again in {PAUSE_SECONDS:.0f} seconds; Ctrl-C ends the demo.", style="dim")
            await asyncio.sleep(PAUSE_SECONDS)


def _explain(console: Console, base: str, call_sid: str) -> None:
    console.print("\nTo follow this call from another terminal, or to read its transcript:\n")
    for line in (
        f"    echo {call_sid} | websocat -n ws://{base}/client",
        f"    {Path(sys.executable).parent / 'transcript-client'} tail" + ("" if base.endswith(":5000") else f" --url ws://{base}/client"),
        f"    http://{base}/calls/{call_sid}/transcript.txt",
    ):
        console.print(line, markup=False, soft_wrap=True)  # people copy these lines, so they are never broken
    console.print()


@asynccontextmanager
async def hub(port: int, *, engine_only: bool = True) -> AsyncIterator[Way]:
    """Run a hub in a process of its own until this is left; give how it gets its words.

    Raises: Refused when it does not start. `engine_only` false: a hub without the engine gets its words in another way, which the caller
    must tell people about. A benchmark of the engine must not, as a script makes no mistakes.
    """
    dotenv = dotenv_values(".env")
    way = ENGINE
    process = await _start(port, way, dotenv)
    try:
        try:
            await _listening(process, port)
        except NotStarted as refusal:
            if engine_only or NO_ENGINE not in str(refusal):
                raise Refused("hub", f"the hub did not start: {refusal}") from refusal
            way = without_engine(dotenv | os.environ)
            process = await _start(port, way, dotenv)
            try:
                await _listening(process, port)
            except NotStarted as other:
                raise Refused("hub", f"the hub did not start: {other}") from other
        async with asyncio.TaskGroup() as group:
            passing = group.create_task(_pass_on(process))
            yield way
            passing.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # passing warnings on raises nothing, so this is what the body raised
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _start(port: int, way: Way, dotenv: Mapping[str, str | None]) -> asyncio.subprocess.Process:
    """Start the hub. The demo is the same whatever is set up for the hub that is used for real, in the environment or in .env."""
    ours = ("HUB_", "TWILIO_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {name: "" for name in dotenv if name.startswith(ours)}  # an empty variable hides the one in .env
    environment |= {
        "HUB_HOST": "127.0.0.1",
        "HUB_PORT": str(port),
        "HUB_LISTEN": "1",  # the sample is nobody's secret
        "HUB_LOG_LEVEL": "warning",
        "HUB_DRAIN_SECONDS": "0",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", *way.arguments, env={**environment, **way.settings}, stderr=asyncio.subprocess.PIPE
    )


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until the hub listens. Raises: NotStarted when it ends instead; Refused when it takes too long."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    assert process.stderr is not None
                    raise NotStarted((await process.stderr.read()).decode(errors="replace").strip())
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise Refused("hub", f"the hub does not answer after {START_SECONDS:.0f} s") from error


async def _pass_on(process: asyncio.subprocess.Process) -> None:
    """Print the hub's warnings as they come, until it ends. Before the hub listens, its only words are why it cannot."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        sys.stderr.write(line.decode(errors="replace"))


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def begun(base: str, call_sid: str) -> None:
    """Wait until the hub knows the call: its socket takes a moment to say so."""

    while True:
        async with connect(f"ws://{base}/client", compression=None) as asking:
            if call_sid in str(await asking.recv()):
                return
        await asyncio.sleep(0.05)


def free_port(wanted: int) -> int:
    """Return the wanted port, or a free one when another program has it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `transcript-client demo`."""
    parser.add_argument("--once", action="store_true", help="end with the call")
    parser.add_argument("--port", type=int, default=5000, help="port for the hub (default: %(default)s, or a free one if that is taken)")
    parser.add_argument("--speed", type=float, default=1.0, help="play faster than real time (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run `transcript-client demo`; return its exit code."""
    try:
        asyncio.run(demo(free_port(options.port), once=options.once, speed=options.speed))
    except Refused as refusal:
        print(f"transcript-client: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo is over.", file=sys.stderr)
    return 0
