"""Proof that a request is Twilio's: what Twilio signed is let in, and nothing else is."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from twilio.request_validator import RequestValidator

from hub import tokens
from hub.config import Config
from hub.errors import TokenError
from tests.house import House, house
from tests.media import CALL, CONNECTED, STREAM, start

TOKEN, PUBLIC = "12345", "https://hub.example.com"
SECRET = "s" * 32


def sign(url: str, parameters: Any = None, token: str = TOKEN, algorithm: str | None = None) -> str:
    return str(RequestValidator(token).compute_signature(url, parameters or {}, algorithm))


# ----------------------------------------------------------------------------------------------------------- the upgrade


async def upgraded(home: House, path: str = "/twilio", **headers: str) -> int:
    try:
        await home.open(path, **headers)
    except aiohttp.WSServerHandshakeError as refusal:
        return refusal.status
    return 101


GOOD = sign("wss://hub.example.com/twilio")


@pytest.mark.parametrize(
    ("why", "headers", "status"),
    [
        ("signed", {"X-Twilio-Signature": GOOD}, 101),
        ("signed, lower case on the wire", {"x-twilio-signature": GOOD}, 101),
        ("signed with the port", {"X-Twilio-Signature": sign("wss://hub.example.com:443/twilio")}, 101),
        (
            "signed with a shared key",
            {
                "X-Twilio-Signature": sign("wss://hub.example.com/twilio", algorithm="HMAC_SHA256"),
                "X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=HMAC_SHA256",
            },
            101,
        ),
        ("missing", {}, 403),
        ("empty", {"X-Twilio-Signature": ""}, 403),
        ("forged", {"X-Twilio-Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, 403),
        ("another account's", {"X-Twilio-Signature": sign("wss://hub.example.com/twilio", token="54321")}, 403),
        ("of another host", {"X-Twilio-Signature": sign("wss://evil.example/twilio")}, 403),
        ("of another path", {"X-Twilio-Signature": sign("wss://hub.example.com/agent")}, 403),
        ("of a trailing slash", {"X-Twilio-Signature": sign("wss://hub.example.com/twilio/")}, 403),
        ("of another scheme", {"X-Twilio-Signature": sign("https://hub.example.com/twilio")}, 403),
        ("of another port", {"X-Twilio-Signature": sign("wss://hub.example.com:8443/twilio")}, 403),
        ("of a query", {"X-Twilio-Signature": sign("wss://hub.example.com/twilio?a=1")}, 403),
        ("unknown kind", {"X-Twilio-Signature": GOOD, "X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=NONE"}, 403),
        (
            "of another host, which the proxy is said to be",
            {
                "X-Twilio-Signature": sign("wss://evil.example/twilio"),
                "Host": "evil.example",
                "X-Forwarded-Host": "evil.example",
                "X-Forwarded-Proto": "https",
                "Forwarded": "host=evil.example;proto=https",
            },
            403,
        ),
    ],
)
async def test_an_upgrade_that_twilio_did_not_sign_is_refused_with_403(why: str, headers: dict[str, str], status: int) -> None:
    async with house(twilio_token=TOKEN, public_url=PUBLIC, secret=SECRET) as home:
        assert await upgraded(home, **headers) == status
        assert home.state.counters.refused["twilio signature"] == (status == 403)


async def test_a_stopping_hub_says_so_to_twilio_alone() -> None:
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        home.state.calls.draining = True
        assert await upgraded(home) == 403
        assert await upgraded(home, **{"X-Twilio-Signature": GOOD}) == 503


async def test_a_signature_covers_the_query_as_it_came() -> None:
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        good = sign("wss://hub.example.com/twilio?a=1&b=%20")
        assert await upgraded(home, "/twilio?a=1&b=%20", **{"X-Twilio-Signature": good}) == 101
        assert await upgraded(home, "/twilio?a=1", **{"X-Twilio-Signature": good}) == 403
        assert await upgraded(home, "/twilio?a=1&b=%20", **{"X-Twilio-Signature": GOOD}) == 403


async def test_pages_of_other_sites_cannot_bring_a_stream() -> None:
    async with house() as home:
        assert await upgraded(home) == 101
        assert await upgraded(home, Origin="https://evil.example") == 403


# ---------------------------------------------------------------------------------------------------------- webhooks

FORM = {"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-started", "Empty": "", "From": "+14155550123"}


@pytest.mark.parametrize("path", ["/twiml", "/twilio/status", "/twiml?outboundTrackLabel=agent"])
async def test_only_signed_webhooks_are_served(path: str) -> None:
    url = PUBLIC + path
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:

        async def post(form: Any = FORM, signature: str = "", at: str = path) -> int:
            async with home.session.post(home.url(at), data=form, headers={"X-Twilio-Signature": signature}) as answer:
                return answer.status

        assert await post(signature=sign(url, FORM)) in {200, 204}
        assert await post() == 403
        assert await post(signature=sign(url)) == 403, "the form is signed too"
        assert await post(FORM | {"From": "+19995550123"}, sign(url, FORM)) == 403
        assert await post(FORM | {"StreamError": "x"}, sign(url, FORM)) == 403
        assert await post(signature=sign(url, FORM, "54321")) == 403
        assert await post(signature=sign(url, FORM), at="/twiml?x=1") == 403, "of another address"
        assert await post(b"a=1", sign(url)) == 403, "a body that is no form"
        assert await post("x" * 100_000, sign(url)) in {403, 413}


async def test_a_body_that_is_too_long_is_refused_before_it_is_read() -> None:
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        tasks = asyncio.all_tasks()
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(b"POST /twiml HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Twilio-Signature: x\r\nContent-Length: 65537\r\n\r\n")
        assert b" 413 " in await reader.readline(), "not a byte of it was sent"
        writer.transport.abort()
        while asyncio.all_tasks() - tasks:  # the hub's for this connection
            await asyncio.sleep(0.01)


async def test_a_long_body_of_unknown_length_is_refused_with_413() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * 8192

    unsigned = {"X-Twilio-Signature": "x"}
    async with (
        house(twilio_token=TOKEN, public_url=PUBLIC) as home,
        home.session.post(home.url("/twiml"), data=pieces(), headers=unsigned) as answer,
    ):
        assert answer.status == 413


@pytest.mark.parametrize(("body", "status"), [(b'{"a":1}', 200), (b'{"a":2}', 403)])
async def test_a_json_body_is_proved_by_its_hash(body: bytes, status: int) -> None:
    path = "/twiml?bodySHA256=" + hashlib.sha256(b'{"a":1}').hexdigest()
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        headers = {"X-Twilio-Signature": sign(PUBLIC + path), "Content-Type": "application/json"}
        async with home.session.post(home.url(path), data=body, headers=headers) as answer:
            assert answer.status == status


async def test_a_form_is_proved_by_its_signature_whatever_hash_the_address_names() -> None:
    path = "/twiml?bodySHA256=" + "0" * 64
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        headers = {"X-Twilio-Signature": sign(PUBLIC + path, FORM)}
        async with home.session.post(home.url(path), data=FORM, headers=headers) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(("name", "status"), [("A", 200), ("A" * 9000, 403)])
async def test_other_orders_of_the_query_are_tried_for_short_requests_only(name: str, status: int) -> None:
    """Each order is hashed together with the whole form, and anyone can send a long one."""
    form = {name: "1"}
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        headers = {"X-Twilio-Signature": sign(f"{PUBLIC}/twiml?transcriber=local&language=en&keyterms=x&agent=a", form)}
        path = "/twiml?agent=a&keyterms=x&language=en&transcriber=local"
        async with home.session.post(home.url(path), data=form, headers=headers) as answer:
            assert answer.status == status


async def test_long_requests_are_checked_one_in_a_turn_and_twilios_do_not_wait_for_them() -> None:
    forged = {f"Field{number}": "x" * 50 for number in range(900)}

    async def status(home: House, form: Any, signature: str) -> int:
        async with home.session.post(home.url("/twiml"), data=form, headers={"X-Twilio-Signature": signature}) as answer:
            return answer.status

    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home, asyncio.TaskGroup() as group:
        async with home.state.turns._queue:  # a busy peer has its turn
            long = group.create_task(status(home, forged, "x"))
            while len(home.state.turns._queue._waiters or ()) < 1:
                await asyncio.sleep(0)
            assert await status(home, FORM, sign(f"{PUBLIC}/twiml", FORM)) == 200
            assert not long.done()
        assert await long == 403


async def test_a_hub_without_an_auth_token_gives_no_twiml_where_streams_need_a_token() -> None:
    async with house(secret=SECRET, public_url=PUBLIC) as home, home.session.post(home.url("/twiml"), data=FORM) as answer:
        assert answer.status == 403
        assert "TWILIO_AUTH_TOKEN" in await answer.text()


# ------------------------------------------------------------------------------------------------------- stream tokens


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (tokens.mint_stream(SECRET, CALL, 3600), None),
        (tokens.mint_stream(SECRET, None, 3600), None),
        ("", "this hub wants a token in the <Parameter> named token"),
        (tokens.mint_stream(SECRET, "CA" + "2" * 32, 3600), "the token is for another call"),
        (tokens.mint_stream(SECRET, CALL, -60), "the token has expired"),
        (tokens.mint_stream("x" * 32, CALL, 3600), "the token is not one of this hub's"),
        (tokens.mint(SECRET, ["*"], 3600), "the token is for subscribers, not for streams"),
        ("nonsense", "the token is not one of this hub's"),
    ],
)
async def test_without_an_auth_token_a_stream_proves_itself_by_its_token(token: str, reason: str | None) -> None:
    async with house(secret=SECRET, public_url=PUBLIC) as home:
        socket = await home.open("/twilio")
        await socket.send_str(CONNECTED)
        await socket.send_str(start(parameters={"token": token} if token else {}))
        if reason is None:
            await socket.send_str("not json")
            assert (await socket.receive()).data == 1007, "it was let in, and what came then was read"
            assert home.state.registry.find(CALL) is not None
            return
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, reason)
        assert home.state.registry.find(CALL) is None
        assert home.state.counters.refused["twilio token"] == 1


def test_a_streams_token_lets_nobody_watch() -> None:
    for call_sid in (CALL, None):
        with pytest.raises(TokenError):
            tokens.verify(SECRET, tokens.mint_stream(SECRET, call_sid, 60))


@pytest.mark.parametrize(
    ("settings", "proof"),
    [
        ({}, "none"),
        ({"secret": SECRET}, "none"),
        ({"host": "0.0.0.0", "open": True}, "none"),
        ({"host": "0.0.0.0", "secret": SECRET}, "token"),
        ({"public_url": PUBLIC, "secret": SECRET}, "token"),
        ({"public_url": PUBLIC, "twilio_token": TOKEN}, "signature"),
        ({"public_url": PUBLIC, "twilio_token": TOKEN, "open": True}, "signature"),
        ({"public_url": PUBLIC, "twilio_token": TOKEN, "secret": SECRET}, "signature"),
    ],
)
def test_which_proof_is_wanted_follows_from_the_settings(settings: dict[str, Any], proof: str) -> None:
    assert Config(**settings).proof == proof
