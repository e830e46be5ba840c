"""The options of a command that follows calls: the hub's /client and the token. Shared by `tail`, `board` and `mic`."""

import argparse
import os

from clients.follow import door_address

DEFAULT_URL = "ws://127.0.0.1:5000/client"
"""Where a hub listens unless its settings say otherwise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--url` and `--token`."""
    parser.add_argument("--url", default=DEFAULT_URL, type=address, help="the hub's address (default: %(default)s)")
    add_token(parser, "the token, for a hub that wants one (default: the variable HUB_TOKEN, which other users of the machine cannot read)")


def address(text: str) -> str:
    """Check a hub's address. Raises: ArgumentTypeError."""
    try:
        door_address(text, "/client")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def add_token(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Declare `--token` alone."""
    parser.add_argument("--token", default=os.environ.get("HUB_TOKEN") or None, help=purpose)
