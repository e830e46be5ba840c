"""The command itself, as a process: what it says when it cannot start, and how it stops."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from clients.commands.demo import free_port
from clients.sample import SCRIPT
from tests.media import CALL, CONNECTED, media, start

HIDE_ENGINE = "import sys; sys.modules['moonshine_voice'] = None; from hub.__main__ import main; sys.exit(main(['serve']))"


def environment(**settings: str) -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DEEPGRAM_", "ASSEMBLYAI_", "TWILIO_"))
    } | settings


async def refused(*command: str, **settings: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *(command or ("-m", "hub", "serve")), stderr=asyncio.subprocess.PIPE, env=environment(**settings)
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


@asynccontextmanager
async def serving(script_file: Path = SCRIPT, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run the command until this is left. Unless the settings name a provider, calls follow a script, and need no engine."""
    script = () if settings.keys() & {"DEEPGRAM_API_KEY", "ASSEMBLYAI_API_KEY", "HUB_TRANSCRIBER"} else ("--script", str(script_file))
    port = int(settings.pop("HUB_PORT", 0)) or free_port(0)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "serve", *script, stderr=asyncio.subprocess.PIPE, env=environment(HUB_PORT=str(port), **settings)
    )
    assert process.stderr is not None
    while b"listening on" not in (line := await process.stderr.readline()):
        assert line, "the hub ended before it listened"
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"HUB_PORT": "fifty"}, "HUB_PORT must be a number, not 'fifty'"),
        ({"HUB_PROT": "1"}, "HUB_PROT is no setting"),
        ({"HUB_HOST": "0.0.0.0"}, "HUB_OPEN=1"),
        ({"HUB_TRANSCRIBER": "deepgram"}, "needs its key in DEEPGRAM_API_KEY"),
        ({"HUB_FALLBACK": "local"}, "HUB_FALLBACK is local, as the first one is"),
        ({"DEEPGRAM_API_KEY": "k", "DEEPGRAM_OPTIONS": "model=x"}, "DEEPGRAM_OPTIONS cannot set model"),
        ({"ASSEMBLYAI_URL": "https://example.com"}, "ASSEMBLYAI_URL must be a URL like wss://host"),
        ({"HUB_HOST": "203.0.113.1", "HUB_OPEN": "1", "DEEPGRAM_API_KEY": "k"}, "HUB_HOST 203.0.113.1 port 5000 cannot be listened on"),
    ],
)
async def test_a_wrong_setting_is_one_sentence(settings: dict[str, str], says: str) -> None:
    code, said = await refused(**settings)
    assert code == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1


async def test_a_busy_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = await refused(HUB_PORT=str(taken.getsockname()[1]), DEEPGRAM_API_KEY="k")
    assert code == 2
    assert "is taken by another program" in said
    assert "Traceback" not in said


async def test_a_hub_that_strangers_can_read_says_so() -> None:
    async with serving(HUB_PUBLIC_URL="https://hub.example.com", HUB_LISTEN="1") as (process, _):
        assert process.stderr is not None
        said = (await process.stderr.readline()).decode()
    assert "WARNING" in said
    assert "anyone who finds https://hub.example.com can read and hear every call, live and ended: set HUB_SECRET" in said


async def test_a_second_hub_says_that_the_archive_is_used_and_a_taken_port_comes_first(tmp_path: Path) -> None:
    settings = {"HUB_ARCHIVE": str(tmp_path / "calls.db"), "DEEPGRAM_API_KEY": "k"}
    async with serving(**settings) as (process, port):
        files = {file.name: file.stat().st_ino for file in tmp_path.iterdir()}
        for second_port, says in ((free_port(0), "another hub uses"), (port, "is taken by another program")):
            code, said = await refused(HUB_PORT=str(second_port), **settings)
            assert code == 2
            assert says in said
            assert len(said.strip().splitlines()) == 1
        assert {file.name: file.stat().st_ino for file in tmp_path.iterdir()} == files
        process.kill()
        await process.wait()
        async with serving(**settings):
            pass


async def test_a_missing_engine_is_one_sentence() -> None:
    code, said = await refused("-c", HIDE_ENGINE)
    assert code == 2
    assert "transcript-hub[local]" in said
    assert len(said.strip().splitlines()) == 1


async def test_sigterm_tells_everybody_and_exits_0() -> None:
    async with serving(HUB_DRAIN_SECONDS="0") as (process, port), aiohttp.ClientSession() as session:
        twilio = await session.ws_connect(f"http://127.0.0.1:{port}/twilio")
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start())
        await twilio.send_str(media("inbound", 0))
        waiting = await session.ws_connect(f"http://127.0.0.1:{port}/client")
        await waiting.receive()
        following = await session.ws_connect(f"http://127.0.0.1:{port}/client")
        assert await following.receive_json() == [CALL]
        await following.send_str(CALL)
        assert (await following.receive_json())["type"] == "call-started"
        process.send_signal(signal.SIGTERM)
        while (told := await following.receive_json())["type"] == "statistics":
            pass
        assert (told["type"], told["reason"]) == ("call-ended", "hub-stopping")
        assert (await waiting.receive()).data == 4409
        assert await process.wait() == 0


async def test_a_second_signal_ends_at_once() -> None:
    async with serving(HUB_DRAIN_SECONDS="600") as (process, port), aiohttp.ClientSession() as session:
        twilio = await session.ws_connect(f"http://127.0.0.1:{port}/twilio")
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start())
        process.send_signal(signal.SIGTERM)
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            while answer.status == 200:
                await asyncio.sleep(0.01)
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    pass
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 1
