"""`transcript-client mcp`: let an assistant list, find, read and follow calls, by the Model Context Protocol over stdin and stdout.

Knows options. Does not know what the tools do.
"""

import argparse
import asyncio
import sys

from clients.assistant.server import server_for
from clients.commands import hub_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    hub_options.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Serve one assistant until it closes stdin, or is gone; return the exit code."""
    if sys.stdin.isatty():
        print("this is for an assistant, which speaks MCP on stdin and stdout: name the command in its settings", file=sys.stderr)
    sys.unraisablehook = _without_broken_pipes
    try:
        asyncio.run(server_for(options.url, options.token).run_stdio_async())
    except* BrokenPipeError:  # the assistant was killed while it waited for an answer
        pass
    return 0


def _without_broken_pipes(told: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an answer that is still in a buffer, and cannot be written, when the process ends. Python 3.13 would."""
    if not isinstance(told.exc_value, BrokenPipeError):
        sys.__unraisablehook__(told)
