"""`transcript-client search`: find calls by what was said, by number, time or agent; in the terminal, or as JSON in a pipe.

Knows options. Does not know how calls are found or shown.
"""

import argparse
import asyncio
import shlex
import sys
from contextlib import aclosing
from datetime import datetime

from rich.console import Console
from rich.text import Text

from clients.commands import hub_options
from clients.follow import ListedCall, listed, page_address, read_listed
from clients.terminal.found import show_found

FEW = 20
"""Calls that are shown unless more are asked for: what a screen or two hold."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="words that were said, or of a name or number; several in quotes must stand together"
    )
    parser.add_argument(
        "--from", dest="from_", type=_moment, metavar="DATE", help="calls that began at this moment or later: 2026-11-21, …"
    )
    parser.add_argument("--to", type=_moment, metavar="DATE", help="calls that began before this moment, in this machine's time zone")
    parser.add_argument("--number", metavar="+1…", help="calls from or to this number")
    parser.add_argument("--agent", metavar="NAME", help="calls that this agent answered")
    parser.add_argument("--state", choices=("complete", "incomplete", "not-transcribed", "live"), help="how whole the record is, or live")
    parser.add_argument(
        "--limit", type=_count, default=FEW, metavar="N", help="how many calls at most, newest first (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print each call as a line of JSON, for pipes")
    hub_options.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the calls that are found; return the exit code. Raises: Refused."""
    asyncio.run(_search(options))
    return 0


async def _search(options: argparse.Namespace) -> None:
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # lines in a pipe are never broken: other programs read them
    shown: list[ListedCall] = []
    async with aclosing(listed(options.url, options.token, _parameters(options), options.limit)) as calls:
        async for call in calls:
            if options.json:
                sys.stdout.buffer.write(call + b"\n")
                sys.stdout.buffer.flush()
            else:
                shown.append(read_listed(call))
                show_found(console, shown[-1])
    if not options.json:
        for line in _afterword(options, shown):
            Console(stderr=True, highlight=False, soft_wrap=True).print(Text(line, "dim"))


def _afterword(options: argparse.Namespace, shown: list[ListedCall]) -> list[str]:
    """Return what to do with the calls that were found, or that there are none."""
    if not shown:
        asked = " ".join(options.words)
        return [f"no call is found with {asked!r}" if asked else "no call is found"]
    newest = shown[0]
    moment = f"/t={round(newest.found[0].start, 1):g}" if newest.found else ""
    at = "" if options.url == hub_options.DEFAULT_URL else f" --url {shlex.quote(options.url)}"
    lines = [
        f"read a call:    transcript-client tail {newest.call_sid}{at}",
        f"open its page:  {page_address(options.url)}#{newest.call_sid}{moment}",
        f"save it:        {page_address(options.url, f'/calls/{newest.call_sid}/transcript.txt')} (or .json, .srt, .vtt, .csv)",
    ]
    return [*lines, f"older calls:    --limit {10 * options.limit}"] if len(shown) == options.limit else lines


def _parameters(options: argparse.Namespace) -> dict[str, str]:
    given = {
        "q": " ".join(map(_term, options.words)),
        "from": options.from_,
        "to": options.to,
        "number": options.number,
        "agent": options.agent,
        "state": options.state,
    }
    return {name: value for name, value in given.items() if value}


def _term(argument: str) -> str:
    """Return an argument as the hub reads it. Quotes that the shell has taken off a phrase are put back."""
    return f'"{argument}"' if " " in argument.strip() and '"' not in argument else argument


def _moment(text: str) -> str:
    """Read a moment, in this machine's time zone unless it names one. Raises: ArgumentTypeError."""
    try:
        return datetime.fromisoformat(text).astimezone().isoformat()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write 2026-11-21 or 2026-11-21T10:00") from error


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 999999")
    return int(text)
