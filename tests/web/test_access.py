"""Who may watch: tokens, origins, limits, and that nobody learns what is not theirs, in an answer or in a log."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client as websockets
from aiohttp import WSMsgType

from hub import config, tokens
from hub.__main__ import main
from hub.errors import ConfigError
from hub.tokens import Grant, mint, verify
from hub.web import client, server, subscriptions
from tests.frames import knock
from tests.house import House, house
from tests.media import CALL, CONNECTED, media, start, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import said, spoken
from tests.publishing import FROM, TO, Publisher
from tests.test_serve import environment, serving

SECRET = "0123456789abcdef0123456789abcdef"
OTHER, THIRD = "CA" + "2" * 32, "CA" + "3" * 32
ALL = {"action": "subscribe", "calls": "all"}


def token(*calls: str, seconds: float = 3600) -> str:
    return mint(SECRET, calls or ["*"], seconds)


def signed(payload: object, *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A token of any content, made without the library that reads it."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = part(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + "." + part(raw)
    if algorithm == "none":
        return message + "."
    return message + "." + part(hmac.new(secret.encode(), message.encode(), getattr(hashlib, "sha" + algorithm[2:])).digest())


FAR = int(time.time()) + 3600

WRONG = {
    "another secret's": signed({"calls": ["*"], "exp": FAR}, secret="x" * 32),
    "expired": signed({"calls": ["*"], "exp": int(time.time()) - 60}),
    "unsigned": signed({"calls": ["*"], "exp": FAR}, algorithm="none"),
    "another algorithm's": signed({"calls": ["*"], "exp": FAR}, algorithm="HS512"),
    "endless": signed({"calls": ["*"]}),
    "without calls": signed({"exp": FAR}),
    "calls as text": signed({"calls": "*", "exp": FAR}),
    "calls as numbers": signed({"calls": [1], "exp": FAR}),
    "exp as nonsense": signed({"calls": ["*"], "exp": "soon"}),
    "exp as a list": signed({"calls": ["*"], "exp": []}),
    "exp without end": signed(b'{"calls":["*"],"exp":Infinity}'),
    "exp beyond numbers": signed(b'{"calls":["*"],"exp":' + b"9" * 400 + b"}"),
    "for another audience": signed({"calls": ["*"], "exp": FAR, "aud": "other"}),
    "not yet good": signed({"calls": ["*"], "exp": FAR, "nbf": FAR - 60}),
    "no object": signed([]),
    "nested": signed(b"[" * 3000),
    "cut": token()[:-5],
    "no token": "a.b.c",
}


async def connect(home: House, shown: str | None = None, *, query: str = "", **headers: str) -> aiohttp.ClientWebSocketResponse:
    if shown is not None:
        headers["Authorization"] = f"Bearer {shown}"
    return await home.open("/client" + query, **headers)


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of a type."""
    while True:
        message = await socket.receive_json(timeout=5)
        if isinstance(message, dict) and message["type"] == kind:
            return message


async def turned_away(socket: aiohttp.ClientWebSocketResponse) -> tuple[str, str, int | None]:
    """The error and the close code of a socket that the hub closes."""
    refusal = await until(socket, "error")
    assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
    return refusal["code"], refusal["message"], socket.close_code


async def test_a_token_is_taken_in_each_of_four_ways() -> None:
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        shown = token()
        for socket in (await connect(home, shown), await connect(home, query=f"?token={shown}")):
            assert await socket.receive_json() == [CALL]
            await socket.close()
        for first in (shown, json.dumps({"action": "authenticate", "token": shown})):
            socket = await connect(home)
            await socket.send_str(first)
            assert await socket.receive_json() == [CALL]
            await socket.send_json({"action": "ping"})
            await until(socket, "pong")
            await socket.close()
        assert (await home.session.get(home.url(f"/calls?token={shown}"))).status == 200


