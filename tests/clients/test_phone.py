"""The pretend Twilio of agent lines: its buffer, its marks, what it would warn about, and the command."""

import asyncio
import base64
import json
import os
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from clients.__main__ import main
from clients.microphone import microphone
from clients.phone import BadMessage, Handset, Phone, speak
from hub.wire.twilio import Speech
from tests.agents.lines import lines
from tests.clients.desk import CALL
from tests.providers.openai_script import Model, Reply, overheard

SPEECH = Speech("MZ1")


def handset(*messages: bytes) -> Handset:
    phone = Handset("MZ1")
    for message in messages:
        phone.receive(message)
    return phone


def test_audio_is_played_in_order_and_a_mark_comes_back_when_what_is_before_it_was_heard() -> None:
    phone = handset(SPEECH.media(b"\x01" * 240), SPEECH.mark("a"), SPEECH.media(b"\x02" * 40), SPEECH.mark("b"))
    assert phone.play() == b"\x01" * 160
    assert list(phone.echoes) == []
    assert phone.play() == b"\x01" * 80 + b"\x02" * 40 + b"\xff" * 40
    assert list(phone.echoes) == ["a", "b"]
    assert (phone.now_ms, phone.waiting_ms) == (40.0, 0.0)


def test_a_mark_behind_nothing_comes_back_at_once() -> None:
    assert list(handset(SPEECH.mark("a")).echoes) == ["a"]


def test_clear_silences_and_sends_every_mark_back() -> None:
    phone = handset(SPEECH.media(b"\x01" * 800), SPEECH.mark("a"), SPEECH.media(b"\x01" * 800), SPEECH.mark("b"))
    phone.play()
    phone.receive(SPEECH.clear())
    assert list(phone.echoes) == ["a", "b"]
    assert phone.clears == [160]
    assert phone.play() == b"\xff" * 160


MEDIA: dict[str, Any] = {"event": "media", "streamSid": "MZ1", "media": {"payload": base64.b64encode(b"x").decode()}}


@pytest.mark.parametrize(
    "message",
    [
        MEDIA | {"streamSid": "MZ2"},
        MEDIA | {"track": "outbound"},
        MEDIA | {"media": {"payload": "!"}},
        MEDIA | {"event": "speak"},
        {"event": "mark", "streamSid": "MZ1"},
        "clear",
    ],
)
def test_what_twilio_would_warn_about_is_refused(message: Any) -> None:
    with pytest.raises(BadMessage, match="31951"):
        handset(json.dumps(message).encode())


async def test_the_command_talks_to_an_agent_and_saves_what_was_heard(tmp_path: Path) -> None:
    saved = tmp_path / "heard.wav"
    async with lines(Model(replies=[Reply("Hello there friend.")])) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "--url", line.url, "--save", str(saved), "--hang-up-after", "2s",
            "--call-sid", CALL,
            stderr=asyncio.subprocess.PIPE, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
        assert process.returncode == 0, said
        assert line.home.state.registry.find(CALL) is not None
        assert f"2.0 s with the agent; you hung up. {saved} has what was heard." in said.decode()
    with wave.open(str(saved)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 16000)
        pcm = file.readframes(16000)
    from hub.audio import to_mulaw

    right = to_mulaw(b"".join(pcm[at + 2 : at + 4] for at in range(0, len(pcm), 4)))
    assert overheard(right) == "Hello there friend."


async def test_the_command_says_when_the_agent_was_lost(tmp_path: Path) -> None:
    async with lines(Model(drop_after_ms=300)) as line:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clients", "call", "--agent", "--url", line.url, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        _, said = await process.communicate()
        await line.gone()
    assert "the hub closed with 1000: the agent was lost" in said.decode()


@pytest.mark.usefixtures("pretend_device")
async def test_the_microphone_speaks_to_an_agent() -> None:
    async with lines() as line:
        with microphone() as device:
            async with Phone(line.url) as phone:
                await speak(phone, device, hang_up_after_ms=900)
        await line.gone()
    assert len(phone.said) == 900 * 8
    assert set(phone.said) > {0xFF}
    assert bytes(phone.said).startswith(bytes(line.talk.audio))
    assert phone.hung_up


async def test_a_cancelled_call_says_stop() -> None:
    async with lines() as line:

        async def call() -> None:
            async with Phone(line.url) as phone:
                while not phone.over.is_set():
                    await line.together(phone)

        async with asyncio.TaskGroup() as group:
            calling = group.create_task(call())
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            calling.cancel()
        await line.gone()
        (record,) = line.home.state.registry
        assert record.ended is not None
        assert record.ended.reason == "completed"


async def test_either_a_file_speaks_or_the_microphone(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["call", "--agent", "--mic", "hello.wav"]) == 2
    assert "leave one of them out" in capsys.readouterr().err
