"""A hub with its own certificate: both WebSocket doors over wss, slow subscribers included, and a sentence for each wrong file."""

import asyncio
import logging
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from hub.app import running
from hub.config import Config
from hub.errors import ConfigError
from hub.twilio.media import StartBody
from hub.vendors.registered import REGISTERED
from hub.web.state import State
from hub.web.tls import Certificate
from tests.house import IMPATIENT
from tests.media import CALL, CONNECTED, media, start, stop
from tests.scripted import ScriptedTranscriber
from tests.test_serve import refused, serving

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates for these tests")


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make(folder: Path, name: str = "hub") -> tuple[str, str]:
    """Make a certificate for 127.0.0.1 and its key; return their files."""
    chain, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", f"/CN={name}",
        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain,
    )  # fmt: skip
    return str(chain), str(key)


@dataclass
class Secure:
    """A hub with a certificate, and a client that trusts it."""

    state: State
    port: int
    session: aiohttp.ClientSession
    door: Callable[[str], Awaitable[aiohttp.ClientWebSocketResponse]]


@asynccontextmanager
async def secure(folder: Path, transcriber: ScriptedTranscriber) -> AsyncIterator[Secure]:
    """Run a hub over TLS, and a client that trusts its certificate alone."""
    chain, key = make(folder)

    def opened(_: StartBody) -> ScriptedTranscriber:
        return transcriber

    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=chain))
    config = Config(port=0, drain_seconds=0.0, tls_cert=chain, tls_key=key)
    async with (
        running(config, opened, limits=IMPATIENT) as (state, port),
        aiohttp.ClientSession(f"https://127.0.0.1:{port}", connector=trusting) as session,
        AsyncExitStack() as sockets,
    ):

        async def door(path: str) -> aiohttp.ClientWebSocketResponse:
            return await sockets.enter_async_context(session.ws_connect(path, compress=0))

        yield Secure(state, port, session, door)


