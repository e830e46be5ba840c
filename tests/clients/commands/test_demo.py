"""`transcript-client demo`: the page's address first, then where the words come from, then the words."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clients.commands.demo import SCRIPTED, free_port, without_engine
from clients.sample import SCRIPT
from tests.packaging.hiding import without
from tests.providers.fake_deepgram import FakeDeepgram
from tests.test_serve import environment

pytestmark = pytest.mark.one_python


@asynccontextmanager
async def demo(*options: str, **variables: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port(0)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clients", "demo", "--port", str(port), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(COLUMNS="400", **variables),
    )  # fmt: skip
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_without_the_engine_it_says_so_and_plays_the_script() -> None:
    async with demo("--once", "--speed", "10", **without("moonshine_voice")) as (process, port):
        said, wrong = (text.decode() for text in await process.communicate())
    assert (process.returncode, wrong) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"The dashboard: http://127.0.0.1:{port}/"
    assert lines[1].endswith(SCRIPTED.says)
    assert "nothing is transcribed" in SCRIPTED.says
    assert "transcribed by scripted (support-call.json)" in said
    spoken = [line["text"] for line in json.loads(SCRIPT.read_text())]
    assert len(spoken) > 10
    assert all(text in said for text in spoken)
    assert "call ended: completed" in said


async def test_without_the_engine_a_provider_transcribes_whose_key_is_set() -> None:
    async with (
        FakeDeepgram() as fake,
        demo("--once", "--speed", "20", **without("moonshine_voice"), DEEPGRAM_API_KEY="k", DEEPGRAM_URL=fake.url) as (process, _),
    ):
        said = (await process.communicate())[0].decode()
        assert fake.visits
    assert "Deepgram transcribes it: the sample is sent there, as DEEPGRAM_API_KEY is set." in said.splitlines()[1]
    assert "transcribed by deepgram" in said


async def test_settings_of_a_real_hub_do_not_concern_it() -> None:
    """A HUB_SECRET in the environment would have the demo's own subscribers refused."""
    settings = {"HUB_SECRET": "s" * 32, "HUB_PROT": "1", "TWILIO_ACCOUNT_SID": "wrong"}
    async with demo("--once", "--speed", "20", **without("moonshine_voice"), **settings) as (process, _):
        said, wrong = (text.decode() for text in await process.communicate())
    assert (process.returncode, wrong) == (0, "")
    assert "call ended: completed" in said


def test_the_first_key_that_is_set_chooses_the_provider() -> None:
    assert without_engine({}) is SCRIPTED
    assert without_engine({"DEEPGRAM_API_KEY": " ", "ASSEMBLYAI_API_KEY": None}) is SCRIPTED
    assert without_engine({"ASSEMBLYAI_API_KEY": "k"}).settings == {"HUB_TRANSCRIBER": "assemblyai"}
    assert without_engine({"ASSEMBLYAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k"}).settings == {"HUB_TRANSCRIBER": "deepgram"}
