"""The JavaScript example of the integrator's page, run by Node.js, whose WebSocket is the browsers' own."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.docs.pages import blocks, the_block
from tests.house import house
from tests.media import CALL
from tests.publishing import ScriptedCall

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def node(program: Path) -> asyncio.subprocess.Process:
    """Run a program. Node.js 20 has the WebSocket behind a flag, which later ones still take."""
    found = shutil.which("node")
    assert found is not None, "the tests of the dashboard need Node.js"
    return await asyncio.create_subprocess_exec(
        found, "--experimental-websocket", str(program), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def test_the_example_follows_a_call_and_resumes_after_a_broken_connection(tmp_path: Path) -> None:
    assert len(blocks("js")) == 1
    async with house() as home:
        publisher = ScriptedCall(home.state)
        program = tmp_path / "example.mjs"
        program.write_text(the_block("js", "hub/web/README.md").replace("127.0.0.1:5000", f"127.0.0.1:{home.port}").replace("CA…", CALL))
        process = await node(program)
        assert process.stdout is not None
        publisher.final("good morning")
        async with asyncio.timeout(15):
            assert await process.stdout.readline() == b"caller good morning\n"
            (socket,) = home.state.sockets
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()
            while home.state.counters.subscribers:
                await asyncio.sleep(0.01)
            publisher.final("how are you")
            assert await process.stdout.readline() == b"caller how are you\n"
            publisher.end()
            rest, complaints = await process.communicate()
    assert rest == b"", "nothing came twice"
    assert process.returncode == 0, complaints