async def play(twilio: aiohttp.ClientWebSocketResponse, frames: int) -> None:
    await twilio.send_str(CONNECTED)
    await twilio.send_str(start())
    for at in range(0, frames * 20, 20):
        await twilio.send_str(media("inbound", at, bytes([at // 20 % 128]) * 160))
        await twilio.send_str(media("outbound", at, bytes([at // 20 % 128]) * 160))


async def test_a_call_goes_through_both_doors_over_wss(tmp_path: Path) -> None:
    transcriber = ScriptedTranscriber()
    async with secure(tmp_path, transcriber) as home:
        async with home.session.get("/healthz") as answer:
            assert await answer.text() == "ok\n"
        twilio = await home.door("/twilio")
        await play(twilio, 100)
        await transcriber.started.wait()
        subscriber = await home.door("/client")
        assert await subscriber.receive_json() == [CALL]
        await subscriber.send_str(CALL)
        assert (await subscriber.receive_json())["type"] == "call-started"
        transcriber.interim("hel")
        assert (await subscriber.receive_json())["text"] == "hel"
        await twilio.send_str(stop())
        assert (await twilio.receive()).data == 1000
        told = [message.json()["type"] async for message in subscriber]
        assert (told[-1], subscriber.close_code) == ("call-ended", 1000)
    assert transcriber.audio("inbound") == transcriber.audio("outbound") == b"".join(bytes([number % 128]) * 160 for number in range(100))


async def test_frames_sent_with_the_handshake_are_not_lost(tmp_path: Path) -> None:
    """The parser is replaced during the upgrade: frames that have already arrived must reach the new one, also over TLS."""
    transcriber = ScriptedTranscriber()
    async with secure(tmp_path, transcriber) as home:
        trusting = ssl.create_default_context(cafile=tmp_path / "hub.pem")
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port, ssl=trusting)
        head = b"GET /twilio HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        frames = b""
        for message in (CONNECTED, start(), media("inbound", 0), stop()):
            payload = message.encode()
            frames += bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + bytes(4) + payload
        writer.write(head + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + frames)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        await transcriber.finished.wait()
        writer.close()
    assert len(transcriber.audio("inbound")) == 160


async def test_a_subscriber_that_reads_nothing_over_tls_is_disconnected_and_delays_nobody(tmp_path: Path) -> None:
    transcriber = ScriptedTranscriber()
    async with secure(tmp_path, transcriber) as home:
        twilio = await home.door("/twilio")
        await play(twilio, 10)
        await transcriber.started.wait()
        stalled = await home.door("/client")
        await stalled.receive()
        await stalled.send_str(CALL)
        assert (await stalled.receive_json())["type"] == "call-started"
        transport = stalled._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()
        awake = await home.door("/client")
        await awake.receive()
        await awake.send_str(CALL)
        said = 0
        while not home.state.counters.lagged:
            transcriber.final("word " * 2000, start=said, end=said + 1)
            said += 1
            while (await awake.receive_json())["type"] != "final":
                pass
        while home.state.counters.subscribers > 1:
            await asyncio.sleep(0.01)
        assert home.state.counters.closed == {4408: 1}
        transport.resume_reading()
        await twilio.send_str(stop())
        assert [message.json()["type"] async for message in awake][-1] == "call-ended"


async def test_the_command_serves_over_tls_on_its_own_loop_and_stops_in_order(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=chain))
    async with (
        serving(HUB_TLS_CERT=chain, HUB_TLS_KEY=key, HUB_DRAIN_SECONDS="0") as (process, port),
        aiohttp.ClientSession(f"https://127.0.0.1:{port}", connector=trusting) as session,
        session.ws_connect("/twilio", compress=0) as twilio,
        session.ws_connect("/client", compress=0) as subscriber,
    ):
        assert await subscriber.receive_json() == []
        await subscriber.send_json({"action": "subscribe", "calls": "all"})
        assert (await subscriber.receive_json())["type"] == "calls"
        await play(twilio, 20)
        assert (await subscriber.receive_json())["type"] == "call-started"
        process.terminate()
        assert (await twilio.receive()).data == 1000
        told = [message.json()["type"] async for message in subscriber]
        assert told[-1] == "call-ended"
        assert await process.wait() == 0


async def test_a_renewed_certificate_is_used_and_a_wrong_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chain, key = make(tmp_path)
    certificate = Certificate(chain, key)

    async def logged(words: str) -> None:
        while words not in caplog.text:
            await asyncio.sleep(0.01)

    async def shown() -> bytes:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate.context) as server:
            anybody = ssl._create_unverified_context()
            _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1], ssl=anybody)
            der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            return der

    async with asyncio.TaskGroup() as group:
        renewing = group.create_task(certificate.renew(look_seconds=0.01))
        first = await shown()
        new_chain, new_key = make(tmp_path, "new")
        os.replace(new_chain, chain)  # only half of it
        await logged("the renewed certificate is not used: HUB_TLS_KEY")
        assert await shown() == first
        os.replace(new_key, key)
        await logged("the certificate was renewed")
        assert await shown() != first
        renewing.cancel()


def test_a_certificate_may_come_with_its_key_in_one_file(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(Path(chain).read_text() + Path(key).read_text())
    Certificate(str(both), "")


def wrong(chain: str, key: str) -> str:
    with pytest.raises(ConfigError) as error:
        Certificate(chain, key)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_each_wrong_file_is_one_sentence(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    _, other_key = make(tmp_path, "other")
    locked, nonsense, damaged = (str(tmp_path / name) for name in ("locked.pem", "nonsense.pem", "damaged.pem"))
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked)
    Path(nonsense).write_text("no certificate")
    Path(damaged).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    nowhere = str(tmp_path / "nowhere.pem")
    assert wrong(nowhere, key) == f"HUB_TLS_CERT {nowhere} cannot be read: No such file or directory"
    assert wrong(chain, nowhere) == f"HUB_TLS_KEY {nowhere} cannot be read: No such file or directory"
    assert wrong(str(tmp_path), key) == f"HUB_TLS_CERT {tmp_path} cannot be read: Is a directory"
    assert wrong(nonsense, key) == f"HUB_TLS_CERT {nonsense} holds no certificate in PEM form"
    assert wrong(key, chain).endswith("it holds a private key; HUB_TLS_KEY is for that one")
    assert wrong(chain, nonsense) == f"HUB_TLS_KEY {nonsense} holds no private key in PEM form"
    assert wrong(chain, "").startswith("HUB_TLS_KEY is not set, and")
    assert wrong(chain, other_key).startswith(f"HUB_TLS_KEY {other_key} is the key of another certificate")
    assert "is locked with a password" in wrong(chain, locked)
    assert wrong(damaged, key).startswith(f"HUB_TLS_CERT {damaged} and its key cannot be used")


async def test_a_wrong_certificate_stops_the_start(tmp_path: Path) -> None:
    code, said = await refused(HUB_TLS_CERT=str(tmp_path / "nowhere.pem"))
    assert code == 2
    assert said == f"transcript-hub: HUB_TLS_CERT {tmp_path}/nowhere.pem cannot be read: No such file or directory\n"


def test_a_key_without_a_certificate_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="HUB_TLS_KEY is set and HUB_TLS_CERT is not"):
        REGISTERED.load({"HUB_TLS_KEY": "key.pem"}, None)
