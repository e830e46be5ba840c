"""The Twilio account: what is asked of the REST API, which answers are errors, and how long a lost stream is asked for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web

from hub.config import Config
from hub.errors import AccountError
from hub.twilio.rest import CallFacts, Over, Patience, TwilioAccount
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, LiveStream, PhoneCall, fake_twilio

PUBLIC = "https://hub.example.com"
HURRIED = Patience(come_seconds=0.01, first_wait_seconds=0.01, longest_wait_seconds=0.02)
PARAMETERS = {"from": "+14155550123", "room": "42"}


@asynccontextmanager
async def opened(patience: Patience = HURRIED, **settings: Any) -> AsyncIterator[tuple[FakeTwilio, TwilioAccount, PhoneCall]]:
    """A Twilio with one live call, and the hub's account there."""
    async with fake_twilio() as twilio:
        config = Config(**({"twilio_account": ACCOUNT, "twilio_token": TOKEN, "twilio_url": twilio.url, "public_url": PUBLIC} | settings))
        account = TwilioAccount(config, patience)
        try:
            yield twilio, account, twilio.ring()
        finally:
            await account.close()


def requests(twilio: FakeTwilio) -> list[str]:
    """Method and last part of the path of every request so far."""
    return [f"{method} {path.rpartition('/')[2]}" for method, path, _ in twilio.asked]


async def test_rest_is_asked_with_the_token_that_twilio_knows() -> None:
    async with fake_twilio(("new",)) as twilio:
        phone_call = twilio.ring()
        account = TwilioAccount(Config(twilio_account=ACCOUNT, twilio_token="old,new", twilio_url=twilio.url, public_url=PUBLIC))
        facts = await account.find(ACCOUNT, phone_call.sid)
        assert facts is not None
        assert (facts.from_, facts.to, facts.status, facts.ended_at) == ("+14155550123", "+14155550100", "in-progress", None)
        assert len(twilio.asked) == 2
        assert await account.find(ACCOUNT, "CA" + "f" * 32) is None
        assert await account.find(ACCOUNT, "../../secrets") is None
        twilio.trouble = [429]
        with pytest.raises(AccountError, match="says 429, error 20500") as error:
            await account.find(ACCOUNT, phone_call.sid)
        assert error.value.retryable
        await account.close()


async def test_rest_is_asked_with_an_api_key_where_there_is_one() -> None:
    key, secret = "SK" + "1" * 32, "the-secret-of-the-key"
    async with fake_twilio() as twilio:
        twilio.keys[key] = secret
        phone_call = twilio.ring()
        account = TwilioAccount(Config(twilio_account=ACCOUNT, twilio_key=key, twilio_key_secret=secret, twilio_url=twilio.url))
        facts = await account.find(ACCOUNT, phone_call.sid)
        assert facts is not None
        assert facts.status == "in-progress"
        ((_, path, _),) = twilio.asked
        assert path.startswith(f"/2010-04-01/Accounts/{ACCOUNT}/"), "the account, whoever asks"
        await account.close()


async def test_a_twilio_that_does_not_answer_is_an_error_worth_another_try() -> None:
    account = TwilioAccount(Config(twilio_account=ACCOUNT, twilio_token="t", twilio_url="http://127.0.0.1:9", public_url=PUBLIC))
    with pytest.raises(AccountError, match="does not answer") as error:
        await account.find(ACCOUNT, "CA" + "f" * 32)
    assert error.value.retryable
    await account.close()


async def test_an_answer_that_cannot_be_read_is_an_error_worth_another_try() -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text="<html>busy</html>")

    app = web.Application()
    app.router.add_get("/{path:.*}", nonsense)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = TwilioAccount(Config(twilio_account=ACCOUNT, twilio_token=TOKEN, twilio_url=url))
    with pytest.raises(AccountError, match="could not be read") as error:
        await account.find(ACCOUNT, "CA" + "f" * 32)
    assert error.value.retryable
    await account.close()
    await runner.cleanup()


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (403, False), (429, True), (500, True), (503, True)])
async def test_an_error_says_whether_asking_again_can_help(status: int, retryable: bool) -> None:
    async with opened() as (twilio, account, call):
        twilio.trouble = [status]
        with pytest.raises(AccountError) as error:
            await account.hang_up(ACCOUNT, call.sid)
        assert (error.value.status, error.value.retryable) == (status, retryable)


async def test_a_call_whose_tracks_are_all_streamed_now_is_asked_for_again() -> None:
    async with opened() as (_, account, call):
        call.streams = [LiveStream(f"MZ{number}", "", ["inbound", "outbound"], {}, None) for number in range(2)]
        with pytest.raises(AccountError, match="31941") as error:
            await account.attach(ACCOUNT, call.sid, ["inbound", "outbound"], {})
        assert error.value.retryable


async def test_a_call_of_a_subaccount_is_asked_for_there_and_a_malformed_account_is_not_put_into_an_address() -> None:
    async with opened() as (twilio, account, call):
        other = "AC" + "9" * 32
        assert await account.find(other, call.sid) is None
        assert await account.find("../..", call.sid) is not None
        assert [path.split("/")[3] for _, path, _ in twilio.asked] == [other, ACCOUNT]


async def test_a_call_sid_that_is_not_twilios_is_not_put_into_an_address() -> None:
    async with opened() as (twilio, account, _):
        for call_sid in ("../../secrets", "demo-1", "CA" + "f" * 31, ""):
            assert await account.find(ACCOUNT, call_sid) is None
        assert twilio.asked == []


async def test_only_404_means_that_there_is_no_such_call() -> None:
    async with opened() as (twilio, account, call):
        for status in (400, 401, 403, 410):
            twilio.trouble = [status]
            with pytest.raises(AccountError):
                await account.find(ACCOUNT, call.sid)


