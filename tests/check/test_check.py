"""`transcript-hub check` against set-ups that are broken on purpose: the check names each cause, with Twilio's own code for it."""

import asyncio
import shutil
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from clients.commands.demo import free_port
from hub.app import running
from hub.check.check import check
from hub.errors import ConfigError
from hub.vendors.registered import REGISTERED
from tests.check.setups import SECRET, TOKEN, Setup, already_running
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.script import Script
from tests.proxy import proxy
from tests.scripted import ScriptedTranscriber
from tests.settings import configured
from tests.test_serve import environment
from tests.web.test_tls import make, openssl

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates for these tests")


async def test_a_sound_setup_passes_before_the_first_start(setup: Setup) -> None:
    code, lines = await setup.check()
    assert code == 0, lines
    assert {line[:4] for line in lines.values()} == {"ok  "}
    assert list(lines) == ["settings", "readers", "port", "public address", "websocket", "signature", "twiml", "deepgram"]
    assert "no hub listens on 127.0.0.1 port" in lines["port"]


@pytest.mark.engine
async def test_and_beside_the_running_hub(setup: Setup) -> None:
    async with AsyncExitStack() as stack:
        lines: list[str] = []
        url = await stack.enter_async_context(proxy(setup.port, setup.chain, setup.key))
        config = configured(port=setup.port, public_url=url, twilio_token=TOKEN, drain_seconds=0.0)
        state, _ = await stack.enter_async_context(running(config, lambda _: ScriptedTranscriber()))
        assert await check(lambda: config, lines.append) == 0, lines
        assert "a hub listens on" in lines[2]
        assert len(state.registry) == 0  # no call is left behind
        assert state.counters.malformed == 0


@pytest.mark.engine
async def test_without_a_public_address_the_rest_is_checked(setup: Setup) -> None:
    lines: list[str] = []
    assert await check(lambda: configured(port=setup.port), lines.append) == 0
    assert [line[:4] for line in lines] == ["ok  ", "ok  ", "ok  ", "skip", "skip", "skip", "skip", "ok  "]
    assert "HUB_PUBLIC_URL is not set" in lines[3]


async def test_a_hub_that_wants_tokens_is_tried_without_one(setup: Setup) -> None:
    code, lines = await setup.check(twilio_token="", secret=SECRET)
    assert code == 0, lines
    assert "a stream without this hub's token is not let in" in lines["signature"]
    assert "TwiML Bin" in lines["twiml"]


async def test_a_hub_that_lets_everyone_in_gets_a_note(setup: Setup) -> None:
    code, lines = await setup.check(twilio_token="", secret="", open=True)
    assert code == 0
    assert lines["settings"].startswith("note")
    assert lines["readers"].startswith("note")
    assert "can read every call, live and ended: set HUB_SECRET" in lines["readers"]
    assert lines["signature"].startswith("note")


# ------------------------------------------------------------------------------------------------------------ broken set-ups


async def test_1_an_unknown_setting() -> None:
    lines: list[str] = []
    assert await check(lambda: REGISTERED.load({"HUB_PROT": "1"}, None), lines.append) == 1
    assert len(lines) == 1
    assert "HUB_PROT is no setting of this hub" in lines[0]


async def test_2_a_public_address_without_tls(setup: Setup) -> None:
    code, lines = await setup.check(f"http://127.0.0.1:{setup.port}")
    assert code == 1
    assert lines["settings"].startswith("FAIL")
    assert "wss:// only" in lines["settings"]
    assert lines["settings"].endswith("[Twilio shows 31922]")


async def test_3_a_port_that_another_program_has(setup: Setup) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", setup.port))
        other.listen()

        code, lines = await setup.check("https://nowhere.invalid")
    assert code == 1
    assert "is taken by another program" in lines["port"]


async def test_4_a_name_without_an_address(setup: Setup) -> None:
    await setup.fails("public address", "the name nowhere.invalid has no address", "11210", public_url="https://nowhere.invalid")


async def test_5_an_address_at_which_nobody_listens(setup: Setup) -> None:
    words = "is the proxy or tunnel running"
    await setup.fails("public address", words, "11205, on a stream 31902", public_url=f"https://127.0.0.1:{free_port(0)}")


