"""Twilio on this machine: calls that obey TwiML, streams that dial the hub, signed webhooks, and the REST resources that the hub asks.

After twilio.com/docs/voice/twiml/stream, …/voice/api/call-resource and stream-resource, and webhooks-security; signatures are made by the
twilio package. Speaks as Twilio to a public address, whatever port stands behind it. Knows nothing of what the hub makes of a call.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from clients.audio.frames import FRAME_BYTES, FRAME_MS
from clients.pretend_twilio.messages import Frame, MediaStreamMessages, new_sid
from hub.audio.g711 import Track

ACCOUNT = "AC" + "0" * 32
TOKEN = "12345"
SILENCE = b"\xff" * FRAME_BYTES
TERMINAL = {"completed", "busy", "failed", "no-answer", "canceled"}


def moment(seconds: float) -> str:
    """RFC 2822, as Twilio's REST API writes times."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


@dataclass
class LiveStream:
    """One media stream of a call."""

    sid: str
    url: str
    tracks: list[Track]
    parameters: dict[str, str]
    status_url: str | None
    status_method: str = "POST"
    name: str = ""
    status: str = "in-progress"
    dialled_at: float = 0.0
    """The loop's time."""
    refused: int = 0
    """The HTTP status that answered the upgrade; 0 when it was let in."""
    task: asyncio.Task[None] | None = None
    close_code: int | None = None


@dataclass
class PhoneCall:
    """One call. Its sound runs from its start, whoever listens: what no stream carries is gone."""

    twilio: "FakeTwilio"
    sid: str
    from_: str
    to: str
    tracks: dict[Track, bytes]
    direction: str = "inbound"
    status: str = "in-progress"
    began_at: float = field(default_factory=time.time)
    ended_at: float | None = None
    streams: list[LiveStream] = field(default_factory=list)
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """The loop's time."""
    events: list[str] = field(default_factory=list)
    """What the status callback was told."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    twiml: str = ""
    """What REST said that it is to go on with."""
    updated: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when REST has ended it, or has it go on with something else."""
    connected: Callable[[], Awaitable[None]] | None = None
    """Ends the stream that the call is <Connect>ed to, when REST does: before Twilio answers. None where a test does that itself."""

    def webhook(self) -> dict[str, str]:
        """The form of an incoming call."""
        return {
            "CallSid": self.sid, "AccountSid": self.twilio.account, "From": self.from_, "To": self.to, "Caller": self.from_,
            "Called": self.to, "CallStatus": "ringing", "Direction": self.direction, "ApiVersion": "2010-04-01", "CallerName": "",
        }  # fmt: skip

    async def answer(self, url: str, method: str = "POST") -> str:
        """Ask a webhook what to do with the call, and do it. Returns the TwiML."""
        status, text = await self.twilio.webhook(url, self.webhook(), method)
        assert status == 200, (status, text)
        self.go_on(text)
        return text

    def go_on(self, twiml: str) -> None:
        """Start the streams of TwiML that the call goes on with."""
        for stream in ElementTree.fromstring(twiml).iterfind("Start/Stream"):
            self.obey(stream)

    def obey(self, element: ElementTree.Element) -> LiveStream:
        """Start the stream that TwiML asks for, with what Twilio fills in."""
        filled = {"{{From}}": self.from_, "{{To}}": self.to, "{{Direction}}": self.direction, "{{CallSid}}": self.sid}
        parameters = {each.attrib["name"]: filled.get(each.attrib["value"], each.attrib["value"]) for each in element.iterfind("Parameter")}
        return self.stream(
            element.attrib["url"], element.get("track", "inbound_track"), parameters, element.get("statusCallback"),
            element.get("statusCallbackMethod", "POST"),
        )  # fmt: skip

    def stream(
        self, url: str, track: str, parameters: dict[str, str], status_url: str | None = None, status_method: str = "POST", name: str = ""
    ) -> LiveStream:
        """Fork the call's audio to an address."""
        tracks: list[Track] = ["inbound", "outbound"] if track == "both_tracks" else ["inbound" if track.startswith("in") else "outbound"]
        stream = LiveStream(new_sid("MZ"), url, tracks, parameters, status_url, status_method, name)
        stream.dialled_at = asyncio.get_running_loop().time()
        self.streams.append(stream)
        stream.task = self.twilio.group.create_task(self._run(stream))
        return stream

    async def hang_up(self) -> None:
        """End the call; return when its streams have stopped."""
        self.status, self.ended_at = "completed", time.time()
        self.over.set()
        for stream in self.streams:
            if stream.task is not None:
                await asyncio.wait([stream.task])

    async def _run(self, stream: LiveStream) -> None:
        error = ""
        try:
            await self._talk(stream)
        except InvalidStatus as refusal:
            stream.refused = refusal.response.status_code
            error = "31920 - Stream - WebSocket - Handshake Error"
        except (InvalidHandshake, OSError):
            error = "31902 - Stream - WebSocket - Connection Refused"
        except ConnectionClosed:
            error = "" if self.over.is_set() else "31921 - Stream - WebSocket - Close Error"
        stream.status = "stopped"
        if error:
            await self._tell(stream, "stream-error", StreamError=error)
        await self._tell(stream, "stream-stopped")

    async def _talk(self, stream: LiveStream) -> None:
        loop = asyncio.get_running_loop()
        headers = {"X-Twilio-Signature": self.twilio.sign(stream.url, {})} if self.twilio.signs else {}
        async with connect(
            self.twilio.reached(stream.url), additional_headers=headers, compression=None, proxy=None, ping_interval=None
        ) as socket:
            messages = MediaStreamMessages(self.sid, stream.sid)
            messages.account_sid = self.twilio.account
            await socket.send(messages.connected(), text=True)
            await socket.send(messages.start(stream.tracks, stream.parameters), text=True)
            await self._tell(stream, "stream-started")
            try:
                began = loop.time()
                number = 0
                while not self.over.is_set() and stream.status == "in-progress":
                    with suppress(TimeoutError):
                        async with asyncio.timeout_at(began + number * FRAME_MS / 1000):
                            await self.over.wait()
                    at = round((began - self.began) * 50) + number  # frames since the call began
                    for track in stream.tracks:
                        payload = self.tracks.get(track, b"")[at * FRAME_BYTES : (at + 1) * FRAME_BYTES].ljust(FRAME_BYTES, b"\xff")
                        frame = Frame(track, number + 1, number * FRAME_MS, payload)
                        await socket.send(messages.media(frame), text=True)
                    number += 1
                await socket.send(messages.stop(), text=True)
            finally:
                stream.close_code = socket.close_code
        stream.close_code = socket.close_code

    async def _tell(self, stream: LiveStream, event: str, **more: str) -> None:
        self.events.append(event)
        if stream.status_url:
            told = {
                "AccountSid": self.twilio.account, "CallSid": self.sid, "StreamSid": stream.sid, "StreamName": stream.name or stream.sid,
                "StreamEvent": event, "Timestamp": datetime.now(UTC).isoformat(), **more,
            }  # fmt: skip
            with suppress(aiohttp.ClientError):
                await self.twilio.webhook(stream.status_url, told, stream.status_method)


