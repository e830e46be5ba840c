"""How a command ends, and writes to a terminal that lacks letters: as a process, because that is where it happens."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.one_python

COMMANDS = [("hub", "asyncapi"), ("hub", "--help"), ("hub", "check"), ("clients", "--help"), ("clients", "call", "--help")]


def started(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "TWILIO_", "OPENAI_", "DEEPGRAM_"))}
    return subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=kept | {"HUB_PORT": "0"} | environment,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_went_away_ends_a_command_quietly(command: tuple[str, ...]) -> None:
    with started(*command) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


INTERRUPTED_IMPORT = """
import sys
class Finder:
    def find_spec(self, name, *_):
        if name in {"hub.commands", "clients.commands.tail"}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from PACKAGE.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("package", "command"), [("hub", "serve"), ("clients", "tail")])
def test_ctrl_c_while_a_command_is_still_being_loaded_ends_it_quietly(package: str, command: str) -> None:
    program = INTERRUPTED_IMPORT.replace("PACKAGE", package)
    ended = subprocess.run([sys.executable, "-c", program, command], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([sys.executable, "-m", "hub", "asyncapi"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b"transcript-hub: the output cannot be written: No space left on device\n"


def test_without_a_standard_output_a_command_runs() -> None:
    ended = subprocess.run(["/bin/sh", "-c", f"{sys.executable} -m hub asyncapi >&-"], stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_letters_that_a_terminal_lacks_are_written_as_their_escapes() -> None:
    said, errors = started(
        "hub", "twiml", PYTHONIOENCODING="ascii", HUB_PUBLIC_URL="https://hub.example.com", HUB_GREETING="Grüße"
    ).communicate()
    assert b"Gr\\xfc\\xdfe" in said
    assert errors == b""
