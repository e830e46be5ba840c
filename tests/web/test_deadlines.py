"""What an unproved peer can make the hub hold: slow bodies, packed ones, answers that nobody takes, handshakes that never end."""

import asyncio
import gzip
import zlib
from pathlib import Path

import aiohttp
import pytest

from tests.frames import knock
from tests.house import house, impatient
from tests.media import CALL
from tests.web.test_proof import PUBLIC, TOKEN, sign
from tests.web.test_tls import make

FORM = "Content-Type: application/x-www-form-urlencoded"


async def answer_to(port: int, request: bytes, dribble: bytes = b"") -> bytes:
    """Send the beginning of a request, then `dribble` again and again. Return everything until the hub closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = b""
    try:
        while not reader.at_eof():
            try:
                said += await asyncio.wait_for(reader.read(65536), 0.05)
            except TimeoutError:
                writer.write(dribble)
    except ConnectionError:
        pass  # reset: closed as well
    finally:
        writer.transport.abort()
    return said


def post(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", FORM, *headers, "", ""]).encode()


@pytest.mark.parametrize("path", ["/twiml", "/twiml/agent", "/twilio/status"])
@pytest.mark.parametrize("length", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
async def test_a_body_that_dribbles_in_is_answered_with_408(path: str, length: str) -> None:
    async with house(limits=impatient(request_seconds=0.5, close_seconds=0.3), public_url=PUBLIC) as home:
        said = await answer_to(home.port, post(path, length), b"1\r\na\r\n" if "chunked" in length else b"a")
        assert said.startswith(b"HTTP/1.1 408 ")
        assert said.endswith(b"the request did not arrive in time\n")


async def test_a_body_that_a_hub_with_signatures_cannot_take_is_not_waited_for() -> None:
    async with house(limits=impatient(close_seconds=0.1), twilio_token=TOKEN, public_url=PUBLIC) as home:
        assert (await answer_to(home.port, post("/twiml", "Content-Length: 5000"))).startswith(b"HTTP/1.1 403 ")


async def test_while_slow_requests_hold_the_room_twilio_and_viewers_get_in() -> None:
    async with house(twilio_token=TOKEN, public_url=PUBLIC) as home:
        home.state.unproved.most, home.state.unproved.grace_seconds = 20, 0.0
        headers = {"X-Twilio-Signature": sign("wss://hub.example.com/twilio")}
        async with asyncio.TaskGroup() as group:
            slow = [
                group.create_task(answer_to(home.port, post(path, "X-Twilio-Signature: x", "Content-Length: 5000"), b"a"))
                for path in ("/twiml", "/twiml/agent", "/twilio/status", "/nosuch", "/client")
                for _ in range(20)
            ]
            twilios = [await home.open("/twilio", **headers) for _ in range(30)]
            viewers = [await home.open("/client") for _ in range(30)]
            assert [await viewer.receive_json() for viewer in viewers] == [[]] * 30
            assert len(home.state.unproved) <= 20
            assert len(home.state.sockets) == 60, "none of those that were let in made place"
            for each in slow:
                each.cancel()
        for socket in (*twilios, *viewers):
            await socket.close()


async def test_answers_that_nobody_takes_are_given_up() -> None:
    limits = impatient(answer_seconds=0.5, look_seconds=0.05)
    async with house(limits=limits) as home:
        async with knock(home.port, path="/client") as (reader, _):
            await reader.readuntil(b"\r\n\r\n")  # a subscriber has a bound of its own
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port, limit=1024)
        writer.transport.pause_reading()
        while not writer.transport.is_closing():
            if writer.transport.get_write_buffer_size() < 10_000:
                writer.write(b"GET /asyncapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)
            await asyncio.sleep(0.01)
        writer.transport.abort()


async def test_a_tls_handshake_that_never_ends_is_given_up(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    async with house(limits=impatient(request_seconds=0.5), tls_cert=chain, tls_key=key) as home:
        assert await answer_to(home.port, b"") == b""
        assert await answer_to(home.port, b"\x16\x03\x01\x02", b"\x00") == b""
        assert await answer_to(home.port, b"GET / HTTP/1.1\r\n\r\n") != b"HTTP", "plain HTTP on the port for TLS"
        while len(home.state.unproved):
            await asyncio.sleep(0.01)


async def test_handshakes_that_wait_make_place_for_a_viewer(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    async with house(tls_cert=chain, tls_key=key) as home, asyncio.TaskGroup() as group:
        home.state.unproved.most, home.state.unproved.grace_seconds = 10, 0.0
        silent = [group.create_task(answer_to(home.port, b"")) for _ in range(15)]
        while home.state.unproved.dropped < 5:
            await asyncio.sleep(0.01)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
            session.ws_connect(f"https://127.0.0.1:{home.port}/client") as viewer,
        ):
            assert await viewer.receive_json() == []
        for each in silent[:5]:
            assert await each == b""
        for each in silent:
            each.cancel()


PACKED = {
    "gzip": gzip.compress(bytes(10_000_000)),
    "deflate": zlib.compress(bytes(10_000_000)),
    "br": b"\x8b\x02\x80",
    "zstd": b"\x28\xb5\x2f\xfd",
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("path", ["/twiml", "/twilio/status", "/calls", "/nosuch"])
async def test_a_packed_body_is_refused_and_not_unpacked(encoding: str, path: str) -> None:
    async with house(public_url=PUBLIC) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        writer.write(post(path, f"Content-Encoding: {encoding}", f"Content-Length: {len(PACKED[encoding])}") + PACKED[encoding])
        assert b" 415 " in await reader.readline()
        writer.transport.abort()


async def test_a_form_with_too_many_fields_is_refused() -> None:
    async with house(public_url=PUBLIC) as home:
        for fields, status in ((1000, 200), (1001, 413)):
            body = "&".join([f"CallSid={CALL}", *(f"a{number}=" for number in range(fields - 1))])
            async with home.session.post(home.url("/twiml"), data=body, headers={"Content-Type": FORM.partition(": ")[2]}) as answer:
                assert answer.status == status
