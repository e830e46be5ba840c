"""A hub, a sample call and its transcript in this terminal: everything on this machine, with no account."""

import argparse
import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from rich.console import Console
from websockets.asyncio.client import connect

from clients.audio.files import read_call
from clients.follow import Refused, follow
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.pretend_twilio.playback import play
from clients.sample import SAMPLE
from clients.terminal.transcript import show

START_SECONDS = 30.0
"""The hub listens within a second or two; a machine that is busy installing may take longer."""

PAUSE_SECONDS = 3.0
"""Between one playing of the sample and the next."""

NUMBERS = {"from": "+14155550123", "to": "+14155550100", "direction": "inbound"}
"""Fictional numbers, as Twilio would pass them by <Parameter>."""


async def demo(port: int, *, once: bool, speed: float) -> None:
    """Run the hub, play the sample into it and follow it here; again and again unless `once`.

    Raises: Refused when the hub does not start.
    """
    console = Console(highlight=False)
    recording = read_call(SAMPLE)
    async with hub(port):
        base = f"127.0.0.1:{port}"
        while True:
            call_sid = "CA" + secrets.token_hex(16)
            _explain(console, base, call_sid)
            async with asyncio.TaskGroup() as group:
                call = OutgoingCall(f"ws://{base}/twilio", call_sid, parameters=NUMBERS | {"outboundTrackLabel": "agent"})
                playing = group.create_task(play(call, recording, speed=speed))
                await begun(base, call_sid)
                async with aclosing(follow(f"ws://{base}/client", call_sid)) as followed:
                    await show(followed)
                await playing
            if once:
                return
            console.print(f"\nPlaying it again in {PAUSE_SECONDS:.0f} seconds; Ctrl-C ends the demo.", style="dim")
            await asyncio.sleep(PAUSE_SECONDS)


def _explain(console: Console, base: str, call_sid: str) -> None:
    console.print(f"\n[bold]A hub is listening on http://{base}[/bold] and a sample support call is being played into it.")
    console.print("Follow it from another terminal or a browser too:\n")
    for line in (
        f"    echo {call_sid} | websocat -n ws://{base}/client",
        f"    {Path(sys.executable).parent / 'transcript-client'} tail" + ("" if base.endswith(":5000") else f" --url ws://{base}/client"),
        f"    http://{base}/calls/{call_sid}/transcript.txt",
    ):
        console.print(line, markup=False, soft_wrap=True)  # to be copied: never broken
    console.print()


@asynccontextmanager
async def hub(port: int) -> AsyncIterator[None]:
    """Run a hub of its own process with the engine on this machine, until this is left. Raises: Refused."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "TWILIO_"))}
    environment |= {
        "HUB_HOST": "127.0.0.1",
        "HUB_PORT": str(port),
        "HUB_TRANSCRIBER": "local",
        "HUB_LISTEN": "1",  # the sample is nobody's secret
        "HUB_LOG_LEVEL": "warning",
        "HUB_DRAIN_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hub", "serve", env=environment)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise Refused("hub", "the hub did not start; it says why above")
                await asyncio.sleep(0.1)
        yield
    except TimeoutError as error:
        raise Refused("hub", f"the hub does not answer after {START_SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


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
