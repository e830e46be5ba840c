"""`transcript-client tail`: follow one call in the terminal, or as JSON in a pipe.

Knows options. Does not know how a call is followed or shown.
"""

import argparse
import asyncio
from contextlib import aclosing

from rich.console import Console

from clients.commands import hub_options
from clients.follow import follow, newest
from clients.terminal.transcript import show, show_json
from hub.text.foreign_text import name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    parser.add_argument(
        "call_sid", nargs="?", metavar="CALLSID", help="the call to follow; without it, the newest live call, or the next one to start"
    )
    hub_options.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print each event as a line of JSON, for pipes")
    parser.add_argument("--no-interims", action="store_true", help="show only final words")


def run(options: argparse.Namespace) -> int:
    """Show a call until it ends; return the exit code. Raises: Refused."""
    asyncio.run(_tail(options))
    return 0


async def _tail(options: argparse.Namespace) -> None:
    call_sid = name(options.call_sid or "")
    if not call_sid:
        if not options.json:
            Console(stderr=True).print("waiting for a call …", style="dim")
        call_sid = await newest(options.url, options.token)
    async with aclosing(follow(options.url, call_sid, interims=not options.no_interims, token=options.token)) as followed:
        await (show_json if options.json else show)(followed)
