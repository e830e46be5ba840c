"""The command line: `transcript-hub`.

Knows nothing of the hub before a command runs: importing all of it takes a second, in which Ctrl-C must already end the program quietly.
"""

import sys

from hub import command_line


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Return its exit code: 0 for success, 1 for a hub that was stopped by force, 2 for a wrong setting, 130 for Ctrl-C."""

    def command() -> int:
        from hub import commands

        return commands.main(arguments)

    return command_line.run("transcript-hub", command)


if __name__ == "__main__":
    sys.exit(main())
