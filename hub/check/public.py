"""The hub as Twilio sees it: whether its public address leads to the hub, its sockets open, and its TwiML is valid.

Each probe returns a sentence, or raises what is wrong and how to fix it, with the code under which Twilio's debugger shows that failure
(twilio.com/docs/api/errors). Leaves no call behind. Knows the settings. Does not know which hub answers, nor how that was started.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from xml.etree import ElementTree

import aiohttp
from twilio.request_validator import RequestValidator

from hub.config import Config
from hub.errors import HubError
from hub.twilio import twiml

ANSWER_SECONDS = 10.0
"""Twilio itself waits 15 s for TwiML; callers wait less."""

CALL_SID = "CA" + "0" * 32
"""The callSid of a call that cannot exist: Twilio is not asked about it, and no stream of it is opened."""

CERTIFICATE = {
    10: ("11236", "has expired: renew it"),
    18: ("11237", "is signed by itself, so nobody else trusts it: get one from an authority, as Caddy does by itself"),
    19: ("11237", "comes from an authority that nobody else trusts: get one from a public authority, as Caddy does by itself"),
    20: ("11237", "comes without the certificates between it and its authority: serve the full chain (fullchain.pem)"),
    21: ("11237", "comes without the certificates between it and its authority: serve the full chain (fullchain.pem)"),
    62: ("11235", "is for another name: get one for the name in HUB_PUBLIC_URL"),
    64: ("11235", "is for another name: HUB_PUBLIC_URL has an address, and certificates are for names"),
}
"""By OpenSSL's verify code (X509_verify_cert_error_string): Twilio's code, and what is wrong. On a stream Twilio shows 31910 for all."""


class Broken(HubError):
    """A probe found something wrong. `problem` says what, and how to fix it; `twilio_code` is what Twilio shows for it."""

    code = "check"

    def __init__(self, problem: str, twilio_code: str = "") -> None:
        self.problem = problem
        self.twilio_code = twilio_code
        super().__init__(problem)


class Skipped(HubError):
    """A probe does not apply, or depends on one that failed."""

    code = "check"


def session(seconds: float = ANSWER_SECONDS) -> aiohttp.ClientSession:
    """Return a client that trusts the authorities that this machine trusts, as Twilio trusts the public ones."""
    trusting = aiohttp.TCPConnector(ssl=ssl.create_default_context())
    return aiohttp.ClientSession(connector=trusting, timeout=aiohttp.ClientTimeout(total=seconds))


class Public:
    """The hub as Twilio sees it."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._url = settings.public_url.rstrip("/")
        self._stream_url = self._socket_url(twiml.DOOR)
        self._host = urlsplit(self._url).hostname or ""
        self._reached = False
        """Whether the public address leads to a hub: the other probes depend on it."""

    async def reach(self) -> str:
        """Ask for /healthz under the public name, through every proxy before the hub."""
        if not self._url:
            raise Skipped("HUB_PUBLIC_URL is not set: Twilio needs one, as https://hub.example.com; without it only this machine can call")
        async with self._asking("GET", "/healthz") as answer:
            status, text = answer.status, (await answer.text(errors="replace"))[:100]
        if status in {502, 503, 504}:
            problem = f"the proxy at {self._url} answers {status}: it cannot reach the hub; have it forward to port {self._settings.port}"
            raise Broken(problem, "11200")
        if 300 <= status < 400:
            raise Broken(f"{self._url} redirects ({status}): HUB_PUBLIC_URL must be the address at the end of that", "31920")
        if status != 200 or text != "ok\n":
            problem = f"something answers at {self._url}, but it is not this hub (HTTP {status} for /healthz): check the proxy's target"
            raise Broken(problem, "11200")
        self._reached = True
        return f"{self._url} leads to a hub, and its certificate is good"

    async def upgrade(self, door: str = twiml.DOOR) -> str:
        """Open a socket as Twilio would, and close it again: the answer to the close has passed the whole way."""
        self._need_to_be_reached()
        url = self._socket_url(door)
        signature = self._signature(url)
        try:
            closed_with = await self._knock(url, {"X-Twilio-Signature": signature} if signature else {})
        except aiohttp.WSServerHandshakeError as error:
            raise Broken(self._not_upgraded(error, door), "31920") from error
        if closed_with != 1000:
            raise Broken(f"the socket at {url} broke ({closed_with}): the proxy opens WebSockets but carries no messages", "31921")
        return f"{url} opens and closes as a WebSocket"

    def _not_upgraded(self, error: aiohttp.WSServerHandshakeError, door: str) -> str:
        match error.status:
            case 200 | 400 | 426:
                return (
                    f"the proxy does not pass the upgrade on (HTTP {error.status}): nginx needs `proxy_http_version 1.1` and the headers "
                    '`Upgrade $http_upgrade` and `Connection "upgrade"`; Caddy does it by itself'
                )
            case 403 if self._settings.proof == "signature":
                return (
                    "the hub refuses what is signed for this address (HTTP 403): the hub that answers was started with another "
                    "TWILIO_AUTH_TOKEN or HUB_PUBLIC_URL, or the proxy changes the path"
                )
            case 401 | 403:
                return f"the proxy asks for a password (HTTP {error.status}): exempt {door}"
            case 404:
                return f"the proxy does not forward {door} (HTTP 404)"
            case status if 300 <= status < 400:
                return f"{door} is redirected (HTTP {status}), and Twilio follows no redirect on a stream"
            case 503 if door == twiml.AGENT_DOOR:
                return "the hub that answers has no agent free (HTTP 503): it was started without a voice model's key, or all are busy"
            case status:
                return f"the upgrade is answered by HTTP {status}: look at the logs of the proxy and of the hub"

    async def signature(self) -> str:
        """Try to bring a stream without Twilio's signature, and with a forged one."""
        self._need_to_be_reached()
        match self._settings.proof:
            case "none":
                return "note: streams need no proof on this hub: anyone who finds it can bring calls"
            case "token":
                return await self._without_token()
        forged = RequestValidator("of somebody else").compute_signature(self._stream_url, {})
        for headers, what in (({}, "without a signature"), ({"X-Twilio-Signature": forged}, "with a forged signature")):
            try:
                await self._knock(self._stream_url, headers)
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 403:
                    continue
                raise Broken(f"a stream {what} is answered by HTTP {error.status}, not 403") from error
            raise Broken(f"a stream {what} is let in: the hub that answers was started without TWILIO_AUTH_TOKEN; restart it")
        return "a signed stream is let in, forged and unsigned ones are not"

    async def _without_token(self) -> str:
        try:
            async with session() as client, client.ws_connect(self._stream_url, compress=0) as socket:
                await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
                await socket.send_json(
                    {
                        "event": "start",
                        "sequenceNumber": "1",
                        "streamSid": "MZ" + "0" * 32,
                        "start": {
                            "accountSid": "AC" + "0" * 32,
                            "streamSid": "MZ" + "0" * 32,
                            "callSid": CALL_SID,
                            "tracks": ["inbound"],
                            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                            "customParameters": {},
                        },
                    }
                )
                await socket.send_json(
                    {"event": "stop", "sequenceNumber": "2", "streamSid": "MZ" + "0" * 32, "stop": {"callSid": CALL_SID, "accountSid": ""}}
                )
                await socket.receive()
                code = socket.close_code
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Broken(f"a stream without a token could not be tried: {_why(error)}") from error
        if code != 1008:
            raise Broken("a stream without a token is let in: the hub that answers was started without HUB_SECRET; restart it")
        return "a stream without this hub's token is not let in"

    async def twiml(self) -> str:
        """Ask for the TwiML of an incoming call as Twilio does. If webhooks cannot be proved, look at the TwiML Bin instead."""
        if not self._url:
            raise Skipped("without HUB_PUBLIC_URL there is no address for the TwiML")
        if self._settings.proof == "token":
            try:
                _read_twiml(twiml.bin_text(self._settings, twiml.TOKEN_SECONDS), self._stream_url)
            except HubError as error:
                raise Broken(str(error), getattr(error, "twilio_code", "")) from error
            return "the TwiML Bin that `transcript-hub twiml` prints is well-formed"
        self._need_to_be_reached()
        form = {"CallSid": CALL_SID, "AccountSid": "AC" + "0" * 32, "From": "+15005550006", "To": "+15005550006", "Direction": "inbound"}
        signature = self._signature(f"{self._url}/twiml", form)
        headers = {"X-Twilio-Signature": signature} if signature else {}
        async with self._asking("POST", "/twiml", data=form, headers=headers) as answer:
            status, text, kind = answer.status, await answer.text(errors="replace"), answer.content_type
        if status == 403:
            raise Broken("the hub refuses a webhook that is signed for this address (HTTP 403): see `websocket`", "11200")
        if status != 200:
            raise Broken(f"{self._url}/twiml is answered by HTTP {status}: does the proxy forward /twiml?", "11200")
        if kind not in {"text/xml", "application/xml"}:
            raise Broken(f"{self._url}/twiml is {kind}, not XML: something else answers there", "12300")
        _read_twiml(text, self._stream_url)
        return f"{self._url}/twiml is valid: enter it in Twilio's console as what happens when a call comes in"

    def _socket_url(self, door: str) -> str:
        return f"ws{self._url.removeprefix('http')}{door}"

    def _need_to_be_reached(self) -> None:
        if not self._reached:
            raise Skipped("the public address must work first")

    def _signature(self, url: str, form: Mapping[str, str] | None = None) -> str:
        """Sign as Twilio does; empty if there is no token to sign with."""
        tokens = self._settings.auth_tokens
        signed: str = RequestValidator(tokens[0]).compute_signature(url, dict(form or {})) if tokens else ""
        return signed

    async def _knock(self, url: str, headers: Mapping[str, str]) -> int | None:
        """Open a socket and close it; return the close code that came back. Raises: WSServerHandshakeError, Broken."""
        try:
            async with session() as client, client.ws_connect(url, headers=headers, compress=0) as socket:
                await socket.close(code=1000)
                return socket.close_code
        except aiohttp.WSServerHandshakeError:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Broken(f"no WebSocket opens at {url}: {_why(error)}", "31920") from error

    @asynccontextmanager
    async def _asking(self, method: str, path: str, **how: object) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask as Twilio would. Raises: Broken if no answer comes."""
        try:
            async with (
                session() as client,
                client.request(method, self._url + path, allow_redirects=False, **how) as answer,  # type: ignore[arg-type]
            ):
                yield answer
        except aiohttp.ClientConnectorCertificateError as error:
            cause = error.certificate_error
            verify = getattr(cause, "verify_code", 0)
            code, wrong = CERTIFICATE.get(verify, ("11220", f"is not good: {getattr(cause, 'verify_message', cause)}"))
            raise Broken(f"the certificate of {self._host} {wrong}", f"{code}, on a stream 31910") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise Broken(
                f"the name {self._host} has no address: HUB_PUBLIC_URL is misspelled, or its DNS record is missing", "11210"
            ) from error
        except aiohttp.ClientConnectorSSLError as error:
            problem = f"{self._url} does not speak TLS on that port: put a proxy before the hub, or set HUB_TLS_CERT"
            raise Broken(problem, "11220, on a stream 31910") from error
        except aiohttp.ClientConnectorError as error:
            problem = f"nothing listens at {self._url} ({_why(error)}): is the proxy or tunnel running, and its port open in the firewall?"
            raise Broken(problem, "11205, on a stream 31902") from error
        except TimeoutError as error:
            problem = f"{self._url} does not answer within {ANSWER_SECONDS:.0f} s: a firewall drops it, or the address is old"
            raise Broken(problem, "11205, on a stream 31901") from error
        except aiohttp.ClientError as error:
            raise Broken(f"{self._url} does not answer as a web server does: {_why(error)}", "11200") from error


def _why(error: BaseException) -> str:
    """Return the operating system's words for a failure, without those that the library adds."""
    cause = getattr(error, "os_error", error)
    return getattr(cause, "strerror", None) or type(error).__name__


def _read_twiml(text: str, stream_url: str) -> None:
    """Look for what Twilio would refuse. Raises: Broken."""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  from this hub, or from what answers in its place; expat limits entities
    except ElementTree.ParseError as error:
        raise Broken(f"the TwiML is not XML ({error}): something between Twilio and the hub changes it", "12100") from error
    stream = root.find("./Start/Stream")
    if root.tag != "Response" or stream is None:
        raise Broken("the TwiML has no <Start><Stream>: the hub that answers is stopping, or something else answers", "12200")
    url = stream.get("url", "")
    if urlsplit(url).query:
        raise Broken("the Stream's url has a query, which Twilio refuses", "31920")
    if url != stream_url:
        raise Broken("the TwiML names another address than HUB_PUBLIC_URL: restart the hub, which was started with another one", "31920")
    if stream.get("track") != "both_tracks":
        raise Broken("the Stream does not ask for both tracks", "31941")
    for each in stream.findall("Parameter"):
        if len(each.get("name", "") + each.get("value", "")) > twiml.PARAMETER_CHARACTERS:
            raise Broken(f"the <Parameter> {each.get('name')} is longer than Twilio allows", "12200")
