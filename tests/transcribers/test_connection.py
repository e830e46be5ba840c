"""A connection to a provider: its frames, judged by a WebSocket implementation that is not ours, and what a failed dial means."""

import asyncio
import logging
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol, State

from hub.audio.timeline import Block
from hub.errors import ProviderError
from hub.transcribers import connection as connections
from hub.transcribers.connection import _BINARY, _frame
from hub.transcribers.transcriber import Lost
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import METADATA, puppet
from tests.providers.script import Script
from tests.providers.vendors import DEEPGRAM
from tests.transcribers.runs import CALL, running, told, transcribed, until


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1600, 65535, 65536, 70000])
def test_a_server_reads_an_audio_frame_as_the_hub_wrote_it(size: int) -> None:
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
async def test_an_address_that_cannot_work_is_an_error_that_names_its_setting(url: str, says: str, retryable: bool) -> None:
    with pytest.raises(ProviderError) as failed:
        await connections.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
    assert says in failed.value.problem
    assert failed.value.retryable is retryable


async def test_a_server_that_is_no_websocket_is_tried_again() -> None:
    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hello, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ProviderError, match="cannot be reached") as failed:
            await connections.dial("Deepgram", url, {}, 1.0, lambda *_: ProviderError("Deepgram", "", retryable=False))
    assert failed.value.retryable


async def test_no_proxy_is_asked_for_a_provider_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with FakeDeepgram() as fake:
        answered = lambda status, *_: ProviderError("Deepgram", f"answered {status}", retryable=False)  # noqa: E731
        with pytest.raises(ProviderError, match="answered 404"):
            await connections.dial("Deepgram", f"{fake.url}/nothing", {}, 5.0, answered)


async def test_a_proxy_that_needs_another_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ProviderError, match="cannot be reached through this machine's proxy: ") as error:
        await connections.dial("Deepgram", "wss://api.example.com", {}, 5.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
    assert not error.value.retryable


async def test_over_tls_connections_break_and_are_cancelled_as_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test", "-addext"]
    try:
        subprocess.run([*command, "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate for this test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setattr(connections, "_tls", lambda: ssl.create_default_context(cafile=certificate))
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
    connections.prepare("wss://api.deepgram.com/v1/listen")
    assert connections._tls() is connections._tls()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[connections.ProviderConnection, list[bytes]]]:
    """An open connection to a puppet, opened at second 100, and the messages that it got."""
    received: list[bytes] = []
    socket = await connections.dial("Deepgram", url, {}, 5.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
    connection = connections.ProviderConnection(socket, received.append, 100.0)
    try:
        yield connection, received
    finally:
        connection.hang_up(None)
        with pytest.raises(ConnectionClosed):
            await connection.closed()


class Listening:
    """A puppet that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.close_code: int | None = None

    async def __call__(self, socket: ServerConnection) -> None:
        async for message in socket:
            self.messages.append(message)
        self.close_code = socket.close_code


async def test_audio_and_text_arrive_as_they_were_sent() -> None:
    listening = Listening()
    async with puppet(listening) as url, connected(url) as (connection, _):
        connection.send_audio(Block(0.0, b"\x01" * 80, b""), b"\x01" * 80, 16, 101.0)
        connection.send_audio(Block(10.0, b"\x02" * 80, b""), b"\x02" * 80, 0, 102.0)
        assert connection.send_text(b'{"a":1}') is True
        connection.send("last", 103.0)
        await until(lambda: len(listening.messages) == 4)
        assert (connection.audio_at, connection.written_at, connection.clock.total_ms) == (102.0, 103.0, 22.0)
    assert listening.messages == [b"\x01" * 80 + b"\xff" * 16, b"\x02" * 80, '{"a":1}', "last"]


async def test_a_provider_has_processed_no_more_than_it_was_sent_nor_faster_than_speech() -> None:
    async with puppet(Listening()) as url, connected(url) as (connection, _):
        connection.send_audio(Block(0.0, bytes(8000), b""), bytes(8000), 0, 100.0)
        connection.tick(105.0)
        assert connection.processed_ms == 0, "the provider has not accepted the session"
        connection.ready = True
        connection.tick(105.25)
        assert connection.processed_ms == 250
        connection.tick(109.0)
        assert connection.processed_ms == 1000


@pytest.mark.parametrize(("end", "ended_at", "sent"), [("bye", None, ["bye"]), ("bye", 101.0, []), (None, None, [])])
async def test_hanging_up_sends_the_end_message_once_and_closes(end: str | None, ended_at: float | None, sent: list[str]) -> None:
    listening = Listening()
    async with puppet(listening) as url, connected(url) as (connection, _):
        connection.ended_at = ended_at
        connection.hang_up(end)
        await until(lambda: listening.close_code is not None)
        assert not connection.has_room
        assert connection.send_text(b"late") is False
    assert (listening.messages, listening.close_code) == (sent, 1000)


async def test_hanging_up_on_a_peer_that_reads_nothing_does_not_wait_for_it() -> None:
    """A socket that is closed while its buffer is full stays open until the peer reads, so it is broken off."""

    async def sleep(socket: ServerConnection) -> None:
        socket.transport.pause_reading()

    async with puppet(sleep) as url, connected(url) as (connection, _):
        while connection.has_room:
            connection.send_audio(Block(0.0, bytes(8000), b""), bytes(8000), 0, 101.0)
            await asyncio.sleep(0)
        connection.hang_up("bye")
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed):
                await connection.closed()


async def test_a_probe_sends_the_end_message_and_closes_also_if_the_provider_closed_first() -> None:
    listening = Listening()
    async with puppet(listening) as url:
        socket = await connections.dial("Deepgram", url, {}, 5.0, lambda *_: ProviderError("Deepgram", "", retryable=True))
        await connections.leave(socket, "bye")
        await until(lambda: listening.close_code is not None)
        await connections.leave(socket, "bye")
    assert (listening.messages, listening.close_code) == (["bye"], 1000)


async def test_messages_that_came_before_and_messages_in_fragments_are_not_lost() -> None:
    async def speak(socket: ServerConnection) -> None:
        await socket.send(["in ", "fragments"])
        await socket.send("whole")

    async with puppet(speak) as url, connected(url) as (connection, received), asyncio.TaskGroup() as group:
        waiting = group.create_task(connection.closed())
        await until(lambda: len(received) == 2)
        waiting.cancel()
    assert sorted(received) == [b"in fragments", b"whole"]
