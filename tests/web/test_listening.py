"""Listening in: who may, which audio a listener gets, and that neither the call nor any other subscriber notices."""

import random
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import WSMsgType

from hub.audio.g711 import interleaved
from hub.tokens import mint
from hub.topics import live_audio
from hub.topics.outbox import FREE_BYTES
from hub.web.doors.asyncapi import document
from hub.web.sockets import HubSocket
from tests.house import House, house, impatient
from tests.media import CALL, STREAM, media, start, stop
from tests.publishing import ScriptedCall
from tests.scripted import ScriptedTranscriber
from tests.web.test_subscriptions import Told, program

OTHER, OTHER_STREAM = "CA" + "2" * 32, "MZ" + "2" * 32
SECRET = "a secret of a test, long enough for anybody"
BLOCK_MS = 100


class Talk:
    """Twilio's side of a call, and the audio it has sent. The bytes are random, so that no sample can be taken for its neighbour."""

    def __init__(self, twilio: aiohttp.ClientWebSocketResponse, stream: str = STREAM, seed: int = 1) -> None:
        self.twilio = twilio
        self.stream = stream
        self.chance = random.Random(seed)
        self.at_ms = 0
        self.inbound = b""
        self.outbound = b""

    async def go_on(self, ms: int = BLOCK_MS) -> None:
        for _ in range(0, ms, 20):
            left, right = self.chance.randbytes(160), self.chance.randbytes(160)
            await self.twilio.send_str(media("inbound", self.at_ms, left, self.stream))
            await self.twilio.send_str(media("outbound", self.at_ms, right, self.stream))
            self.inbound, self.outbound, self.at_ms = self.inbound + left, self.outbound + right, self.at_ms + 20

    def stereo(self, from_ms: int, to_ms: int) -> bytes:
        return interleaved(self.inbound[from_ms * 8 : to_ms * 8], self.outbound[from_ms * 8 : to_ms * 8])


