"""The commands: `transcript-hub serve`, `check`, `token`, `twiml`, `asyncapi`, `openapi`, and those of `hub/upkeep`.

Knows arguments, exit codes and signals. Does not know how the hub is put together (`hub/app.py`).
"""

import argparse
import asyncio
import gc
import importlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hub import __version__, agents, app, config, tokens
from hub.calls.agent_context import AGENT_PARAMETER
from hub.check import check
from hub.errors import ConfigError, TokenError
from hub.insight.redaction.settings import RedactionSettings, redactor
from hub.ops import descriptors, logs
from hub.twilio import twiml
from hub.upkeep import commands as upkeep
from hub.upkeep import webhooks
from hub.vendors.registered import REGISTERED
from hub.vendors.scripted import Script
from hub.web.doors import asyncapi, openapi

log = logging.getLogger("hub")

SECRET_CHARACTERS = 32
"""The shortest HUB_SECRET without a warning. RFC 7518 section 3.2 requires a key as long as the hash for HS256: 256 bits."""

SWITCH_SECONDS = 0.0005
"""How long a thread of the archive waits for the interpreter while the event loop is busy. A commit gives the interpreter away about ten
times, and with Python's 5 ms for each it would take longer than an event may wait to be stored."""


def main(arguments: list[str] | None) -> int:
    """Run a command. Return its exit code: 0 for success, 1 for a hub that was stopped by force, 2 for a wrong setting."""
    parser = argparse.ArgumentParser(prog="transcript-hub", description="A pub/sub hub for live phone calls.")
    parser.add_argument("--version", action="version", version=f"transcript-hub {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="run the hub; its settings are variables in the environment or in .env")
    server.add_argument(
        "--script",
        type=Path,
        metavar="FILE",
        help="transcribe nothing: publish the lines of this JSON file in every call, at the times that it gives them, for demonstrations",
    )
    commands.add_parser("check", help="test every step of a call, from the settings to the provider, and print what is wrong")
    token = commands.add_parser("token", help="mint a token for subscribers, signed with HUB_SECRET")
    token.add_argument(
        "calls", nargs="+", metavar="CALL", help="a callSid, a number as +14155550100 (every call from or to it), or '*' for all"
    )
    token.add_argument("--hours", type=float, default=12.0, help="how long the token is valid (default: %(default)s)")
    token.add_argument(
        "--may",
        default="",
        metavar="RIGHTS",
        help=f"what it allows beyond calls that are live or have just ended, separated by commas: {', '.join(tokens.RIGHTS)}",
    )
    token.add_argument("--name", default="", help="who is going to hold the token: the audit log names them")
    bins = commands.add_parser("twiml", help="print the text of a TwiML Bin that streams calls to this hub, ready to paste")
    bins.add_argument(
        "--agent", nargs="?", const="", metavar="NAME", help="let an agent answer: this one, or without a name the one of the called number"
    )
    bins.add_argument(
        "--days", type=float, default=365.0, help="how long its token is valid, on a hub that wants one (default: %(default)g)"
    )
    upkeep.add(commands)
    webhooks.add(commands)
    commands.add_parser("asyncapi", help="print the AsyncAPI document of /client")
    commands.add_parser("openapi", help="print the OpenAPI document of all HTTP addresses")
    options = parser.parse_args(arguments)
    try:
        if options.command == "asyncapi":
            print(asyncapi.document().decode())
            return 0
        if options.command == "openapi":
            print(openapi.document(openapi.addresses(app.DOORS)).decode())
            return 0
        if options.command == "check":
            logging.disable(logging.CRITICAL)  # `check` prints what is wrong in its own lines
            return run(check.check())
        settings = REGISTERED.load()
        if options.command == "token":
            return mint(settings, options)
        if options.command == "twiml":
            return print_bin(settings, options)
        if options.command in upkeep.COMMANDS:
            return upkeep.run(settings, options)
        if options.command == webhooks.COMMAND:
            return webhooks.run(settings, options)
        logs.set_up(settings.log, settings.log_form, settings.secrets, words=redactor(settings.of(RedactionSettings)) is None)
        return run(serve(settings, Script.read(options.script) if options.script is not None else None))
    except ConfigError as error:
        print(f"transcript-hub: {error}", file=sys.stderr)
        return 2


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop, or on asyncio's own loop where uvloop is not installed: it has no wheel for Windows."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def on_signals(call: Callable[[signal.Signals], None]) -> None:
    """Have the running loop call `call` for each signal that asks this process to stop.

    SIGTERM and SIGINT (Ctrl-C); on Windows, where nothing sends SIGTERM, also SIGBREAK (Ctrl-Break, and what a service manager sends).
    Loops on Windows take no signal handlers. There the interpreter's own handler hands the signal over to the loop, and asyncio wakes up
    for it.
    """
    loop = asyncio.get_running_loop()

    def received(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(call, signal.Signals(number))

    numbers = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    for number in numbers:
        try:
            loop.add_signal_handler(number, call, number)
        except NotImplementedError:
            signal.signal(number, received)


def mint(settings: config.Config, options: argparse.Namespace) -> int:
    """Print a token."""
    if not settings.secret:
        raise ConfigError("HUB_SECRET", "is not set, so a token cannot be signed; the hub that checks the token needs the same secret")
    if not options.hours > 0:
        raise ConfigError("--hours", f"must be more than 0, not {options.hours:g}")
    rights = [right.strip() for right in options.may.split(",") if right.strip()]
    try:
        print(tokens.mint(settings.secret, options.calls, options.hours * 3600, rights=rights, subject=options.name.strip()))
    except TokenError as error:
        print(f"transcript-hub: {error}", file=sys.stderr)
        return 2
    return 0


def print_bin(settings: config.Config, options: argparse.Namespace) -> int:
    """Print the text of a TwiML Bin. Remarks about it go to stderr, so that the text can be piped."""
    days: float = options.days
    if not 0 < days * 86400 < tokens.MOST_SECONDS:
        raise ConfigError("--days", f"must be more than 0 and less than a hundred years, not {days:g}")
    if options.agent is None:
        print(twiml.bin_text(settings, days * 86400))
    else:
        found = agents.load(settings, REGISTERED.agent_defaults(settings))
        named = found.pick(options.agent, "")
        if named is None:
            missing = found.missing_setting
            raise ConfigError("--agent", f"needs {missing}" if missing else "must name an agent of HUB_AGENTS")
        apology, dial = (named.apology, named.dial) if options.agent else (settings.apology, settings.dial)
        chosen = {AGENT_PARAMETER: options.agent} if options.agent else {}
        print(twiml.bin_text_by_agent(settings, days * 86400, chosen, apology, dial))
    if settings.proof == "token":
        print(
            f"The token in it lets any call in for {days:g} days, or until HUB_SECRET changes: keep it like a password. "
            "With TWILIO_AUTH_TOKEN set, the hub checks Twilio's signature instead, and needs no token.",
            file=sys.stderr,
        )
    return 0


async def serve(settings: config.Config, script: Script | None = None) -> int:
    """Run the hub until a signal. SIGTERM gives live calls HUB_DRAIN_SECONDS to end, SIGINT (Ctrl-C) ends them now.

    After either, transcripts are finished and subscribers get `call-ended`. A second signal ends the process at once. With a script, calls
    are not transcribed and have the script's lines instead.

    Returns the exit code.
    """
    descriptors.raise_limit()
    if settings.archive:
        importlib.import_module("hub.archive.sql")  # now, since it is one of the modules that stay
    # Imported modules stay for ever, so the garbage collector need not look through them while calls wait. It also runs less often than
    # by default: nearly everything that a frame allocates is freed with the frame, by reference counts.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)
    stopping = asyncio.Event()
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if stopping.is_set():
            log.warning("stopping at once")
            for task in asyncio.all_tasks():
                task.cancel()
        stopping.set()

    on_signals(stop)
    try:
        async with app.running(settings, script.open if script is not None else None) as (state, port):
            host = f"[{settings.host}]" if ":" in settings.host else settings.host
            scheme = "https" if settings.tls_cert else "http"
            provider = state.config.transcriber if script is None else f"the script {script.name}, whatever is said"
            log.info("listening on %s://%s:%d, transcribing with %s", scheme, host, port, provider)
            if settings.secret and len(settings.secret) < SECRET_CHARACTERS:
                log.warning("HUB_SECRET is short: anyone who guesses it can watch every call; use 32 random characters")
            if settings.exposed:
                more = "and hear " if settings.listen else ""
                log.warning("anyone who finds %s can read %severy call, live and ended: set HUB_SECRET", settings.exposed, more)
            if settings.proof == "none" and settings.public_url:
                harm = "bring calls, and talk to agents at your expense" if len(state.routing.agents) else "bring calls"
                log.warning("anyone who finds %s can %s: set TWILIO_AUTH_TOKEN or HUB_SECRET", settings.public_url, harm)
            await stopping.wait()
            if received[0] == signal.SIGINT:
                await app.drain(state, 0.0)  # a person at the terminal does not want to wait
    except asyncio.CancelledError:
        return 1
    return 0
