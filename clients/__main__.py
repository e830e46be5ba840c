"""The command line: `transcript-client call`, `mic`, `tail`, `board`, `demo`."""

import argparse
import os
import sys

from clients import board, caller, demo, mic, phone, tail
from clients.line import Refused


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="transcript-client", description="Talk to a transcript hub.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module, purpose in (
        ("call", caller, "play an audio file into a hub as a phone call, or talk to an agent"),
        ("mic", mic, "speak into a hub as the caller of a phone call"),
        ("tail", tail, "follow a call in the terminal"),
        ("board", board, "watch all calls in the terminal: who, how long, last words"),
        ("demo", demo, "a hub, a sample call and its transcript, all here, with no account"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
        if module is caller:
            phone.add_arguments(command)
            command.set_defaults(run=_call)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except Refused as refusal:
        print(f"transcript-client: {refusal}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away; Python would complain while it flushes
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _call(options: argparse.Namespace) -> int:
    """Call a hub that listens, or an agent that answers."""
    return caller.run(options) if options.agent is None else phone.run(options)


if __name__ == "__main__":
    sys.exit(main())