class Listener(Told):
    """A socket that listens: the messages and the audio it got."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self.heard: list[tuple[int, int, bytes]] = []
        """Id, call time in ms, stereo."""

    async def so_far(self) -> list[dict[str, Any]]:
        await self.socket.send_json({"action": "ping"})
        messages: list[dict[str, Any]] = []
        while True:
            message = await self.any()
            if isinstance(message, dict) and message["type"] == "pong":
                return messages
            if isinstance(message, dict):
                messages.append(message)

    async def any(self) -> Any:
        """Receive one message. Audio is kept, and its call time returned."""
        message = await self.socket.receive()
        if message.type is not WSMsgType.BINARY:
            assert message.type is WSMsgType.TEXT, message
            return message.json()
        head, stereo = message.data[:8], message.data[8:]
        self.heard.append((int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big"), stereo))
        return self.heard[-1][1]

    async def hear(self) -> int:
        """Receive the next block. Return its call time."""
        while not isinstance(at_ms := await self.any(), int):
            pass
        return at_ms

    async def listen(self, call: str = CALL) -> dict[str, Any]:
        (answer,) = [each for each in await self.ask(action="listen", callSid=call) if each.get("callSid") == call]
        return answer


async def listener(home: House, token: str | None = None) -> Listener:
    return Listener(await home.open("/client", **({"Authorization": f"Bearer {token}"} if token else {})))


@asynccontextmanager
async def talking_house(**settings: Any) -> AsyncIterator[tuple[House, Talk, ScriptedTranscriber]]:
    """Run a hub on which people may listen, with one live call."""
    async with house(**({"listen": True} | settings)) as home:
        talk = Talk(await home.call())
        await talk.go_on()
        while not home.transcribers or not home.transcribers[0].blocks:
            await (await listener(home)).so_far()
        yield home, talk, home.transcribers[0]


async def test_a_listener_hears_every_sample_at_its_call_time_to_the_last() -> None:
    async with talking_house() as (home, talk, script):
        one = await listener(home)
        answer = await one.listen()
        assert {name: answer[name] for name in ("type", "callSid", "sampleRate")} == {
            "type": "listening",
            "callSid": CALL,
            "sampleRate": 8000,
        }
        for _ in range(20):
            await talk.go_on()
            await one.hear()
        await talk.go_on(60)
        await talk.twilio.send_str(stop())
        assert await one.hear() == 2100
        assert [at for _, at, _ in one.heard] == list(range(100, 2200, 100))
        assert {sound_id for sound_id, _, _ in one.heard} == {answer["id"]}
        assert b"".join(stereo for _, _, stereo in one.heard) == talk.stereo(100, 2160)
        assert b"".join(block.stereo() for block in script.blocks[1:]) == talk.stereo(100, 2160), "and so did the transcriber"


async def test_a_missing_track_is_silence_on_its_side_of_live_audio() -> None:
    async with house(listen=True) as home:
        twilio = await home.call()
        await twilio.send_str(media("inbound", 0))
        while not home.state.registry.find(CALL):
            await program(home)
        one = await listener(home)
        await one.listen()
        for at in range(20, 400, 20):
            await twilio.send_str(media("inbound", at, b"\x20" * 160))
        await one.hear()
        assert one.heard[0][2][0::2] == b"\x7f" * 160 + b"\x20" * 640
        assert one.heard[0][2][1::2] == b"\xff" * 800


async def test_a_hole_between_two_streams_is_a_hole_in_the_call_time_of_live_audio() -> None:
    async with talking_house() as (home, talk, _):
        one = await listener(home)
        await one.listen()
        await talk.twilio.close()
        while home.state.calls._calls[CALL].streams:
            await one.so_far()
        home.state.calls._calls[CALL]._left_at -= 7.0  # type: ignore[operator]
        again = await home.open("/twilio")
        await again.send_str(start())
        talk = Talk(again, seed=2)
        await talk.go_on()
        at_ms = await one.hear()
        assert at_ms >= 7000
        assert one.heard == [(one.heard[0][0], at_ms, talk.stereo(0, 100))]


async def test_two_listeners_hear_the_same_bytes_and_one_that_leaves_takes_nothing_from_the_other() -> None:
    async with talking_house() as (home, talk, _):
        one, two = await listener(home), await listener(home)
        first, second = await one.listen(), await two.listen()
        assert first["id"] == second["id"], "one frame serves them all"
        for _ in range(3):
            await talk.go_on()
            await one.hear()
            await two.hear()
        assert [(each["type"], each["reason"]) for each in await one.ask(action="unlisten", callSid=CALL)] == [
            ("unlistened", "you asked for it")
        ]
        await talk.go_on()
        await two.hear()
        await one.so_far()
        assert (len(one.heard), len(two.heard)) == (3, 4)
        assert one.heard == two.heard[:3]
        await two.socket.close()
        while home.state.counters.listeners:
            await one.so_far()
        record = home.state.registry.find(CALL)
        assert record is not None
        assert not record.live_audio.listeners, "nobody listens, so nobody is asked again"
        await talk.go_on()
        await one.so_far()
        assert len(one.heard) == 3


async def test_one_socket_hears_several_calls_and_tells_them_apart() -> None:
    async with talking_house() as (home, talk, _):
        other = Talk(await home.call(OTHER, OTHER_STREAM), OTHER_STREAM, seed=2)
        await other.go_on()
        one = await listener(home)
        while OTHER not in {each["callSid"] for each in (await home.json("/calls"))["calls"]}:
            pass
        ids = {(await one.listen(call))["id"]: each for call, each in ((CALL, talk), (OTHER, other))}
        assert len(ids) == 2
        while not any(at >= 200 for _, at, _ in one.heard):
            for each in (talk, other):
                await each.go_on()
                await one.hear()
        for sound_id, at, stereo in one.heard:
            assert stereo == ids[sound_id].stereo(at, at + 100)


async def test_listening_ends_with_the_call_and_starts_again_only_when_asked() -> None:
    async with talking_house() as (home, talk, script):
        one = await listener(home)
        answer = await one.listen()
        await talk.twilio.send_str(stop())
        while not script.finished.is_set() or home.state.calls.live:
            await (await listener(home)).so_far()
        (over,) = await one.so_far()
        assert (over["type"], over["callSid"], over["id"], over["reason"]) == ("unlistened", CALL, answer["id"], "the call is over")
        assert (await one.listen())["code"] == "call-over"
        assert (await one.ask(action="unlisten", callSid=CALL))[0]["code"] == "not-listening"
        assert home.state.counters.listeners == 0
        again = Talk(await home.call(), seed=3)
        await again.go_on()
        while not home.state.calls.live:
            await one.so_far()
        assert (await one.listen())["type"] == "listening"
        await again.go_on(500)  # what lies between the two streams is waited for
        await one.hear()
        await one.hear()
        heard = b"".join(stereo for _, _, stereo in one.heard).lstrip(b"\xff")
        assert heard[:100] == again.stereo(0, 20).lstrip(b"\xff")[:100]


async def test_nobody_listens_on_a_hub_without_hub_listen() -> None:
    async with talking_house(listen=False) as (home, _, _script):
        one = await listener(home)
        for call in (CALL, "CA" + "0" * 32):
            answer = await one.listen(call)
            assert (answer["type"], answer["code"]) == ("error", "listen-off")
        assert not home.state.counters.listeners


async def test_a_token_allows_listening_to_the_calls_it_allows_watching_and_tells_nothing_of_others() -> None:
    async with house(listen=True, secret=SECRET) as home:
        ScriptedCall(home.state)
        ScriptedCall(home.state, OTHER)
        one = await listener(home, mint(SECRET, [CALL], 60))
        forbidden, unknown = [await one.listen(call) for call in (OTHER, "CA" + "0" * 32)]
        assert forbidden | {"callSid": "", "at": ""} == unknown | {"callSid": "", "at": ""}
        assert forbidden["code"] == "unknown-call"
        assert (await one.listen())["type"] == "listening"
        narrower = await one.ask(action="authenticate", token=mint(SECRET, [OTHER], 60))
        assert [(each["type"], each.get("reason")) for each in narrower] == [
            ("unlistened", "the token no longer allows it"),
            ("authenticated", None),
        ]
        assert home.state.counters.listeners == 0
        stranger = await listener(home)
        await stranger.socket.send_json({"action": "listen", "callSid": CALL})
        assert (await stranger.any())["code"] == "token"


async def test_a_socket_that_listens_stays_open_when_the_call_it_follows_by_hand_ends() -> None:
    async with house(listen=True) as home:
        followed = ScriptedCall(home.state)
        ScriptedCall(home.state, OTHER)
        one = await listener(home)
        assert (await one.listen(OTHER))["type"] == "listening"
        await one.socket.send_str(CALL)
        await one.so_far()
        followed.end()
        assert [each["type"] for each in await one.so_far()] == ["call-ended"]
        assert await one.so_far() == [], "and answers on"


async def test_asking_twice_or_for_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_audio, "MAX_LISTENERS", 1)
    async with house(listen=True, limits=impatient(calls_listened=2)) as home:
        for number in range(3):
            ScriptedCall(home.state, f"CA{number}")
        one, two = await listener(home), await listener(home)
        assert [(await one.listen(call)).get("code") for call in ("CA0", "CA0", "CA1", "CA2")] == [
            None,
            "already-listening",
            None,
            "too-many",
        ]
        assert [(await two.listen(call)).get("code") for call in ("CA0", "CA2")] == ["too-many", None]
        for nonsense in ('{"action":"listen"}', '{"action":"listen","callSid":"CA1","number":"+1"}'):
            await one.socket.send_str(nonsense)
            assert (await one.any())["code"] == "protocol"


async def test_a_stalled_listener_delays_nobody_and_loses_audio_only() -> None:
    async with talking_house() as (home, talk, script):
        good, stalled = await listener(home), await listener(home)
        await stalled.ask(callSid=CALL)
        before = set(home.state.sockets)
        for each in (good, stalled):
            await each.listen()
        transport = stalled.socket._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
        transport.pause_reading()  # type: ignore[attr-defined]
        while home.state.counters.sound_dropped < 20:
            await talk.go_on()
            await good.hear()
            for socket in home.state.sockets:
                assert buffered(socket) <= FREE_BYTES, "sound waits for nobody"
        for number in range(5):
            script.final(f"line {number}", start=number, end=number + 0.5)
        assert len(home.state.rounds) == 0, "and the transcript does not wait behind it"
        transport.resume_reading()  # type: ignore[attr-defined]
        told = await stalled.so_far()
        assert [each["text"] for each in told if each["type"] == "final"] == [f"line {number}" for number in range(5)]
        missed = len(good.heard) - len(stalled.heard)
        assert missed == home.state.counters.sound_dropped
        assert stalled.heard == good.heard[: len(stalled.heard)], "what it got before is whole"
        await talk.go_on()
        newest = await good.hear()
        assert await stalled.hear() == newest, "and it hears the present again, not the past"
        assert [at for _, at, _ in good.heard] == list(range(100, newest + 100, 100))
        assert home.state.counters.lagged == 0
        assert before <= home.state.sockets


def buffered(socket: HubSocket) -> int:
    """Return how many bytes the hub's own process buffers for a peer."""
    request = socket._req
    assert request is not None
    return request.transport.get_write_buffer_size() if request.transport is not None else 0


async def test_a_slow_listener_gets_current_audio_with_holes() -> None:
    """A listener that stops reading for a while gets what the kernel's buffers hold, and after that the present."""
    async with talking_house() as (home, talk, _):
        slow = await listener(home)
        await slow.listen()
        transport = slow.socket._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
        transport.pause_reading()  # type: ignore[attr-defined]
        while not home.state.counters.sound_dropped:
            await talk.go_on()
            await (await program(home)).so_far()
        transport.resume_reading()  # type: ignore[attr-defined]
        await slow.so_far()
        held_ms = len(slow.heard) * BLOCK_MS
        assert held_ms < 4000
        assert [at for _, at, _ in slow.heard] == list(range(100, 100 + held_ms, 100))


def test_the_document_describes_listening() -> None:
    told = msgspec.json.decode(document())
    assert {"Listen", "Unlisten", "Listening", "Unlistened", "Sound"} <= set(told["components"]["messages"])
    assert {"$ref": "#/channels/client/messages/Sound"} in told["operations"]["send"]["messages"]
    assert told["components"]["messages"]["Sound"]["contentType"] == "application/octet-stream"
