"""The command line: `transcript-client call`, `mic`, `tail`, `board`, `demo`."""

import argparse
import importlib
import os
import sys

COMMANDS = {
    "call": ("clients.caller", "play an audio file into a hub as a phone call, or talk to an agent"),
    "mic": ("clients.mic", "speak into a hub as the caller of a phone call"),
    "tail": ("clients.tail", "follow a call in the terminal"),
    "board": ("clients.board", "watch all calls in the terminal: who, how long, last words"),
    "demo": ("clients.demo", "a hub, a sample call and its transcript, all here, with no account"),
}
"""Per command its module, with `add_arguments` and `run`, and its help."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="transcript-client", description="Talk to a transcript hub.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Only the command that runs is imported: `tail` needs no library that decodes audio, and a missing one must not stop it.
    wanted = next((argument for argument in arguments if argument in COMMANDS), None)
    try:
        for name, (module, purpose) in COMMANDS.items():
            command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
            if name == wanted:
                _prepare(command, name, module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "clients", "hub"}:
            raise
        sentence = f"{wanted} needs the extra `client`, as {missing} is not installed: pip install 'transcript-hub[client]'"
        print(f"transcript-client: {sentence}", file=sys.stderr)
        return 1
    from clients.line import Refused

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


def _prepare(command: argparse.ArgumentParser, name: str, module: str) -> None:
    """Give a command its arguments, and what runs it. Raises: ModuleNotFoundError when its extra is not installed."""
    imported = importlib.import_module(module)
    imported.add_arguments(command)
    command.set_defaults(run=imported.run)
    if name == "call":
        from clients import phone

        phone.add_arguments(command)
        command.set_defaults(run=lambda options: (imported if options.agent is None else phone).run(options))


if __name__ == "__main__":
    sys.exit(main())
