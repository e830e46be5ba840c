"""An agent's call on a real hub that supervisors steer, with a pretend Twilio and a fake Realtime API around it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from clients.pretend_twilio.agent_phone import Phone
from hub.tokens import mint
from tests.agents.lines import Lines, lines
from tests.providers.fake_twilio import PhoneCall, fake_twilio
from tests.providers.openai_script import Model, Reply
from tests.scripted import ScriptedTranscriber, talking

SECRET = "s" * 32
DESK = """
[agents.desk]
greeting = "Hello there friend."
transfer = { sales = "+14155550177" }

[agents.night]
numbers = ["+14155550101"]
greeting = "Night desk here."
"""
TEXT = "We close early today."


def token(*rights: str, calls: tuple[str, ...] = ("*",), subject: str = "ada") -> str:
    return mint(SECRET, calls, 600, rights=rights or ("steer",), subject=subject)


class Supervisor:
    """One socket at /client that steers a call and follows it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, call_sid: str) -> None:
        self._socket = socket
        self.call_sid = call_sid
        self.events: list[dict[str, Any]] = []

    async def receive(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the next message that fits. Durable events are kept."""
        async with asyncio.timeout(20):
            while True:
                message = json.loads((await self._socket.receive()).data)
                if "offset" in message and message["type"] != "subscribed":
                    self.events.append(message)
                if fits(message):
                    return message

    async def steer(self, action: str, **more: str) -> dict[str, Any]:
        """Give an order; return the answer, or the error."""
        await self._socket.send_json({"action": action, "callSid": self.call_sid} | more)
        return await self.receive(lambda message: message["type"] in {"steering", "error"})

    async def outcome(self, order: str) -> dict[str, Any]:
        """Return the last event of an order."""
        for event in self.events:
            if event["type"] == "steered" and event["order"] == order and event["state"] != "asked":
                return event
        return await self.receive(lambda each: each["type"] == "steered" and each["order"] == order and each["state"] != "asked")

    async def ended(self) -> dict[str, Any]:
        return await self.receive(lambda each: each["type"] == "call-ended")


class SteeredDesk:
    """An agent's call on a hub, and who is around it."""

    def __init__(self, line: Lines, phone: Phone, call: PhoneCall) -> None:
        self.line, self.phone, self.call = line, phone, call

    async def supervisor(self, *rights: str, subject: str = "ada") -> Supervisor:
        socket = await self.line.home.open("/client", Authorization=f"Bearer {token(*rights, subject=subject)}")
        await socket.receive()
        supervisor = Supervisor(socket, self.call.sid)
        await socket.send_json({"action": "subscribe", "callSid": self.call.sid, "interims": False})
        await supervisor.receive(lambda each: each["type"] == "subscribed")
        return supervisor

    async def post(self, body: Any, *rights: str, sid: str = "", **headers: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token(*rights)}"} | headers
        data = body if isinstance(body, bytes) else json.dumps(body)
        url = self.line.home.url(f"/calls/{sid or self.call.sid}/steer")
        async with self.line.home.session.post(url, data=data, headers=headers) as answer:
            return answer.status, await answer.json()

    def quiet(self) -> bool:
        return self.phone.playout.now_ms > 1500 and self.phone.playout.waiting_ms == 0

    async def listen(self, until: Callable[[], object]) -> None:
        await self.line.listen(self.phone, until)


@asynccontextmanager
async def steered_desk(tmp_path: Path, model: Model | None = None, **settings: Any) -> AsyncIterator[SteeredDesk]:
    """A call with the desk's agent that has greeted its caller."""
    scripted: list[ScriptedTranscriber] = []

    def opened(_: object) -> ScriptedTranscriber:
        scripted.append(ScriptedTranscriber(talking))
        return scripted[-1]

    settings = {"secret": SECRET, "archive": str(tmp_path / "calls.db")} | settings
    async with (
        fake_twilio() as twilio,
        lines(
            model or Model(replies=[Reply("Hello there friend.")]),
            file=DESK,
            tmp_path=tmp_path,
            twilio=twilio,
            open_transcriber=opened,
            **settings,
        ) as line,
    ):
        line.home.transcribers = scripted
        twilio.ports["hub.example.com"] = line.home.port
        headers = {"X-Twilio-Signature": twilio.sign("wss://hub.example.com/agent", {})}
        phone = Phone(line.url, parameters={"from": "+14155550123", "to": "+14155550100"}, headers=headers)
        phone.stream.account_sid = twilio.account
        sid = phone.stream.call_sid
        call = twilio.calls[sid] = PhoneCall(twilio, sid, "+14155550123", "+14155550100", {})

        async def redirected() -> None:
            await phone.hang_up()

        call.connected = redirected
        async with phone:
            desk = SteeredDesk(line, phone, call)
            await desk.listen(desk.quiet)
            yield desk
