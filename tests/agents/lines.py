"""A hub with an agent line: the fake model behind it, a pretend Twilio in front of it, a subscriber beside it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from clients.audio.frames import FRAME_BYTES
from clients.pretend_twilio.agent_phone import Phone
from tests.house import House, real_house
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.fake_twilio import TOKEN, FakeTwilio, PhoneCall
from tests.providers.openai_script import Model, Talk
from tests.providers.script import said, spoken

PUBLIC = "https://hub.example.com"

NUMBERS = {"from": "+14155550123", "to": "+14155550100"}


def words(sentence: str) -> bytes:
    """A caller's sentence, 300 ms a word, and the silence after which it is one."""
    return spoken(said(sentence, 0.1)) + b"\xff" * 8 * 700


@dataclass
class Lines:
    """What a test of an agent needs."""

    home: House
    fake: FakeOpenAI
    twilio: FakeTwilio | None = None
    """Signs requests where the hub wants that. The calls are of its account. None: nobody signs."""

    @property
    def talk(self) -> Talk:
        """The newest session, as the model's side saw it; an empty one while there is none."""
        return self.fake.talks[-1] if self.fake.talks else Talk()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.home.port}/agent"

    def limit(self, **limits: float) -> None:
        """Change how long what may take on the calls that are answered from now on; see AgentLimits."""
        routing = self.home.state.routing
        routing.limits = replace(routing.limits, **limits)  # type: ignore[arg-type]

    @asynccontextmanager
    async def call(self, again: Phone | None = None, **parameters: str) -> AsyncIterator[tuple[Phone, "Follower"]]:
        """Call, and follow the call from its start; `again`: have that call come back."""
        headers = {"X-Twilio-Signature": self.twilio.sign("wss://hub.example.com/agent", {})} if self.twilio else {}
        phone = Phone(self.url, parameters=NUMBERS | parameters, headers=headers)
        if again is not None:
            phone.stream.call_sid = again.stream.call_sid
        if self.twilio is not None:
            phone.stream.account_sid = self.twilio.account
            sid, numbers = phone.stream.call_sid, (NUMBERS["from"], NUMBERS["to"])
            self.twilio.calls.setdefault(sid, PhoneCall(self.twilio, sid, *numbers, {}))
        async with phone:
            follower = Follower(self.home, phone.stream.call_sid)
            await follower.begin()
            yield phone, follower

    async def together(self, phone: Phone, mulaw: bytes = b"") -> None:
        """Speak 20 ms and wait until the model has them: both clocks go alike, however busy this machine is."""
        before = len(self.talk.audio) if self.fake.talks else 0
        await phone.step(mulaw)
        while not phone.over.is_set() and self.fake.talks and self.talk.session and len(self.talk.audio) <= before:
            if not self.fake.visits[-1].open:
                break
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0.001)

    async def say(self, phone: Phone, mulaw: bytes) -> None:
        """Speak, in step with the model."""
        for at in range(0, len(mulaw), FRAME_BYTES):
            await self.together(phone, mulaw[at : at + FRAME_BYTES])

    async def listen(self, phone: Phone, until: Callable[[], object], most_ms: int = 30_000) -> None:
        """Be silent until something is so, for so much of the call at most."""
        start_ms = phone.playout.now_ms
        while not until() and not phone.over.is_set():
            assert phone.playout.now_ms - start_ms < most_ms, "it never was"
            await self.together(phone)

    async def gone(self) -> None:
        """Wait until no call is live and the model's side has seen its session end."""
        while self.home.state.calls.live:
            await asyncio.sleep(0.002)
        await self.fake.until(lambda: self.fake.open_sessions == 0)
        assert self.home.state.counters.providers["openai"].open_sessions == 0


class Follower:
    """A subscriber of one call."""

    def __init__(self, home: House, call_sid: str) -> None:
        self.home, self.call_sid = home, call_sid
        self.events: list[dict[str, Any]] = []

    async def begin(self) -> None:
        while self.home.state.registry.find(self.call_sid) is None:
            await asyncio.sleep(0.002)
        self.socket = await self.home.open("/client")
        await self.socket.receive()
        await self.socket.send_str(self.call_sid)

    async def all(self) -> list[dict[str, Any]]:
        """Every durable event, to the call's end."""
        async for message in self.socket:
            assert message.type is aiohttp.WSMsgType.TEXT
            self.events.append(message.json())
        durable = [event for event in self.events if event["type"] != "interim"]
        assert [event["offset"] for event in durable] == list(range(1, len(durable) + 1))
        return durable


def read(events: list[dict[str, Any]]) -> list[str]:
    """A call as sentences, one per event."""
    told = []
    for event in events:
        match event["type"]:
            case "final" if event["text"]:
                told.append(f"{event['speaker']}: {event['text']}" + (" —" if event.get("interrupted") else ""))
            case "tool-called":
                told.append(f"uses {event['tool']}")
            case "tool-returned":
                told.append(f"{event['tool']}: {event['outcome']}")
            case "call-started" | "final" | "condition-changed" | "statistics":
                pass
            case "call-ended":
                told.append(f"ended: {event['reason']}" + (", words are missing" if event["completeness"]["wordsMissing"] else ""))
            case kind:
                told.append(kind)
    return told


@asynccontextmanager
async def lines(
    model: Model | None = None,
    *,
    file: str = "",
    tmp_path: Path | None = None,
    fake: Any = None,
    twilio: FakeTwilio | None = None,
    server: type[FakeOpenAI] = FakeOpenAI,
    **settings: Any,
) -> AsyncIterator[Lines]:
    """Run a hub whose agents speak by `model`; `file` is an agents file; with `twilio`, only who signs as it does gets in."""
    if file:
        assert tmp_path is not None
        (tmp_path / "agents.toml").write_text(file)
        settings["agents"] = str(tmp_path / "agents.toml")
    if twilio is not None:
        settings |= {"twilio_account": twilio.account, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC}
    settings = {"openai_greeting": "Hello there friend.", "openai_key": "k"} | settings
    async with server(model, key="k", **(fake or {})) as running:
        async with real_house(openai_url=running.url, **settings) as home:
            line = Lines(home, running, twilio)
            line.limit(come_back_seconds=0.0)  # nobody comes back, unless a test says so
            yield line
        assert running.open_sessions == 0