class FakeTwilio:
    """The account. `ports` says which port stands behind the public name of a hub."""

    def __init__(self, group: asyncio.TaskGroup, session: aiohttp.ClientSession, tokens: tuple[str, ...]) -> None:
        self.group = group
        self.account = ACCOUNT
        self.keys: dict[str, str] = {}
        """API keys of the account, and their secrets."""
        self.tokens = tokens
        """The first one signs; REST takes any."""
        self.signs = True
        """Whether upgrades are signed."""
        self.ports: dict[str, int] = {}
        self.calls: dict[str, PhoneCall] = {}
        self.asked: list[tuple[str, str, list[tuple[str, str]]]] = []
        """Method, path and form of every REST request, in order."""
        self.trouble: list[int] = []
        """HTTP statuses that answer the next REST requests instead."""
        self.url = ""
        """Of the REST API."""
        self._session = session

    def ring(self, from_: str = "+14155550123", to: str = "+14155550100", **more: Any) -> PhoneCall:
        """Begin a call."""
        call = PhoneCall(self, new_sid("CA"), from_, to, more.pop("tracks", {}), **more)
        self.calls[call.sid] = call
        return call

    def sign(self, url: str, parameters: Any) -> str:
        """Sign as Twilio does."""
        return str(RequestValidator(self.tokens[0]).compute_signature(url, parameters))

    def reached(self, url: str) -> str:
        """Return where a public address really is."""
        parts = urlsplit(url)
        port = self.ports.get(parts.netloc)
        if port is None:
            return url
        return parts._replace(scheme={"https": "http", "wss": "ws"}.get(parts.scheme, parts.scheme), netloc=f"127.0.0.1:{port}").geturl()

    async def webhook(self, url: str, told: dict[str, str], method: str = "POST") -> tuple[int, str]:
        """Send a signed webhook; return the answer."""
        form = None
        if method == "GET":
            url = str(aiohttp.client.URL(url).update_query(told))
        else:
            form = told
        headers = {"X-Twilio-Signature": self.sign(url, form or {})}
        # Encoded by us: what was signed is what is sent.
        target = aiohttp.client.URL(self.reached(url), encoded=True)
        async with self._session.request(method, target, data=form, headers=headers) as answer:
            return answer.status, await answer.text()

    # ------------------------------------------------------------------------------------------------------------ REST

    async def rest(self, request: web.Request) -> web.Response:
        """Answer as api.twilio.com does."""
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        self.asked.append((request.method, request.path, form))
        if self.trouble:
            return _problem(self.trouble.pop(0), 20500, "Internal Server Error")
        kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
        name, _, token = base64.b64decode(encoded).decode().partition(":") if kind == "Basic" else ("", "", "")
        if (name, token) not in {*((self.account, each) for each in self.tokens), *self.keys.items()}:
            return _problem(401, 20003, "Authenticate")
        call = self.calls.get(request.match_info["call"])
        if call is None or request.match_info["account"] != self.account:
            return _problem(404, 20404, f"The requested resource {request.path} was not found")
        match request.match_info.get("stream"):
            case None if request.path.endswith("/Streams.json"):
                return self._create(call, dict(form))
            case None if request.method == "POST":
                return await self._update(call, dict(form))
            case None:
                return web.json_response(_call_resource(call))
            case sid:
                return self._stop(call, sid, dict(form))

    async def _update(self, call: PhoneCall, form: dict[str, str]) -> web.Response:
        """End a call, or have it go on with other TwiML: either ends the stream that it is <Connect>ed to."""
        if call.status != "in-progress":
            return _problem(400, 21220, "Call is not in-progress. Cannot redirect.")
        if form.get("Status") == "completed":
            call.status, call.ended_at = "completed", time.time()
        elif "Twiml" in form:
            call.go_on(form["Twiml"])
            call.twiml = form["Twiml"]
        else:
            return _problem(400, 21218, "Invalid ApplicationSid")
        if call.connected is not None:
            await call.connected()
        call.updated.set()
        return web.json_response(_call_resource(call))

    def _create(self, call: PhoneCall, form: dict[str, str]) -> web.Response:
        if "Url" not in form:
            return _problem(400, 21205, "Url is required")
        if call.status != "in-progress":
            return _problem(400, 21220, "Call is not in-progress")
        if sum(len(each.tracks) for each in call.streams if each.status == "in-progress") + 2 > 4:
            return _problem(400, 31941, "Stream - Invalid track configuration")
        parameters = {
            form[f"Parameter{number}.Name"]: form[f"Parameter{number}.Value"]
            for number in range(1, 100)
            if f"Parameter{number}.Name" in form
        }
        stream = call.stream(
            form["Url"], form.get("Track", "inbound_track"), parameters, form.get("StatusCallback"),
            form.get("StatusCallbackMethod", "POST"), form.get("Name", ""),
        )  # fmt: skip
        return web.json_response(_stream_resource(call, stream), status=201)

    def _stop(self, call: PhoneCall, sid: str, form: dict[str, str]) -> web.Response:
        stream = next((each for each in call.streams if sid in {each.sid, each.name}), None)
        if stream is None:
            return _problem(404, 20404, "The requested resource was not found")
        if form.get("Status") == "stopped":
            stream.status = "stopped"
        return web.json_response(_stream_resource(call, stream))


