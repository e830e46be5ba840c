"""A line to a provider: its frames, judged by a WebSocket implementation that is not ours, and what is said where none can be had."""

import asyncio
import logging
import os
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol, State

from hub.errors import ProviderError
from hub.transcribers import connection as line
from hub.transcribers.connection import _BINARY, _frame
from hub.transcribers.transcriber import Lost
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import METADATA, puppet
from tests.providers.script import Script
from tests.providers.vendors import DEEPGRAM
from tests.transcribers.runs import CALL, running, told, transcribed, until


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1600, 65535, 65536, 70000])
def test_an_audio_frame_is_read_by_a_server_as_it_was_meant(size: int) -> None:
    server = Protocol(SERVER, state=State.OPEN)
    payload = os.urandom(size)
    server.receive_data(_frame(_BINARY, payload))
    (frame,) = server.events_received()
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.BINARY, True, payload)


def test_no_two_frames_share_a_mask() -> None:
    masks = {_frame(_BINARY, b"x" * 160)[4:8] for _ in range(3000)}
    assert len(masks) > 2990


async def test_the_key_is_in_no_log_not_even_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with FakeDeepgram(Script(drop_after_bytes=[8000], refuse=[503])) as fake:
        transcriber = DEEPGRAM.open(fake.url)
        transcriber.endpoint = replace(transcriber.endpoint, key="canary-key")  # type: ignore[attr-defined]
        reports, _ = await transcribed(transcriber, CALL)
    assert fake.visits[1].headers["Authorization"] == "Token canary-key"
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]  # the fake's own log
    assert any("attempt 1" in message for message in ours)
    assert "canary" not in repr([*ours, reports, transcriber])


@pytest.mark.parametrize(
    ("url", "says", "retryable"),
    [
        ("ws://", "check DEEPGRAM_URL", False),
        ("http://127.0.0.1", "check DEEPGRAM_URL", False),
        ("ws://" + "a" * 70 + ".example", "check DEEPGRAM_URL", False),
        ("ws://127.0.0.1:9", "cannot be reached: ", True),
    ],
)
async def test_an_address_that_cannot_work_is_told_by_its_setting(url: str, says: str, retryable: bool) -> None:
    with pytest.raises(ProviderError) as failed:
        await line.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
    assert says in failed.value.problem
    assert failed.value.retryable is retryable


async def test_what_answers_but_is_no_websocket_is_tried_again() -> None:
    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ProviderError, match="cannot be reached") as failed:
            await line.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=False))
    assert failed.value.retryable


async def test_over_tls_connections_break_and_are_cancelled_as_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test", "-addext"]
    try:
        subprocess.run([*command, "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate for this test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setattr(line, "_tls", lambda: ssl.create_default_context(cafile=certificate))
    visits = 0

    async def break_off(socket: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        await socket.recv()
        if visits < 3:
            socket.transport.abort()
        elif visits == 4:
            async for message in socket:
                if isinstance(message, str):
                    await socket.send(METADATA)
                    await socket.close()

    async with puppet(break_off, tls) as url:
        transcriber = DEEPGRAM.open(url)
        async with running(transcriber) as (reports, run):
            for block in CALL:
                transcriber.push(block)
                await asyncio.sleep(0.001)
            await until(lambda: visits == 3)
            transcriber.push(CALL[-1])
            run.cancel()
        _, complete = await transcribed(DEEPGRAM.open(url), CALL)
    assert run.cancelled()
    assert complete
    assert told(reports, Lost)[0].reason == "lost the connection"


def test_the_machines_certificates_are_read_once() -> None:
    line.prepare("wss://api.deepgram.com/v1/listen")
    assert line._tls() is line._tls()