async def test_without_a_token_nothing_is_said_and_the_socket_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOKEN_SECONDS", 0.1)
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        assert await turned_away(await connect(home)) == ("token", "no token came", 4501)
        for first in (CALL, json.dumps(ALL), json.dumps({"action": "ping"})):
            socket = await connect(home)
            await socket.send_str(first)
            assert await turned_away(socket) == ("token", "this hub wants a token first", 4501)
        async with home.session.get(home.url("/calls")) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert CALL not in await answer.text()


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_token_is_refused_wherever_it_is_shown(kind: str) -> None:
    wrong = WRONG[kind]
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        late = await connect(home)
        await late.send_json({"action": "authenticate", "token": wrong})
        for socket in (await connect(home, wrong), await connect(home, query=f"?token={wrong}"), late):
            code, message, close_code = await turned_away(socket)
            assert (code, close_code) == ("token", 4501)
            assert wrong not in message
        for path in ("/calls", f"/calls/{CALL}", f"/calls/{CALL}/transcript.txt"):
            async with home.session.get(home.url(path), headers={"Authorization": f"Bearer {wrong}"}) as answer:
                assert answer.status == 401
        assert home.state.counters.refused["client token"] == 3


async def test_nothing_a_refused_peer_says_is_looked_at() -> None:
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        socket = await connect(home)
        for message in ("a.b.c", token(), json.dumps(ALL), CALL, *["{"] * 50):
            await socket.send_str(message)
        assert await turned_away(socket) == ("token", "the token is not one of this hub's", 4501)


async def test_a_socket_ends_with_its_token_unless_it_gets_a_newer_one() -> None:
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        short, renewed = await connect(home, token(seconds=1.5)), await connect(home, token(seconds=1.5))
        for socket in (short, renewed):
            assert await socket.receive_json() == [CALL]
        await renewed.send_str(token())
        await until(renewed, "authenticated")
        assert await turned_away(short) == ("token", "the token has expired", 4501)
        await asyncio.sleep(0.1)
        await renewed.send_json({"action": "ping"})
        await until(renewed, "pong")
        await renewed.send_str(signed({"calls": ["*"], "exp": 1}))
        assert await turned_away(renewed) == ("token", "the token has expired", 4501)


async def test_a_narrower_token_ends_what_it_does_not_allow() -> None:
    async with house(secret=SECRET) as home:
        mine, other, numbered = Publisher(home.state), Publisher(home.state, OTHER), Publisher(home.state, THIRD, from_="+4930123456")
        socket = await connect(home, token())
        for request in ({"callSid": CALL}, {"callSid": OTHER}, {"number": "+4930123456"}, {"calls": "all"}):
            await socket.send_json({"action": "subscribe"} | request)
        await until(socket, "calls")
        await socket.send_str(token(CALL))
        assert (await until(socket, "unsubscribed"))["number"] == "+4930123456"
        assert (await until(socket, "unsubscribed"))["callSid"] == OTHER
        await until(socket, "authenticated")
        for publisher in (other, numbered, mine):
            publisher.final("after")
            publisher.lost()
            publisher.end()
        seen = [await socket.receive_json() for _ in range(3)]
        assert [(event["callSid"], event["type"]) for event in seen] == [
            (CALL, "final"), (CALL, "transcriber-lost"), (CALL, "call-ended"),
        ]  # fmt: skip


async def test_lists_replays_and_exports_show_only_what_a_token_allows() -> None:
    async with house(secret=SECRET) as home:
        mine, other = Publisher(home.state), Publisher(home.state, OTHER, "+4930123456", "+4930654321")
        third = Publisher(home.state, THIRD, None, TO)
        for shown, allowed in (
            (token(CALL), {CALL}),
            (token(TO), {CALL, THIRD}),
            (token(TO, OTHER), {CALL, OTHER, THIRD}),
            (token("CA0"), set()),
        ):
            socket = await connect(home, shown)
            assert set(await socket.receive_json()) == allowed
            await socket.send_json(ALL)
            assert {call["callSid"] for call in (await until(socket, "calls"))["calls"]} == allowed
            for publisher in (mine, other, third):
                publisher.lost()
            assert {(await until(socket, "transcriber-lost"))["callSid"] for _ in allowed} == allowed
            await socket.send_json({"action": "ping"})
            assert (await socket.receive_json())["type"] == "pong", "and of no other call"
            await socket.close()
            headers = {"Authorization": f"Bearer {shown}"}
            async with home.session.get(home.url("/calls"), headers=headers) as answer:
                assert {call["callSid"] for call in (await answer.json())["calls"]} == allowed
            for call in (CALL, OTHER, THIRD):
                for path in ("", "/transcript.json", "/transcript.txt", "/transcript.srt", "/transcript.vtt"):
                    async with home.session.get(home.url(f"/calls/{call}{path}"), headers=headers) as answer:
                        assert answer.status == (200 if call in allowed else 404)


