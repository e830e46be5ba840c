"""The command line: `transcript-client call`, `tail`, `demo`."""

import argparse
import sys

from clients import caller, demo, tail


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="transcript-client", description="Talk to a transcript hub.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module, purpose in (
        ("call", caller, "play an audio file into a hub as a phone call"),
        ("tail", tail, "follow a call in the terminal"),
        ("demo", demo, "a hub, a sample call and its transcript, all here, with no account"),
    ):
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
