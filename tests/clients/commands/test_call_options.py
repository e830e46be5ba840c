"""The options that `call` and `mic` share, and a hub that lets in only what Twilio signed."""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clients.commands import call_options
from clients.pretend_twilio.media_socket import NotAnswered
from clients.pretend_twilio.signature import CannotSign
from tests.agents.lines import lines
from tests.house import house
from tests.providers.openai_script import Model

ROOT = Path(__file__).parents[3]
SECRET = "a-token-that-nobody-prints"
PUBLIC = "https://hub.example.com"
PROVEN = {"twilio_token": f"{SECRET},older", "public_url": PUBLIC}

WITH_A_MICROPHONE = (
    "import sys; from tests.clients import pretend_portaudio as p; sys.modules['sounddevice'] = p;"
    "p.sound = bytes(range(256)) * 400; p.rate_hz = 8000\n"
    "from clients.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    call_options.add_arguments(parser)
    return parser.parse_args(arguments)


async def command(folder: Path, *arguments: str, **environment: str) -> tuple[int | None, str]:
    """Run `transcript-client` in a folder; return its exit code and all that it wrote."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "TWILIO_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", WITH_A_MICROPHONE, *arguments,
        cwd=folder, env=own | {"PYTHONPATH": str(ROOT)} | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert b"Traceback" not in out, out
    assert SECRET.encode() not in out
    return process.returncode, out.decode()


@pytest.mark.parametrize(
    ("environment", "dotenv", "sign"),
    [
        ({}, f"TWILIO_AUTH_TOKEN={SECRET}\nHUB_PUBLIC_URL={PUBLIC}\n", ["--sign"]),
        ({"TWILIO_AUTH_TOKEN": f"{SECRET},older", "HUB_PUBLIC_URL": PUBLIC}, "", ["--sign"]),
        ({"TWILIO_AUTH_TOKEN": SECRET, "HUB_PUBLIC_URL": "https://other.example.com"}, "", ["--sign", PUBLIC]),
        ({"TWILIO_AUTH_TOKEN": SECRET}, "", ["--sign", "wss://hub.example.com/twilio"]),
    ],
)
async def test_a_recorded_call_that_is_signed_is_let_in(environment: dict[str, str], dotenv: str, sign: list[str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(dotenv)
    async with house(**PROVEN) as home:
        url = f"ws://127.0.0.1:{home.port}/twilio"
        code, said = await command(tmp_path, "call", "--url", url, "--speed", "max", "--hang-up-after", "1s", *sign, **environment)
        assert (code, "Played 1.0 s" in said) == (0, True), said
        await home.frames(100)


async def test_a_microphone_that_is_signed_is_let_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TWILIO_AUTH_TOKEN={SECRET}\nHUB_PUBLIC_URL={PUBLIC}\n")
    async with house(**PROVEN) as home:
        url = f"ws://127.0.0.1:{home.port}/twilio"
        code, said = await command(tmp_path, "mic", "--url", url, "--hang-up-after", "200ms", "--sign")
        assert (code, "Spoke for 0.2 s" in said) == (0, True), said
        await home.frames(10)


async def test_a_call_to_an_agent_that_is_signed_is_let_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"TWILIO_AUTH_TOKEN={SECRET}\nHUB_PUBLIC_URL={PUBLIC}\n")
    async with lines(Model(), **PROVEN) as line:
        code, said = await command(tmp_path, "call", "--agent", "--url", line.url, "--hang-up-after", "200ms", "--sign")
        assert (code, "s with the agent; you hung up." in said) == (0, True), said
        await line.gone()


COMMANDS = [["call", "--url", "/twilio"], ["call", "--agent", "--url", "/agent"], ["mic", "--url", "/twilio"]]


@pytest.mark.parametrize("arguments", COMMANDS)
async def test_a_hub_that_refuses_is_quoted_and_what_to_do_is_said(arguments: list[str], tmp_path: Path) -> None:
    *options, door = arguments
    async with lines(Model(), **PROVEN) as line:
        code, said = await command(tmp_path, *options, f"ws://127.0.0.1:{line.home.port}{door}")
    assert code == 1
    assert "refused the call: HTTP 403 Forbidden: it has no X-Twilio-Signature. " in said
    assert "lets you in with --sign." in said


@pytest.mark.parametrize("arguments", COMMANDS)
async def test_a_signature_of_another_address_is_refused_and_the_address_is_named(arguments: list[str], tmp_path: Path) -> None:
    *options, door = arguments
    wrong = {"TWILIO_AUTH_TOKEN": SECRET, "HUB_PUBLIC_URL": "https://other.example.com"}
    async with lines(Model(), **PROVEN) as line:
        code, said = await command(tmp_path, *options, f"ws://127.0.0.1:{line.home.port}{door}", "--sign", **wrong)
    assert code == 1
    assert "HTTP 403 Forbidden: its X-Twilio-Signature does not fit: TWILIO_AUTH_TOKEN is another account's, or" in said
    assert f"The signed address is wss://other.example.com{door};" in said


@pytest.mark.parametrize("arguments", COMMANDS)
async def test_without_a_token_no_call_is_made(arguments: list[str], tmp_path: Path) -> None:
    *options, door = arguments
    code, said = await command(tmp_path, *options, f"ws://127.0.0.1:1{door}", "--sign")
    assert (code, "There is nothing to sign with: put TWILIO_AUTH_TOKEN into" in said) == (2, True), said


async def test_a_file_that_is_named_after_sign_is_not_taken_for_an_address(tmp_path: Path) -> None:
    code, said = await command(tmp_path, "call", "--sign", "recording.wav")
    assert (code, "'recording.wav' is not a hub's public address" in said, "name it before --sign" in said) == (2, True, True), said


def test_what_is_not_signed_has_no_headers() -> None:
    call = call_options.read(options("--from", "+14155550142", "--parameter", "room=42"), agent="desk", language=None)
    assert (call.url, call.signed_url, call.headers) == (call_options.DEFAULT_URL, None, {})
    assert call.parameters == {"from": "+14155550142", "agent": "desk", "room": "42"}
    assert call.explain(NotAnswered("No hub answers.")) == "No hub answers."
    assert call.explain(NotAnswered("The hub is full.", 503)) == "The hub is full.", "a signature would not help"


def test_neither_the_token_nor_the_signature_is_in_what_may_be_logged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    call = call_options.read(options("--sign", PUBLIC))
    (signature,) = call.headers.values()
    assert signature not in repr(call)
    assert SECRET not in repr(call)


def test_a_public_address_of_the_settings_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", SECRET)
    monkeypatch.setenv("HUB_PUBLIC_URL", "hub.example.com")
    with pytest.raises(CannotSign, match=r"'hub\.example\.com' is not a hub's public address"):
        call_options.read(options("--sign"))


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("3s", 3000), ("150ms", 150), ("1.5", 1500), ("0", 0), ("0.25s", 250)]
)  # fmt: skip
def test_durations_are_written_as_people_write_them(text: str, milliseconds: int) -> None:
    assert call_options.duration_ms(text) == milliseconds