async def test_a_number_is_followed_only_by_who_may_see_all_its_calls() -> None:
    async with house(secret=SECRET) as home:
        Publisher(home.state)
        socket = await connect(home, token(CALL, FROM))
        await socket.send_json({"action": "subscribe", "number": TO})
        assert (await until(socket, "error"))["code"] == "not-allowed"
        await socket.send_json({"action": "subscribe", "number": FROM})
        assert (await until(socket, "watching"))["number"] == FROM
        assert (await until(socket, "subscribed"))["callSid"] == CALL
        Publisher(home.state, OTHER, "+4930123456", TO)
        Publisher(home.state, THIRD, TO, FROM)
        assert (await until(socket, "subscribed"))["callSid"] == THIRD
        await socket.send_json({"action": "unsubscribe", "number": FROM})
        await until(socket, "unsubscribed")
        await socket.send_json({"action": "unsubscribe", "callSid": THIRD})
        assert (await until(socket, "error"))["code"] == "not-subscribed", "its calls went with the number"


async def test_unknown_and_forbidden_are_answered_alike() -> None:
    def bare(text: str) -> str:
        return re.sub(r"CA[0-9]{32}", "CA…", re.sub(r'"at":"[^"]+"', "", text))

    async def answers(home: House, call: str) -> list[object]:
        found: list[object] = []
        shown = token("CA0")
        for message in (call, json.dumps({"action": "subscribe", "callSid": call}), json.dumps({"action": "unsubscribe", "callSid": call})):
            socket = await connect(home, shown)
            await socket.receive()
            await socket.send_str(message)
            await socket.send_json({"action": "ping"})
            while (heard := await socket.receive(timeout=5)).type is WSMsgType.TEXT and '"pong"' not in heard.data:
                found.append(bare(heard.data))
            found.append((heard.type, socket.close_code, heard.extra if heard.type is WSMsgType.CLOSE else None))
            await socket.close()
        for path in ("", "/transcript.json", "/transcript.txt", "/transcript.doc"):
            async with home.session.get(home.url(f"/calls/{call}{path}"), headers={"Authorization": f"Bearer {shown}"}) as answer:
                headers = {name: value for name, value in answer.headers.items() if name != "Date"}
                found.append((answer.status, headers, await answer.read()))
        return found

    async with house(secret=SECRET) as home:
        Publisher(home.state).final("secret")
        Publisher(home.state, OTHER).end()
        live, over, unknown = [await answers(home, call) for call in (CALL, OTHER, THIRD)]
    assert live == over == unknown
    assert len(unknown) == 10


