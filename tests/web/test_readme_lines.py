"""The README's examples for subscribers, run as they stand there."""

import asyncio
import os
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from hub.tokens import mint
from tests.house import House, house
from tests.media import CALL
from tests.publishing import TO, ScriptedCall

README = (Path(__file__).parents[2] / "README.md").read_text()
SECRET = "a secret of at least thirty-two bytes"


def lines() -> list[str]:
    """Every command of the README's shell blocks in which websocat is run, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    found = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if "websocat" in line]
    assert len(found) >= 6
    return found


async def run(home: House, line: str, *expected: str) -> str:
    """Run one line in a shell until all that is expected was printed; return what was."""
    line = line.replace("127.0.0.1:5000", f"127.0.0.1:{home.port}").replace("CA…", CALL)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "TOKEN": mint(SECRET, ["*"], 60)}
    process = await asyncio.create_subprocess_shell(
        f"exec {line}" if "|" not in line else line,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while not all(each in said for each in expected):
        more = await process.stdout.readline()
        assert more, f"{line} ended after {said!r}"
        said += more.decode()
    os.killpg(process.pid, 15)
    await process.communicate()
    return said


@pytest.mark.parametrize("line", lines())
async def test_a_line_of_the_readme_does_what_it_says(line: str) -> None:
    async with house(**({"secret": SECRET} if "TOKEN" in line else {})) as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        listed = f'["{CALL}"]'
        if "CA…" in line:
            await run(home, line, listed, '"call-started"', '"text":"good morning"')
        elif '"number"' in line:
            assert TO in line, "the example's number is the one that this test calls"
            await run(home, line, listed, '"watching"', '"subscribed"', '"text":"good morning"')
        elif '"calls"' in line:
            said = await run(home, line, listed, '"type":"calls"')
            assert CALL in said.splitlines()[1]
        else:
            await run(home, line, listed)


async def test_the_python_example_follows_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    async with house() as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        publisher.end()
        example = example.replace("127.0.0.1:5000", f"127.0.0.1:{home.port}").replace("CA…", CALL)
        scope: dict[str, Any] = {}
        exec("async def main():\n" + textwrap.indent(example, "    "), scope)
        await scope["main"]()
    assert capsys.readouterr().out == "caller good morning\n"