def _problem(status: int, code: int, message: str) -> web.Response:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return web.json_response({"code": code, "message": message, "more_info": more_info, "status": status}, status=status)


def _call_resource(call: PhoneCall) -> dict[str, Any]:
    path = f"/2010-04-01/Accounts/{call.twilio.account}/Calls/{call.sid}"
    over = call.ended_at is not None
    return {
        "sid": call.sid, "account_sid": call.twilio.account, "from": call.from_, "from_formatted": call.from_, "to": call.to,
        "to_formatted": call.to, "status": call.status, "direction": call.direction, "api_version": "2010-04-01",
        "start_time": moment(call.began_at), "end_time": moment(call.ended_at) if call.ended_at is not None else None,
        "duration": str(round((call.ended_at or 0) - call.began_at)) if over else None, "date_created": moment(call.began_at),
        "date_updated": moment(call.began_at), "parent_call_sid": None, "phone_number_sid": "PN" + "0" * 32, "price": None,
        "price_unit": "USD", "answered_by": None, "forwarded_from": None, "group_sid": None, "caller_name": "", "queue_time": "0",
        "trunk_sid": None, "annotation": None, "uri": f"{path}.json", "subresource_uris": {"streams": f"{path}/Streams.json"},
    }  # fmt: skip


def _stream_resource(call: PhoneCall, stream: LiveStream) -> dict[str, Any]:
    path = f"/2010-04-01/Accounts/{call.twilio.account}/Calls/{call.sid}/Streams/{stream.sid}.json"
    return {
        "sid": stream.sid, "account_sid": call.twilio.account, "call_sid": call.sid, "name": stream.name or None,
        "status": stream.status, "date_updated": moment(time.time()), "uri": path,
    }  # fmt: skip


@asynccontextmanager
async def fake_twilio(tokens: tuple[str, ...] = (TOKEN,)) -> AsyncIterator[FakeTwilio]:
    """Run Twilio; calls that still live are hung up in the end."""
    try:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            twilio = FakeTwilio(group, session, tokens)
            app = web.Application()
            calls = "/2010-04-01/Accounts/{account}/Calls/{call}"
            app.router.add_get(calls + ".json", twilio.rest)
            app.router.add_post(calls + ".json", twilio.rest)
            app.router.add_post(calls + "/Streams.json", twilio.rest)
            app.router.add_post(calls + "/Streams/{stream}.json", twilio.rest)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            twilio.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield twilio
            finally:
                for call in twilio.calls.values():
                    call.over.set()
                    for stream in call.streams:
                        if stream.task is not None:
                            stream.task.cancel()
                await runner.cleanup()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None  # what a test's own body raised