@pytest.mark.parametrize(
    ("origin", "settings", "status"),
    [
        (None, {}, 101),
        ("http://{host}", {}, 101),
        ("https://{host}", {}, 101),
        ("HTTP://{host}", {}, 101),
        ("http://127.0.0.1", {}, 403),
        ("http://127.0.0.1:1", {}, 403),
        ("https://evil.example", {}, 403),
        ("https://evil.example", {"secret": SECRET}, 403),
        ("https://evil.example", {"open": True}, 403),
        ("null", {}, 403),
        ("null", {"secret": SECRET}, 403),
        ("", {}, 403),
        ("file://", {}, 403),
        ("http://[::1", {}, 403),
        ("ws://{host}", {}, 403),
        ("http://{host}.evil.example", {}, 403),
        ("http://evil.example@{host}", {}, 403),
        ("https://desk.example", {"origins": "https://desk.example, http://two.example:8080/"}, 101),
        ("http://two.example:8080", {"origins": "https://desk.example, http://two.example:8080/"}, 101),
        ("http://desk.example", {"origins": "https://desk.example"}, 403),
        ("https://hub.example.com", {"public_url": "https://hub.example.com/"}, 101),
        ("https://hub.example.com", {"public_url": "https://Hub.Example.com:443x".removesuffix(":443x")}, 101),
        ("http://hub.example.com", {"public_url": "https://hub.example.com"}, 403),
    ],
)
async def test_only_pages_of_known_origins_connect(origin: str | None, settings: dict[str, Any], status: int) -> None:
    async with house(**settings) as home:
        headers = {"Authorization": f"Bearer {token()}"}
        if origin is not None:
            headers["Origin"] = origin.format(host=f"127.0.0.1:{home.port}")
        if status == 101:
            await (await home.session.ws_connect(home.url("/client"), headers=headers)).close()
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await home.session.ws_connect(home.url("/client"), headers=headers)
            assert refused.value.status == status
        async with home.session.get(home.url("/calls"), headers=headers) as answer:
            assert answer.status == (200 if status == 101 else 403)


@pytest.mark.parametrize(
    ("host", "settings", "status"),
    [
        ("127.0.0.1:5000", {}, 200),
        ("localhost:5000", {}, 200),
        ("[::1]:5000", {}, 200),
        ("192.0.2.7", {}, 200),
        ("evil.example:5000", {}, 403),
        ("evil.example:5000", {"secret": SECRET}, 200),
        ("evil.example:5000", {"open": True}, 200),
        ("hub.example.com", {"public_url": "https://hub.example.com"}, 200),
    ],
)
async def test_a_site_that_renames_itself_to_our_address_reads_nothing(host: str, settings: dict[str, Any], status: int) -> None:
    """DNS rebinding: to the browser the page is then of our own origin, and it sends no Origin when it reads."""
    async with house(**settings) as home:
        headers = {"Host": host, "Authorization": f"Bearer {token()}"}
        async with home.session.get(home.url("/calls"), headers=headers) as answer:
            assert answer.status == status
        if status == 403:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await home.session.ws_connect(home.url("/client"), headers=headers | {"Origin": f"http://{host}"})


async def test_an_address_may_have_so_many_sockets_and_gets_them_back() -> None:
    async with house(sockets_per_address=2) as home:
        first, second = await connect(home), await connect(home)
        for _ in range(2):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await connect(home)
            assert refused.value.status == 429
        await first.close()
        while sum(home.state.addresses.values()) > 1:
            await asyncio.sleep(0.01)
        await (await connect(home)).close()
        await second.close()
        while home.state.addresses:
            await asyncio.sleep(0.01)
        assert home.state.counters.refused["client address"] == 2


async def test_who_sends_too_much_is_closed_with_4503_and_told_once() -> None:
    async with house() as home:
        good, flood = await connect(home), await connect(home)
        await flood.receive()
        for _ in range(int(client.MESSAGES_AT_ONCE) + 1000):
            await flood.send_str("{")
        said: list[str] = [message.json()["code"] async for message in flood]
        assert said.count("too-many") == 1
        assert said[-1] == "too-many"
        assert flood.close_code == 4503
        await good.receive()
        await good.send_json({"action": "ping"})
        await until(good, "pong")
        await good.close()


async def test_a_socket_follows_so_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST_CALLS", 3)
    monkeypatch.setattr(subscriptions, "MOST_NUMBERS", 1)
    async with house() as home:
        calls = [f"CA{number:032}" for number in range(5)]
        for call in calls:
            Publisher(home.state, call)
        socket = await connect(home)
        for call in calls[:4]:
            await socket.send_json({"action": "subscribe", "callSid": call, "after": {"epoch": "", "offset": 0}})
        refused = await until(socket, "error")
        assert (refused["code"], refused["callSid"]) == ("too-many", calls[3])
        await socket.send_json({"action": "unsubscribe", "callSid": calls[0]})
        await socket.send_json({"action": "subscribe", "callSid": calls[3]})
        assert (await until(socket, "subscribed"))["callSid"] == calls[3]
        for number in (FROM, TO):
            await socket.send_json({"action": "subscribe", "number": number})
        assert (await until(socket, "error"))["callSid"] == calls[0], "a number brings no more than that either"
        while (refused := await until(socket, "error"))["code"] != "too-many" or "numbers" not in refused["message"]:
            pass
        await socket.close()