async def test_6_a_certificate_that_signs_itself(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", make(setup.folder, "other")[0])
    await setup.fails("public address", "is signed by itself", "11237, on a stream 31910")


async def test_7_a_certificate_for_another_name(setup: Setup) -> None:
    async with proxy(setup.port, setup.chain, setup.key) as url:
        wrong = url.replace("127.0.0.1", "localhost")
        await setup.fails("public address", "is for another name", "11235, on a stream 31910", public_url=wrong)


async def test_8_a_certificate_that_has_expired(setup: Setup) -> None:
    request = setup.folder / "request.pem"
    openssl("req", "-new", "-key", setup.key, "-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1", "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", setup.key, "-days", "-1", "-copy_extensions", "copy", "-out", setup.chain)
    setup.believe()
    await setup.fails("public address", "has expired", "11236, on a stream 31910")


async def test_9_a_chain_without_its_middle(setup: Setup) -> None:
    authority, authority_key = make(setup.folder, "authority")
    request = setup.folder / "request.pem"
    openssl("req", "-new", "-key", setup.key, "-subj", "/CN=leaf", "-addext", "subjectAltName=IP:127.0.0.1", "-out", request)
    openssl(
        "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-days", 2,
        "-copy_extensions", "copy", "-out", setup.chain,
    )  # fmt: skip
    await setup.fails("public address", "serve the full chain", "11237, on a stream 31910")


async def test_10_plain_http_where_tls_should_be(setup: Setup) -> None:
    await setup.fails("public address", "does not speak TLS", "11220, on a stream 31910", public_url=f"https://127.0.0.1:{setup.port}")


async def test_11_a_proxy_that_cannot_reach_the_hub(setup: Setup) -> None:
    nowhere = free_port(0)
    async with proxy(nowhere, setup.chain, setup.key) as url:
        await setup.fails("public address", "answers 502: it cannot reach the hub", "11200", public_url=url)


async def test_12_something_else_that_answers(setup: Setup) -> None:
    def parked(_: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nparked"

    await setup.fails("public address", "but it is not this hub", "11200", told=parked)


async def test_13_a_proxy_that_redirects(setup: Setup) -> None:
    def moved(_: bytes) -> bytes:
        return b"HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\nContent-Length: 0\r\n\r\n"

    await setup.fails("public address", "redirects (301)", "31920", told=moved)


async def test_14_a_proxy_that_drops_the_upgrade(setup: Setup) -> None:
    def without_upgrade(head: bytes) -> bytes:
        return b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith((b"upgrade:", b"connection:")))

    code, lines = await setup.check(asked=without_upgrade)
    assert code == 1
    assert "nginx needs `proxy_http_version 1.1`" in lines["websocket"]
    assert lines["websocket"].endswith("[Twilio shows 31920]")


async def test_15_a_proxy_that_opens_sockets_and_carries_nothing(setup: Setup) -> None:
    def cut(data: bytes) -> bytes:
        return data if data.startswith(b"HTTP/") else b""

    code, lines = await setup.check(told=cut)
    assert code == 1
    assert "carries no messages" in lines["websocket"]
    assert lines["websocket"].endswith("[Twilio shows 31921]")


async def test_16_a_proxy_that_changes_the_path(setup: Setup) -> None:
    code, lines = await setup.check(asked=lambda head: head.replace(b" /twilio ", b" /twilio/ "))
    assert code == 1
    assert "does not forward /twilio (HTTP 404)" in lines["websocket"]


async def test_17_a_running_hub_with_another_auth_token(setup: Setup) -> None:
    async with proxy(setup.port, setup.chain, setup.key) as url, already_running(setup, public_url=url, twilio_token="another-accounts"):
        code, lines = await setup.check(url)
    assert code == 1
    assert "was started with another TWILIO_AUTH_TOKEN or HUB_PUBLIC_URL" in lines["websocket"]
    assert lines["twiml"].startswith("FAIL")
    assert lines["twiml"].endswith("[Twilio shows 11200]")


async def test_18_a_running_hub_that_asks_for_no_proof(setup: Setup) -> None:
    async with proxy(setup.port, setup.chain, setup.key) as url, already_running(setup, public_url=url):
        await setup.fails("signature", "without a signature is let in", public_url=url)


async def test_19_a_running_hub_that_asks_for_no_token(setup: Setup) -> None:
    async with proxy(setup.port, setup.chain, setup.key) as url, already_running(setup, public_url=url):
        await setup.fails("signature", "without a token is let in", public_url=url, twilio_token="", secret=SECRET)


async def test_20_twiml_that_a_proxy_changes(setup: Setup) -> None:
    await setup.fails(
        "twiml", "the TwiML is not XML", "12100", told=lambda data: data.replace(b"</Response>", b"<Response/>")
    )  # as long as before: Content-Length still fits
    await setup.fails("twiml", "does not ask for both tracks", "31941", told=lambda data: data.replace(b'"both_tracks"', b'"all_tracks_"'))


async def test_21_a_running_hub_with_another_public_address(setup: Setup) -> None:
    async with proxy(setup.port, setup.chain, setup.key) as url, already_running(setup, public_url="https://old.example.com", open=True):
        await setup.fails(
            "twiml", "names another address than HUB_PUBLIC_URL", "31920", public_url=url, twilio_token="", secret="", open=True
        )


async def test_22_a_key_that_the_provider_does_not_take(setup: Setup) -> None:
    await setup.fails("deepgram", "refused the key (401 INVALID_AUTH): check DEEPGRAM_API_KEY", deepgram_key="canary-other")


async def test_23_a_model_that_the_provider_does_not_know(setup: Setup) -> None:
    await setup.fails("deepgram", "refused the model (403", deepgram_model="nova-33")


async def test_24_a_model_that_assemblyai_does_not_have(setup: Setup) -> None:
    async with FakeAssemblyAI() as fake:
        how = {"fallback": "assemblyai", "assemblyai_key": "canary-too", "assemblyai_url": fake.url}
        says = "refused the model (3006): Invalid speech_model: 'u4-pro'. Valid values: "
        await setup.fails("assemblyai", says, assemblyai_model="u4-pro", **how)
        code, lines = await setup.check(**how)
    assert (code, lines["assemblyai"][:2]) == (0, "ok"), lines
    assert [visit.messages for visit in fake.visits] == [[], ['{"type":"Terminate"}']]  # no session is left to be billed


async def test_25_an_assemblyai_key_that_is_refused_after_the_101(setup: Setup) -> None:
    async with FakeAssemblyAI(Script(refuse=[1008])) as fake:
        how = {"fallback": "assemblyai", "assemblyai_key": "canary-too", "assemblyai_url": fake.url}
        await setup.fails("assemblyai", "refused the key (1008)", **how)


async def test_26_a_provider_that_is_not_there(setup: Setup) -> None:
    await setup.fails("deepgram", "cannot be reached", deepgram_url=f"ws://127.0.0.1:{free_port(0)}")


async def test_27_a_certificate_file_that_does_not_exist(setup: Setup) -> None:
    code, lines = await setup.check(tls_cert=str(setup.folder / "nowhere.pem"), public_url="https://nowhere.invalid")
    assert code == 1
    assert "HUB_TLS_CERT" in lines["port"]


async def test_the_command_says_it_line_by_line_and_exits_1(setup: Setup) -> None:
    settings = environment(HUB_PORT=str(setup.port), HUB_PUBLIC_URL="https://nowhere.invalid", TWILIO_AUTH_TOKEN=TOKEN)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "check", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=settings
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")
    assert b"FAIL  public address  the name nowhere.invalid has no address" in out
    assert b"canary" not in out


def test_a_config_of_tests_is_one_that_could_be_loaded() -> None:
    """Config itself checks nothing: what the tests above put together would have passed `load`."""
    config = configured(public_url="https://127.0.0.1:1", twilio_token=TOKEN, dial="+15005550006")
    given = {"HUB_PUBLIC_URL": config.public_url, "TWILIO_AUTH_TOKEN": TOKEN, "HUB_DIAL": config.dial}
    assert REGISTERED.load(given, None) == config
    with pytest.raises(ConfigError):
        REGISTERED.load(given | {"HUB_PUBLIC_URL": "nonsense"}, None)
    assert replace(config, archive="") == config
