"""The pretend Twilio, judged by the twilio package's own client and by the public description of the API."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from hub.config import Config
from hub.twilio.rest import TwilioAccount
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, fake_twilio

STREAM_SCHEMA = {
    "type": "object",
    "required": ["sid", "account_sid", "call_sid", "name", "status", "date_updated", "uri"],
    "additionalProperties": False,
    "properties": {
        "sid": {"type": "string", "pattern": "^MZ[0-9a-fA-F]{32}$"},
        "account_sid": {"type": "string", "pattern": "^AC[0-9a-fA-F]{32}$"},
        "call_sid": {"type": "string", "pattern": "^CA[0-9a-fA-F]{32}$"},
        "name": {"type": ["string", "null"]},
        "status": {"enum": ["in-progress", "stopped"]},
        "date_updated": {"type": ["string", "null"]},
        "uri": {"type": ["string", "null"]},
    },
}
"""`api.v2010.account.call.stream` of Twilio's OpenAPI description, and that nothing is left out."""


class Redirected(TwilioHttpClient):
    """The package's own HTTP client, which finds api.twilio.com on this machine."""

    def __init__(self, twilio: FakeTwilio) -> None:
        super().__init__()
        self._base = twilio.url
        self.bodies: list[str] = []

    def request(self, method: str, url: str, *others: Any, **more: Any) -> Any:
        assert url.startswith("https://api.twilio.com/")
        answer = super().request(method, self._base + urlsplit(url).path, *others, **more)
        self.bodies.append(answer.text)
        return answer


async def ask(twilio: FakeTwilio, question: Callable[[Client], Any], token: str = TOKEN) -> tuple[Any, str]:
    """Put a question through the package; return its answer and the last body."""
    http = Redirected(twilio)
    try:
        answer = await asyncio.to_thread(question, Client(ACCOUNT, token, http_client=http))
    finally:
        assert http.session is not None
        http.session.close()
    return answer, http.bodies[-1]


async def test_the_package_reads_a_call() -> None:
    async with fake_twilio() as twilio:
        call = twilio.ring("+14155550123", "+14155550100")
        fetched, _ = await ask(twilio, lambda client: client.calls(call.sid).fetch())
        assert (fetched._from, fetched.to, fetched.direction, fetched.status) == ("+14155550123", "+14155550100", "inbound", "in-progress")
        assert isinstance(fetched.start_time, datetime)
        assert fetched.end_time is None
        await call.hang_up()
        fetched, _ = await ask(twilio, lambda client: client.calls(call.sid).fetch())
        assert fetched.status == "completed"
        assert isinstance(fetched.end_time, datetime)


async def test_the_package_starts_and_stops_a_stream() -> None:
    async with fake_twilio() as twilio:
        call = twilio.ring()
        created, body = await ask(
            twilio,
            lambda client: client.calls(call.sid).streams.create(
                url="ws://127.0.0.1:9/twilio", track="both_tracks", name="n1", parameter1_name="from", parameter1_value="+1"
            ),
        )
        jsonschema.validate(json.loads(body), STREAM_SCHEMA)
        assert created.call_sid == call.sid
        assert (call.streams[0].tracks, call.streams[0].parameters) == (["inbound", "outbound"], {"from": "+1"})
        stopped, body = await ask(twilio, lambda client: client.calls(call.sid).streams("n1").update(status="stopped"))
        assert stopped.status == "stopped"


@pytest.mark.parametrize(
    ("token", "exists", "live", "status", "code"),
    [("wrong", True, True, 401, 20003), (TOKEN, False, True, 404, 20404), (TOKEN, True, False, 400, 21220)],
)
async def test_the_package_understands_each_refusal(token: str, exists: bool, live: bool, status: int, code: int) -> None:
    async with fake_twilio() as twilio:
        call = twilio.ring()
        if not live:
            await call.hang_up()
        sid = call.sid if exists else "CA" + "f" * 32
        with pytest.raises(TwilioRestException) as refusal:
            await ask(twilio, lambda client: client.calls(sid).streams.create(url="wss://hub.example.com/twilio"), token)
        assert (refusal.value.status, refusal.value.code) == (status, code)


async def test_the_hub_asks_for_a_stream_in_the_packages_own_words() -> None:
    async with fake_twilio() as twilio:
        call = twilio.ring()
        config = Config(twilio_account=ACCOUNT, twilio_token=TOKEN, twilio_url=twilio.url, public_url="http://127.0.0.1:9", secret="")
        account = TwilioAccount(config)
        await account.attach(ACCOUNT, call.sid, ["inbound", "outbound"], {"from": "+14155550123", "room": "42"})
        await account.close()
        await ask(
            twilio,
            lambda client: client.calls(call.sid).streams.create(
                url="ws://127.0.0.1:9/twilio", track="both_tracks", status_callback="http://127.0.0.1:9/twilio/status",
                status_callback_method="POST", parameter1_name="from", parameter1_value="+14155550123", parameter2_name="room",
                parameter2_value="42",
            ),
        )  # fmt: skip
        (method, path, form), (theirs, their_path, their_form) = twilio.asked
        assert (method, path, sorted(form)) == (theirs, their_path, sorted(their_form))


async def test_the_hub_passes_calls_on_and_ends_them_in_the_packages_own_words() -> None:
    async with fake_twilio() as twilio:
        account = TwilioAccount(Config(twilio_account=ACCOUNT, twilio_token=TOKEN, twilio_url=twilio.url))
        ours, theirs = twilio.ring(), twilio.ring()
        await account.connect(ACCOUNT, ours.sid, "client:maya", "maya")
        await account.hang_up(ACCOUNT, ours.sid)
        await account.close()
        twiml = VoiceResponse()
        twiml.dial().client("maya")
        passed_on, _ = await ask(twilio, lambda client: client.calls(theirs.sid).update(twiml=str(twiml)))
        ended, _ = await ask(twilio, lambda client: client.calls(theirs.sid).update(status="completed"))
        assert (passed_on.status, ended.status) == ("in-progress", "completed")
        asked = [(method, path.rpartition("/")[2].removesuffix(".json"), form) for method, path, form in twilio.asked]
        of_ours, of_theirs = ([(method, form) for method, call_sid, form in asked if call_sid == each.sid] for each in (ours, theirs))
        assert of_ours == of_theirs
        with pytest.raises(TwilioRestException) as refusal:
            await ask(twilio, lambda client: client.calls(theirs.sid).update(status="completed"))
        assert refusal.value.code == 21220
