"""Any bytes, any JSON, any sequence of frames at both doors are answered, ignored or closed. No other subscriber notices, and no traceback
is logged.

The hub runs on its own thread and on uvloop, as it does for real; the tests are plain sockets.
"""

import asyncio
import json
import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.app import running
from hub.calls.call_context import Deadlines
from hub.config import Config
from hub.web.doors.protocol import UNKNOWN_CALL
from hub.web.state import State
from tests.frames import BINARY, CLOSE, PING, TEXT, frame, handshake
from tests.house import impatient
from tests.media import CALL, CONNECTED, media, start, stop
from tests.publishing import FROM, ScriptedCall
from tests.scripted import ScriptedTranscriber

DOORS = ("/client", "/twilio")

PATIENCE_SECONDS = 15.0
"""How long a plain socket waits for the hub before a test fails: less than pytest's own limit, so that the failure names the place."""

LIVING = "CA" + "9" * 32
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Town:
    """A hub, one call with events, and one good subscriber that must never notice anything."""

    def __init__(self) -> None:
        self.port = 0
        self.state: State
        self.publisher: ScriptedCall
        self.loop: asyncio.AbstractEventLoop
        self.records: list[logging.LogRecord] = []
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()))

    async def _run(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        limits = impatient(ping_seconds=3600.0)  # the good subscriber is a plain socket that answers no ping
        async with running(
            Config(port=0, drain_seconds=0.0), lambda _: ScriptedTranscriber(), limits=limits, deadlines=Deadlines(grace_seconds=0.0)
        ) as (self.state, self.port):
            self.publisher = ScriptedCall(self.state, LIVING)
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> "Town":
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        self.good = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        self.good.sendall(handshake() + frame(LIVING))
        self.heard = b""
        self.until(b'"call-started"')
        return self

    def __exit__(self, *_: object) -> None:
        self.good.close()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def until(self, sign: bytes) -> None:
        while sign not in self.heard:
            data = self.good.recv(65536)
            assert data, "the good subscriber was closed"
            self.heard += data

    def goes_on(self) -> None:
        """Publish an event, and check that it is the very next that the good subscriber gets."""
        self.heard = b""
        word = f"word {time.perf_counter_ns()}"
        self.loop.call_soon_threadsafe(self.publisher.interim, word, "u1")  # no durable one: the history stays short
        self.until(word.encode())
        assert self.heard.count(b'"type"') == 1

    def tell(self, data: bytes, path: str = "/client", *, upgrade: bool = True, piece: int = 0) -> bytes:
        """Send bytes, then end the sending side. Return everything the hub sends until it closes, which it must."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = b""
            try:
                if upgrade:
                    peer.sendall(handshake(path))
                    while b"\r\n\r\n" not in said:
                        said += peer.recv(65536)
                if piece:
                    for at in range(0, len(data), piece):
                        peer.sendall(data[at : at + piece])
                else:
                    peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                while more := peer.recv(65536):
                    said += more
            except TimeoutError:
                raise
            except OSError:
                pass  # cut off is closed as well
        return said

    def settled(self) -> bool:
        state = self.state
        return (
            state.counters.subscribers == 1
            and dict(state.addresses) == {"127.0.0.1": 1}
            and len(state.sockets) == 1
            and len(state.rounds) == 0
            and len(self.publisher.record.topic.audience.followings) == 1
            and not state.registry._watchers
            and state.calls.live == 0
        )


class Keep(logging.Handler):
    def __init__(self, town: Town) -> None:
        super().__init__()
        self._town = town

    def emit(self, record: logging.LogRecord) -> None:
        self._town.records.append(record)


@pytest.fixture(scope="module")
def running_town() -> Iterator[Town]:
    with Town() as town:
        yield town


@pytest.fixture(autouse=True)
def town(running_town: Town) -> Iterator[Town]:
    """Check after each test that nothing of it is left in the hub, and that no error was logged."""
    running_town.records.clear()
    keep = Keep(running_town)
    logging.getLogger().addHandler(keep)
    try:
        yield running_town
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not running_town.settled():
            assert time.monotonic() < deadline, "something is left behind"
            time.sleep(0.01)
        running_town.goes_on()
    finally:
        logging.getLogger().removeHandler(keep)
    bad = [record.getMessage() for record in running_town.records if record.levelno >= logging.ERROR or record.exc_info]
    assert not bad, bad


PINGED = frame('{"action":"ping"}')


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_an_unknown_opcode_closes_the_socket(running_town: Town, path: str, opcode: int) -> None:
    assert b"\x88" in running_town.tell(frame(b"x", opcode) + PINGED, path)


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("reserved", [1, 2, 4, 7])
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_a_frame_with_reserved_bits_closes_the_socket(running_town: Town, path: str, reserved: int, opcode: int) -> None:
    said = running_town.tell(frame(b"", opcode, reserved=reserved) + PINGED, path)
    assert b"pong" not in said


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(
    "data",
    [
        frame(b"x" * 126, PING),
        frame(b"", PING, fin=False) + frame(b"", 0),
        frame(b"", CLOSE, fin=False),
        frame(b"x", 0),
        frame("{", fin=False) + frame("}"),
        frame(b"\xff\xfe"),
        frame("ä".encode()[:1], fin=False) + frame(b"x", 0),
        frame(b"\x03", CLOSE),
        frame(b"\x00\x00", CLOSE),
        frame(b"\x03\xe8\xff\xff", CLOSE),
        frame(b"\xff\xff" + b"x" * 123, CLOSE),
        *(
            frame(b"x", opcode, size=size)
            for opcode in (TEXT, BINARY, PING, CLOSE, 0)
            for size in (2**63 - 1, 2**63, 2**64 - 1, 2**31, 2**20)
        ),
        frame(b"x" * 60_000, fin=False) + frame(b"x" * 60_000, 0, fin=False) * 3,
    ],
    ids=lambda data: data[:14].hex(),
)
def test_a_forbidden_frame_closes_the_socket(running_town: Town, path: str, data: bytes) -> None:
    said = running_town.tell(data + PINGED, path)
    assert b"pong" not in said
    assert said.split(b"\r\n\r\n", 1)[1].count(b"\x88") >= 1 or data[0] & 15 == CLOSE


def test_odd_but_allowed_frames_are_answered(running_town: Town) -> None:
    for data in (
        frame("", fin=False) + frame('{"action":', 0, fin=False) + frame(b"x", PING) + frame('"ping"}', 0),
        frame(b"", PING) * 50 + PINGED,
        frame("") + PINGED,
        frame('{"action":"ping"}', masked=False),
        b"".join(frame(letter.encode(), TEXT if at == 0 else 0, fin=False) for at, letter in enumerate('{"action":"ping"')) + frame("}", 0),
    ):
        assert b'"pong"' in running_town.tell(data)


def test_a_message_that_arrives_byte_by_byte_is_read(running_town: Town) -> None:
    assert b'"pong"' in running_town.tell(PINGED + frame(CALL), piece=1)
    said = running_town.tell(b"".join(map(frame, (CONNECTED, start(), media("inbound", 0), stop()))), "/twilio", piece=1)
    assert said.endswith(b"\x88\x06\x03\xe8stop")


@pytest.mark.parametrize("cut", [0, 1, 5, 30, 200])
def test_frames_sent_before_the_101_are_read_from_the_first_byte(running_town: Town, cut: int) -> None:
    """The first segment may end within a frame."""
    data = b"".join(map(frame, (CONNECTED, start(), media("inbound", 0), stop())))
    with socket.create_connection(("127.0.0.1", running_town.port), timeout=PATIENCE_SECONDS) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(handshake("/twilio") + data[:cut])
        said = peer.recv(65536)
        peer.sendall(data[cut:])
        while not said.endswith(b"\x88\x06\x03\xe8stop"):
            more = peer.recv(65536)
            assert more, said
            said += more


@pytest.mark.parametrize("path", DOORS)
def test_fragments_without_end_are_not_kept(running_town: Town, path: str) -> None:
    said = running_town.tell(frame(b"", TEXT, fin=False) + frame(b"", 0, fin=False) * 100_000, path)
    assert b"pong" not in said


@pytest.mark.parametrize("path", DOORS)
def test_a_peer_that_floods_pings_and_reads_nothing_disturbs_nobody(running_town: Town, path: str) -> None:
    """What it makes the hub keep is bounded, too: tests/web/test_floods.py."""
    flood = frame(b"x" * 125, PING) * 1000
    with socket.create_connection(("127.0.0.1", running_town.port), timeout=0.3) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.sendall(handshake(path))
        with suppress(OSError):  # the hub need not read on, and may close
            for _ in range(30):
                peer.sendall(flood)
                running_town.goes_on()
    running_town.goes_on()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("path", DOORS)
def test_random_bytes_after_the_handshake_are_answered_or_closed(running_town: Town, path: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(5):
        running_town.tell(chance.randbytes(chance.choice((1, 2, 10, 100, 3000))), path)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET",
        b"\r\n\r\n\r\n",
        b"GET /client HTTP/9.9\r\n\r\n",
        b"BREW /client HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /client HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
        b"GET /client HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /client HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /client HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /client HTTP/1.1\r\nHost: x\r\n" + b"X: x\r\n" * 1000 + b"\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /calls/\xff\xfe%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /client?token=%ff%fe%ed%a0%80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /client HTTP/1.1\r\nHost: [\r\nOrigin: http://[\r\n\r\n",
        b"GET /client HTTP/1.1\r\n\r\n",
        b"GET //client HTTP/1.1\r\nHost: \xff\r\nAuthorization: Bearer \xff\r\nOrigin: \xff\r\n\r\n",
        handshake().replace(b"Version: 13", b"Version: 8"),
        handshake().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
        handshake().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        handshake().replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n\r\n") + PINGED,
        handshake() + handshake(),
    ],
    ids=lambda data: data[:40].decode(errors="replace").replace("\0", "").strip(),
)
def test_bytes_that_are_no_http_request_are_answered_or_closed(running_town: Town, data: bytes) -> None:
    running_town.tell(data, upgrade=False)


@pytest.mark.timeout(180)  # many examples on a busy machine
@FEW
@given(st.binary(max_size=300))
def test_any_first_bytes_are_answered_or_closed(running_town: Town, data: bytes) -> None:
    running_town.tell(data, upgrade=False)


FRAMES = st.builds(
    frame,
    st.binary(max_size=200) | st.just(b'{"action":"ping"}') | st.just(LIVING.encode()),
    st.sampled_from([0, 1, 2, 8, 9, 10, 3, 11]),
    fin=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 1, 4]),
    masked=st.booleans(),
    size=st.none() | st.integers(0, 2**64 - 1),
)


@pytest.mark.timeout(180)  # many examples on a busy machine
@FEW
@given(st.lists(FRAMES, max_size=8), st.sampled_from(DOORS), st.sampled_from([0, 0, 1, 7]))
def test_any_sequence_of_frames_is_answered_or_closed(running_town: Town, frames: list[bytes], path: str, piece: int) -> None:
    running_town.tell(b"".join(frames), path, piece=piece)


NAMES = st.sampled_from(
    ["action", "callSid", "number", "calls", "after", "epoch", "offset", "interims", "token", "event", "start", "media", "track", "chunk",
     "timestamp", "payload", "streamSid", "tracks", "mediaFormat", "customParameters", "stop", "dtmf", "digit", "mark", "sequenceNumber"]
) | st.text(max_size=10)  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([LIVING, CALL, FROM, "all", "inbound", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)
ACTIONS = st.fixed_dictionaries(
    {"action": st.sampled_from(["subscribe", "unsubscribe", "authenticate", "ping", "publish"])},
    optional={
        "callSid": st.sampled_from([LIVING, CALL]) | VALUES,
        "number": st.just(FROM) | VALUES,
        "calls": st.just("all") | VALUES,
        "after": st.fixed_dictionaries({"epoch": st.text(max_size=5), "offset": st.integers()}) | VALUES,
        "interims": st.booleans() | VALUES,
        "token": VALUES,
    },
)


@pytest.mark.timeout(180)  # many examples on a busy machine
@FEW
@given(st.lists(ACTIONS | VALUES | st.just("[" * 8000), max_size=8))
def test_any_json_from_a_subscriber_is_answered(running_town: Town, messages: list[object]) -> None:
    texts = [message if isinstance(message, str) and message.startswith("[[") else json.dumps(message) for message in messages]
    said = running_town.tell(b"".join(map(frame, texts)) + PINGED)
    assert b'"pong"' in said or UNKNOWN_CALL.to_bytes(2, "big") in said, "a number is a callSid too"


PARTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop"])},
    optional=dict.fromkeys(("start", "media", "dtmf", "streamSid", "stop", "sequenceNumber"), VALUES),
)
EVENTS = st.sampled_from([CONNECTED, start(), media("inbound", 0), media("outbound", 2**62), stop()]) | st.builds(
    json.dumps, VALUES | PARTS
)


@pytest.mark.timeout(180)  # many examples on a busy machine
@FEW
@given(st.booleans(), st.lists(EVENTS, max_size=8))
def test_any_json_from_twilio_is_taken_or_closed(running_town: Town, begun: bool, texts: list[str]) -> None:
    running_town.tell(b"".join(map(frame, [CONNECTED, start(), *texts] if begun else texts)), "/twilio")
