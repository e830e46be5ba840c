"""Programs of ours that run as if a part of their environment were not installed."""

import asyncio
import os
import sys
from pathlib import Path

from tests.test_serve import environment

HIDDEN = Path(__file__).parent / "hidden"


def without(*modules: str, **more: str) -> dict[str, str]:
    """Return the variables of a process that cannot import these modules.

    Without `tzdata` it finds no time zones of the machine, either.
    """
    hidden = {"HIDE": ",".join(modules), "PYTHONPATH": os.pathsep.join([str(HIDDEN), *filter(None, [os.environ.get("PYTHONPATH")])])}
    return hidden | ({"PYTHONTZPATH": ""} if "tzdata" in modules else {}) | more


async def command(*arguments: str, **variables: str) -> tuple[int | None, str, str]:
    """Run a command of ours to its end; return its exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(**variables),
    )  # fmt: skip
    said, wrong = await process.communicate()
    return process.returncode, said.decode(), wrong.decode()