def test_an_end_that_twilio_writes_as_no_date_is_unknown() -> None:
    assert CallFacts(status="completed", end_time="Sat, 21 Nov 2026 10:00:00 +0000").ended_at == 1_795_255_200.0
    assert CallFacts(status="completed", end_time="soon").ended_at is None
    assert CallFacts(status="in-progress").ended_at is None


@pytest.mark.parametrize(
    ("tracks", "track"), [(["inbound", "outbound"], "both_tracks"), (["inbound"], "inbound_track"), (["outbound"], "outbound_track")]
)
async def test_a_requested_stream_has_the_tracks_and_the_parameters_of_the_lost_one(tracks: Any, track: str) -> None:
    async with opened() as (twilio, account, call):
        await account.attach(ACCOUNT, call.sid, tracks, PARAMETERS)
        ((method, path, form),) = twilio.asked
        assert (method, path.rpartition("/")[2]) == ("POST", "Streams.json")
        assert dict(form) == {
            "Url": "wss://hub.example.com/twilio",
            "Track": track,
            "StatusCallback": f"{PUBLIC}/twilio/status",
            "StatusCallbackMethod": "POST",
            "Parameter1.Name": "from",
            "Parameter1.Value": "+14155550123",
            "Parameter2.Name": "room",
            "Parameter2.Value": "42",
        }


async def test_a_call_is_ended_and_connected_with_a_person() -> None:
    async with opened() as (twilio, account, call):
        await account.connect(ACCOUNT, call.sid, "+14155550177", "colleague")
        shape = ElementTree.fromstring(call.twiml)
        assert [verb.tag for verb in shape] == ["Start", "Dial"]
        labels = {each.attrib["name"]: each.attrib["value"] for each in shape.iterfind("Start/Stream/Parameter")}
        assert (labels["outboundTrackLabel"], shape[1].text) == ("colleague", "+14155550177")
        await account.hang_up(ACCOUNT, call.sid)
        assert call.status == "completed"
        assert len(twilio.asked) == 2


async def test_a_hub_without_a_public_address_still_connects_a_call_with_a_person() -> None:
    async with opened(public_url="") as (_, account, call):
        await account.connect(ACCOUNT, call.sid, "+14155550177", "colleague")
        assert [verb.tag for verb in ElementTree.fromstring(call.twiml)] == ["Dial"]


# ------------------------------------------------------------------------------------------------- bringing a stream back


async def test_nothing_is_asked_for_a_lost_stream_before_the_hub_listens() -> None:
    """A stream that is requested too early finds the door closed, and Twilio does not try again."""
    async with opened(Patience()) as (twilio, account, call), asyncio.TaskGroup() as group:
        came = asyncio.Event()
        back = group.create_task(account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, came))
        for _ in range(3):  # requests that begin later, and are answered
            await account.find(ACCOUNT, "CA" + "e" * 32)
        assert {path.rpartition("/")[2] for _, path, _ in twilio.asked} == {"CA" + "e" * 32 + ".json"}
        account.listening.set()
        while "POST Streams.json" not in requests(twilio):
            await asyncio.sleep(0.001)
        came.set()
        assert await back is None


async def test_a_stream_that_came_ends_the_asking() -> None:
    async with opened(Patience()) as (twilio, account, call), asyncio.TaskGroup() as group:
        account.listening.set()
        came = asyncio.Event()
        back = group.create_task(account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, came))
        while not call.streams:
            await asyncio.sleep(0.001)
        came.set()
        assert await back is None
        assert requests(twilio) == [f"GET {call.sid}.json", "POST Streams.json"]


async def test_a_stream_that_already_came_is_not_asked_for() -> None:
    async with opened() as (twilio, account, call):
        account.listening.set()
        came = asyncio.Event()
        came.set()
        assert await account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, came) is None
        assert twilio.asked == []


async def test_a_stream_that_does_not_come_is_requested_again() -> None:
    async with opened() as (twilio, account, call), asyncio.TaskGroup() as group:
        account.listening.set()
        came = asyncio.Event()
        back = group.create_task(account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, came))
        while requests(twilio).count("POST Streams.json") < 2:
            await asyncio.sleep(0.001)
        came.set()
        assert await back is None


async def test_a_call_that_has_ended_gets_no_stream_and_its_end_is_known() -> None:
    async with opened() as (twilio, account, call):
        account.listening.set()
        call.status, call.ended_at = "completed", float(int(time.time()))
        assert await account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, asyncio.Event()) == Over(call.ended_at)
        assert requests(twilio) == [f"GET {call.sid}.json"]


async def test_a_call_that_twilio_does_not_know_is_over() -> None:
    async with opened() as (twilio, account, _):
        account.listening.set()
        assert await account.bring_back(ACCOUNT, "CA" + "e" * 32, ["inbound"], {}, asyncio.Event()) == Over(None)
        assert len(twilio.asked) == 1


async def test_a_refusal_for_good_ends_the_asking_at_once() -> None:
    async with opened() as (twilio, account, call):
        account.listening.set()
        twilio.tokens = ("another",)
        assert await account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, asyncio.Event()) == Over(None)
        assert len(twilio.asked) == 1


async def test_a_twilio_in_trouble_is_asked_again_until_patience_ends(caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience(first_wait_seconds=0.01, longest_wait_seconds=0.02, give_up_seconds=0.5)
    async with opened(patience) as (twilio, account, call):
        account.listening.set()
        twilio.trouble = [503] * 100_000
        assert await account.bring_back(ACCOUNT, call.sid, ["inbound"], {}, asyncio.Event()) == Over(None)
    assert f"call={call.sid} no stream arrived within" in caplog.text
    assert TOKEN not in caplog.text