async def cut_off(home: House, begins: bytes, dribble: bytes = b"") -> float:
    """Begin a request, never finish it, send `dribble` again and again; return after how many seconds the hub hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
    began = time.monotonic()
    writer.write(begins)
    try:
        while True:
            with suppress(TimeoutError):
                assert await asyncio.wait_for(reader.read(100), 0.02) == b"", "it is not answered"
                return time.monotonic() - began
            writer.write(dribble)
    except ConnectionError:
        return time.monotonic() - began
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("begins", "dribble"),
    [(b"", b""), (b"GET /client HT", b""), (b"GET /", b"x"), (b"GET /client HTTP/1.1\r\nHost: x\r\n", b"X-Slow: 1\r\n")],
)
async def test_a_request_that_never_ends_is_cut_off(begins: bytes, dribble: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.05)
    async with house() as home:
        good = await connect(home)
        assert 0.2 < await cut_off(home, begins, dribble) < 2
        await good.receive()
        await good.send_json({"action": "ping"})
        await until(good, "pong")
        await good.close()


async def test_a_second_request_that_never_ends_is_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 0.3)
    async with house() as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 1")
        assert b"200 OK" in await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_a_half_open_peer_is_found_by_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PING_SECONDS", 0.2)
    async with house() as home, websockets.connect(f"ws://127.0.0.1:{home.port}/client") as answering:
        await answering.recv()
        async with knock(home.port) as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            while home.state.counters.subscribers < 2:
                await asyncio.sleep(0.01)
            rest = await asyncio.wait_for(reader.read(), 5)
        assert b"\x89\x00" in rest, "it was pinged"
        while home.state.counters.subscribers > 1:
            await asyncio.sleep(0.01)
        assert home.state.counters.closed == {1006: 1}
        await answering.send('{"action":"ping"}')
        assert '"pong"' in str(await answering.recv()), "who answers pings stays"


def test_minted_tokens_are_verified_and_wrong_wishes_refused() -> None:
    grant = verify(SECRET, mint(SECRET, [CALL, CALL, "+14155550100"], 60, now=time.time()))
    assert grant.calls == frozenset({CALL, "+14155550100"})
    assert grant.allows("CA9", None, "+14155550100")
    assert not grant.allows("CA9", "+1415555010", None)
    assert not Grant(frozenset({""})).allows("CA9", None, "")
    for wish in ([], [""], ["+1 415"], ["CA 1"], ["*", "CA/1"]):
        with pytest.raises(tokens.TokenError):
            mint(SECRET, wish, 60)
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(tokens.TokenError, match="must be good for"):
            mint(SECRET, ["*"], seconds)


async def test_the_command_mints_a_token() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "token", CALL, "+14155550100", "--hours", "2", stdout=-1, stderr=-1, env=environment(HUB_SECRET=SECRET)
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    grant = verify(SECRET, out.decode().strip())
    assert grant.calls == frozenset({CALL, "+14155550100"})
    assert grant.expires_at is not None
    assert 7190 < grant.expires_at - time.time() <= 7200


@pytest.mark.parametrize(
    ("arguments", "secret", "says"),
    [
        (["*"], "", "HUB_SECRET is not set"),
        (["two words"], SECRET, "'two words' is no callSid"),
        (["*", "--hours", "0"], SECRET, "--hours must be more than 0"),
        (["*", "--hours", "1e400"], SECRET, "less than a hundred years"),
    ],
)
def test_a_token_that_makes_no_sense_is_one_sentence(
    arguments: list[str], secret: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUB_SECRET", secret)
    assert main(["token", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert says in err


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, True),
        ({"HUB_HOST": "localhost"}, True),
        ({"HUB_HOST": "::1"}, True),
        ({"HUB_HOST": "127.0.0.2"}, True),
        ({"HUB_HOST": "0.0.0.0"}, False),
        ({"HUB_HOST": "::"}, False),
        ({"HUB_HOST": "10.0.0.1"}, False),
        ({"HUB_HOST": "hub.example.com"}, False),
        ({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "0"}, False),
        ({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "1"}, True),
        ({"HUB_HOST": "0.0.0.0", "HUB_SECRET": SECRET}, True),
    ],
)
def test_without_a_secret_the_hub_serves_this_machine_only(settings: dict[str, str], starts: bool) -> None:
    if starts:
        config.load(settings, dotenv=None)
        return
    with pytest.raises(ConfigError, match=r"HUB_HOST .* can be reached by others.*HUB_SECRET.*HUB_OPEN=1"):
        config.load(settings, dotenv=None)


CANARY_SECRET = "canary-secret-canary-secret-canary"
CANARY_KEY = "canarykey0123456789"
CANARY_NUMBERS = {"from": "+15550001111", "to": "+15550002222"}
CANARIES = (CANARY_SECRET, CANARY_KEY, *CANARY_NUMBERS.values(), "canaryone", "canarytwo", "canarylabel", "canaryparameter", "eyJ")


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_no_secret_number_or_word_is_in_any_log(level: str) -> None:
    shown, wrong = mint(CANARY_SECRET, ["*"], 60), mint("x" * 32, ["*"], 60)
    words = [*said("canaryone canarytwo hello there", 0.2), *said("canaryone again canarytwo", 2.2)]
    async with (
        FakeDeepgram(key=CANARY_KEY) as deepgram,
        serving(
            HUB_SECRET=CANARY_SECRET, HUB_TRANSCRIBER="deepgram", DEEPGRAM_API_KEY=CANARY_KEY, DEEPGRAM_URL=deepgram.url,
            HUB_LOG_LEVEL=level, HUB_DRAIN_SECONDS="0",
        ) as (process, port),
        aiohttp.ClientSession() as session,
    ):  # fmt: skip
        base = f"http://127.0.0.1:{port}"
        twilio = await session.ws_connect(base + "/twilio?token=" + wrong)
        await twilio.send_str(CONNECTED)
        await twilio.send_str(
            start(parameters=CANARY_NUMBERS | {"inboundTrackLabel": "canarylabel", "token": shown, "note": "canaryparameter"})
        )
        for bad in ("/client?token=" + wrong, "/client?token=" + shown + "x"):
            socket = await session.ws_connect(base + bad, headers={"Sec-WebSocket-Protocol": "eyJhbGciOi.canary"})
            assert (await turned_away(socket))[2] == 4501
        watcher = await session.ws_connect(base + "/client?token=" + shown)
        await watcher.receive()
        for request in (shown, "canaryone not json", json.dumps({"action": "authenticate", "token": 5, "x": shown}), json.dumps(ALL), CALL):
            await watcher.send_str(request)
        await watcher.send_json({"action": "subscribe", "number": CANARY_NUMBERS["to"]})
        for path in ("/calls", f"/calls/{CALL}", f"/calls/{shown}", f"/calls/{CALL}/transcript.txt", "/nothing?token=" + shown):
            for how in ({"Authorization": "Bearer " + shown}, {"Authorization": "Bearer " + wrong}, {}):
                await (await session.get(base + path, headers=how)).read()
        audio = spoken(words, 5.0)
        for at_ms in range(0, 5000, 20):
            payload = audio[at_ms * 8 : at_ms * 8 + 160]
            for track in ("inbound", "outbound"):
                await twilio.send_str(media(track, at_ms, payload))
        await twilio.send_str(stop())
        heard = ""
        while "call-ended" not in heard:
            heard += await watcher.receive_str(timeout=10)
        assert "canaryone" in heard, "the words were spoken and heard"
        broken = await session.ws_connect(base + "/twilio")
        await broken.send_str("canaryone")
        await broken.receive()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = (await process.stderr.read()).decode()
        await process.wait()
    assert CALL in log, "this is the log"
    assert [canary for canary in CANARIES if canary in log] == []
    assert shown not in log
    assert "Traceback" not in log
