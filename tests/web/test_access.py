"""Subscribers' tokens: the ways to show one, and that only a valid one is accepted."""

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from hub.web.access import grant
from hub.web.doors.client import Subscriber
from tests.house import house, impatient
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.web.watchers import ALL, SECRET, connect, token, turned_away, until


def signed(payload: object, *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    """Return a token with any content, made without the library that reads it."""

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
    "rights as text": signed({"calls": ["*"], "rights": "archive", "exp": FAR}),
    "rights as numbers": signed({"calls": ["*"], "rights": [1], "exp": FAR}),
    "sub as a number": signed({"calls": ["*"], "sub": 1, "exp": FAR}),
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


@pytest.mark.parametrize(
    ("settings", "rights"),
    [
        ({}, {"archive", "audio", "erase", "audit"}),
        ({"open": True}, {"archive", "audio"}),
        ({"host": "0.0.0.0", "open": True}, {"archive", "audio"}),
        ({"public_url": "https://hub.example.com"}, {"archive", "audio"}),
        ({"secret": SECRET}, set()),
    ],
)
async def test_what_everyone_may_do_depends_on_who_can_reach_the_hub(settings: dict[str, Any], rights: set[str]) -> None:
    async with house(**settings) as home:
        assert grant(home.state, token() if "secret" in settings else None).rights == rights


async def test_a_token_can_be_shown_in_four_ways() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
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
        for headers in ({}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": "Bearer "}):  # of a proxy in front, perhaps
            assert (await home.session.get(home.url(f"/calls?token={shown}"), headers=headers)).status == 200
        assert (await home.session.get(home.url("/calls"), headers={"Authorization": f"bearer  {shown}"})).status == 200


async def test_a_subscriber_without_a_token_gets_nothing_and_is_closed() -> None:
    async with house(secret=SECRET, limits=impatient(token_seconds=0.1)) as home:
        ScriptedCall(home.state)
        assert await turned_away(await connect(home)) == ("token", "no token came", 4501)
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        for first in (CALL, json.dumps(ALL), json.dumps({"action": "ping"})):
            socket = await connect(home)
            await socket.send_str(first)
            assert await turned_away(socket) == ("token", "this hub wants a token first", 4501)
        async with home.session.get(home.url("/calls")) as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert CALL not in await answer.text()


@pytest.mark.parametrize("kind", WRONG)
async def test_a_wrong_token_is_refused_at_every_door(kind: str) -> None:
    wrong = WRONG[kind]
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
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


@pytest.mark.timeout(60)  # each look goes through all objects of the process
async def test_a_socket_that_is_closed_keeps_nothing_in_memory_until_its_token_expires() -> None:
    async with house(secret=SECRET) as home:
        socket = await connect(home, token(seconds=3600))
        assert await socket.receive_json() == []
        await socket.close()
        while any(isinstance(each, Subscriber) and each._state is home.state for each in gc.get_objects()):
            await asyncio.sleep(0.01)
            gc.collect()


async def test_messages_after_a_refused_token_are_ignored() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        socket = await connect(home)
        for message in ("a.b.c", token(), json.dumps(ALL), CALL, *["{"] * 50):
            await socket.send_str(message)
        assert await turned_away(socket) == ("token", "the token is not one of this hub's", 4501)


async def test_a_socket_is_closed_when_its_token_expires_unless_it_gets_a_newer_one() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        expiring = token(seconds=4)
        renewed = await connect(home, expiring)
        assert await renewed.receive_json() == [CALL]
        await renewed.send_str(token())
        await until(renewed, "authenticated")
        short = await connect(home, expiring)  # its timer is set after the renewed one's was, for the same moment
        assert await short.receive_json() == [CALL]
        assert await turned_away(short) == ("token", "the token has expired", 4501)
        await renewed.send_json({"action": "ping"})
        await until(renewed, "pong")
        await renewed.send_str(signed({"calls": ["*"], "exp": 1}))
        assert await turned_away(renewed) == ("token", "the token has expired", 4501)
