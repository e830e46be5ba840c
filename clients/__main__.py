"""The command line: `transcript-client call`, `mic`, `search`, `tail`, `board`, `steer`, `mcp`, `demo`.

Knows the names of the subcommands. A subcommand is imported only when it is used, so that each works without the packages of the others.
"""

import argparse
import importlib
import sys

from hub import command_line
from hub.errors import HubError
from hub.text.foreign_text import line

COMMANDS = {
    "call": "play an audio file into a hub as a phone call, or talk to an agent",
    "mic": "speak into a hub as the caller of a phone call",
    "search": "find calls by what was said, by number, time or agent",
    "tail": "follow a call in the terminal",
    "board": "watch all calls in the terminal: who, how long, last words",
    "steer": "have the agent of a call say something, hang up, or pass the caller on",
    "mcp": "let an assistant list, find, read and follow calls: an MCP server on stdin and stdout",
    "demo": "run a hub, a sample call and its transcript on this machine, without an account",
}
"""Each subcommand and what it does. `clients.commands` has a module of the same name."""

EXTRAS = {"mcp": "mcp"}
"""The extra that a subcommand needs, where it is not `client`."""

OWN_PACKAGES = ("", "clients", "hub")


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    return command_line.run("transcript-client", lambda: _main(arguments))


def _main(arguments: list[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="transcript-client", description="Talk to a transcript hub.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        if arguments[:1] == [name]:
            try:
                module = importlib.import_module(f"clients.commands.{name}")
            except ModuleNotFoundError as error:
                missing = (error.name or "").partition(".")[0]
                if missing in OWN_PACKAGES:
                    raise  # a mistake in this program, not a package that was not installed
                extra = EXTRAS.get(name, "client")
                sentence = f"{name} needs the extra `{extra}`, as {missing} is not installed: pip install 'transcript-hub[{extra}]'"
                print(f"transcript-client: {sentence}", file=sys.stderr)
                return 1
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except HubError as refusal:
        print(f"transcript-client: {line(str(refusal))}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
