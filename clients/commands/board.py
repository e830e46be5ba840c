"""`transcript-client board`: watch all calls in the terminal.

Knows options. Does not know what the board shows.
"""

import argparse
import asyncio

from clients.commands import hub_options
from clients.terminal.watch import show_board


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `run` understands."""
    hub_options.add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Show all calls until interrupted; return the exit code. Raises: Refused."""
    asyncio.run(show_board(options.url, options.token))
    return 0
