"""`transcript-client demo`: a hub, a sample call and its transcript in this terminal, all on this machine and without an account.

The hub transcribes with the speech engine. Where the engine has no wheel, a provider whose key is set transcribes, or else the hub follows
the sample's script. The demo says which of the three it is before the first word appears.
"""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from websockets.asyncio.client import connect

from clients.audio.files import read_call
from clients.follow import Refused, follow
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.pretend_twilio.playback import play
from clients.sample import SAMPLE, SCRIPT
from clients.terminal.transcript import show
from hub.backoff import Backoff
from hub.errors import ConfigError
from hub.text import env_file

START_SECONDS = 30.0
"""How long the hub may take to start. It takes a second or two, but longer on a machine that is busy installing."""

PAUSE_SECONDS = 3.0
"""The time between one playing of the sample and the next."""

BACKOFF = Backoff(first_seconds=0.05, longest_seconds=0.2)
"""The waits before asking again whether the hub has started, or knows the call."""

NUMBERS = {"from": "+14155550123", "to": "+14155550100", "direction": "inbound"}
"""Numbers reserved for fiction, passed as Twilio's <Parameter> would pass them."""

KEYS = {"deepgram": ("Deepgram", "DEEPGRAM_API_KEY"), "assemblyai": ("AssemblyAI", "ASSEMBLYAI_API_KEY")}
"""Providers that can transcribe the sample where the engine cannot: their names for people, and the variables that hold their keys."""

NO_ENGINE = "HUB_TRANSCRIBER local"
"""How the hub's sentence begins when the engine is not installed, or does not run on this machine."""


class NotStarted(Exception):
    """The hub ended before it listened. Its text is what the hub printed."""


@dataclass(frozen=True, slots=True)
class WordSource:
    """Where the sample's words come from: the hub's settings and arguments for it, and what the person at the terminal reads about it."""

    settings: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    says: str = ""


ENGINE = WordSource({"HUB_TRANSCRIBER": "local"}, says="The speech engine transcribes it on this machine; no audio leaves it.")
SCRIPTED = WordSource(
    {"HUB_TRANSCRIBER": "auto"},
    ("--script", str(SCRIPT)),
    "The speech engine does not run on this machine and no provider's key is set, so nothing is transcribed: the words come from the "
    "sample's script, at the times at which they are said.",
)


def without_engine(environment: Mapping[str, str | None]) -> WordSource:
    """Return where the words come from if the engine does not run: from a provider whose key is set, otherwise from the script."""
    for provider, (title, key) in KEYS.items():
        if (environment.get(key) or "").strip():
            says = f"The speech engine does not run on this machine, so {title} transcribes it: the sample is sent there, as {key} is set."
            return WordSource({"HUB_TRANSCRIBER": provider}, says=says)
    return SCRIPTED


async def demo(port: int, *, once: bool, speed: float) -> None:
    """Run a hub, play the sample into it and show the transcript. Repeat this unless `once`. Raises: Refused if the hub does not start."""
    console = Console(highlight=False)
    recording = read_call(SAMPLE)
    async with hub(port, engine_only=False) as source:
        base = f"127.0.0.1:{port}"
        # The address comes first, because everybody needs it and later lines may scroll away.
        console.print(f"[bold]The dashboard: http://{base}/[/bold]", soft_wrap=True)
        console.print(f"A hub is running there, and a sample support call is being played into it. {source.says}")
        while True:
            call = OutgoingCall(f"ws://{base}/twilio", parameters=NUMBERS | {"outboundTrackLabel": "agent"})
            _explain(console, base, call.call_sid)
            async with asyncio.TaskGroup() as group:
                playing = group.create_task(play(call, recording, speed=speed))
                await begun(base, call.call_sid)
                async with aclosing(follow(f"ws://{base}/client", call.call_sid)) as followed:
                    await show(followed)
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
async def hub(port: int, *, engine_only: bool = True) -> AsyncIterator[WordSource]:
    """Run a hub in a process of its own as long as the block runs. Yield where its words come from.

    With `engine_only`, a hub without the engine is an error: a benchmark of the engine must not run on the script, which makes no mistakes.
    Otherwise the words may come from a provider or the script, and the caller must tell people so. Raises: Refused when it does not start.
    """
    try:
        dotenv = env_file.read(Path(".env"))
    except ConfigError as error:
        raise Refused("hub", str(error)) from error
    with TemporaryDirectory(prefix="transcript-hub-demo-") as folder:
        async with _running(port, dotenv, folder, engine_only=engine_only) as source:
            yield source


@asynccontextmanager
async def _running(port: int, dotenv: Mapping[str, str | None], folder: str, *, engine_only: bool) -> AsyncIterator[WordSource]:
    """Run the hub with an archive in this folder. See `hub`."""
    source = ENGINE
    process = await _start(port, source, dotenv, folder)
    try:
        try:
            await _listening(process, port)
        except NotStarted as refusal:
            if engine_only or NO_ENGINE not in str(refusal):
                raise Refused("hub", f"the hub did not start: {refusal}") from refusal
            source = without_engine(dotenv | os.environ)
            process = await _start(port, source, dotenv, folder)
            try:
                await _listening(process, port)
            except NotStarted as other:
                raise Refused("hub", f"the hub did not start: {other}") from other
        async with asyncio.TaskGroup() as group:
            passing = group.create_task(_pass_on(process))
            yield source
            passing.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # passing warnings on raises nothing, so this is what the block raised
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _start(port: int, source: WordSource, dotenv: Mapping[str, str | None], folder: str) -> asyncio.subprocess.Process:
    """Start the hub. The settings of a real hub, in the environment or in .env, do not change the demo."""
    ours = ("HUB_", "TWILIO_", "OPENAI_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {name: "" for name in dotenv if name.startswith(ours)}  # an empty variable hides the one in .env
    environment |= {
        "HUB_HOST": "127.0.0.1",
        "HUB_PORT": str(port),
        "HUB_LISTEN": "1",  # the sample is not secret
        "HUB_LOG_LEVEL": "warning",
        "HUB_DRAIN_SECONDS": "0",
        "HUB_ARCHIVE": str(Path(folder) / "calls.db"),
        # Where a part that recordings need has no wheel, the demo goes without.
        "HUB_RECORDINGS": str(Path(folder) / "recordings") if all(map(find_spec, ("obstore", "soundfile"))) else "",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", *source.arguments, env={**environment, **source.settings}, stderr=asyncio.subprocess.PIPE
    )


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until the hub listens. Raises: NotStarted when the hub ends instead, Refused when it takes too long."""
    try:
        async with asyncio.timeout(START_SECONDS):
            async for _ in BACKOFF.until():
                if await _listens(port):
                    return
                if process.returncode is not None:
                    assert process.stderr is not None
                    raise NotStarted((await process.stderr.read()).decode(errors="replace").strip())
    except TimeoutError as error:
        raise Refused("hub", f"the hub does not answer after {START_SECONDS:.0f} s") from error


async def _pass_on(process: asyncio.subprocess.Process) -> None:
    """Print the hub's warnings as they come, until it ends. (Before the hub listens, it prints only why it cannot start.)"""
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
    """Wait until the hub knows the call. That takes a moment after the call's socket was opened."""
    async for _ in BACKOFF.until():
        async with connect(f"ws://{base}/client", compression=None, proxy=None) as asking:
            if call_sid in str(await asking.recv()):
                return


def free_port(wanted: int) -> int:
    """Return the wanted port, or a free one if another program uses it."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `transcript-client demo`."""
    parser.add_argument("--once", action="store_true", help="play the sample once, then end")
    parser.add_argument("--port", type=int, default=5000, help="port for the hub (default: %(default)s, or a free one if that is taken)")
    parser.add_argument("--speed", type=float, default=1.0, help="play faster than real time (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Run the demo until the call or the user ends it; return the exit code."""
    try:
        asyncio.run(demo(free_port(options.port), once=options.once, speed=options.speed))
    except Refused as refusal:
        print(f"transcript-client: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe demo is over.", file=sys.stderr)
    return 0
