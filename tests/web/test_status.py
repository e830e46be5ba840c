"""Twilio's callbacks about a stream: what they publish, what they log, and what they must not change."""

import logging
from urllib.parse import urlencode

import aiohttp
import pytest

from hub.ops.logs import Text
from hub.web.doors.status import REASON_CHARACTERS
from tests.house import House, house
from tests.media import CALL, STREAM
from tests.providers.fake_twilio import ACCOUNT, TOKEN
from tests.publishing import FROM, ScriptedCall
from tests.web.test_proof import sign


async def post_status(home: House, **told: str) -> int:
    form = {"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-error", "AccountSid": ACCOUNT} | told
    async with home.session.post(home.url("/twilio/status"), data=form) as answer:
        return answer.status


async def test_an_error_of_a_stream_is_published_and_logged_by_its_code_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with house() as home:
        socket = await home.call()
        subscriber = await home.open("/client")
        while CALL not in await subscriber.receive_json():
            await subscriber.close()
            subscriber = await home.open("/client")
        await subscriber.send_str(CALL)
        assert (await subscriber.receive_json())["type"] == "call-started"
        assert await post_status(home, StreamError=f"31921 - Close Error, a call from {FROM}") == 204
        told = await subscriber.receive_json()
        await socket.close()
    assert (told["type"], told["streamSid"], told["offset"]) == ("stream-error", STREAM, 2)
    assert told["reason"].startswith("31921 - Close Error")
    assert f"call={CALL} stream={STREAM} Twilio reports stream-error 31921" in "\n".join(Text().format(line) for line in caplog.records)
    assert FROM not in caplog.text


async def test_callbacks_about_calls_that_are_over_or_unknown_change_nothing() -> None:
    async with house() as home:
        assert await post_status(home, StreamError="31921") == 204
        assert home.state.registry.find(CALL) is None
        assert await post_status(home, StreamEvent="") == 400
        assert await post_status(home, CallSid="two\nlines") == 400


async def test_a_page_cannot_send_callbacks_for_its_reader() -> None:
    async with house() as home:
        async with home.session.post(home.url("/twilio/status"), headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await home.open("/twilio", Origin="https://evil.example")


async def test_a_reason_is_cut_and_a_missing_one_is_said() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        reader = await home.open("/client")
        await reader.receive()
        await reader.send_str(CALL)
        assert (await reader.receive_json())["type"] == "call-started"
        assert await post_status(home, StreamError="x" * 5000) == 204
        assert (await reader.receive_json())["reason"] == "x" * REASON_CHARACTERS
        assert await post_status(home) == 204
        assert (await reader.receive_json())["reason"] == "Twilio gives no reason"
        assert publisher.offset == 3


@pytest.mark.parametrize("event", ["stream-started", "stream-stopped", "stream-something-new"])
async def test_a_callback_that_is_no_error_is_logged_and_publishes_nothing(event: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with house() as home:
        publisher = ScriptedCall(home.state)
        assert await post_status(home, StreamEvent=event, StreamError="31921") == 204
        assert publisher.offset == 1
    assert f"Twilio reports {event}" in caplog.text


async def test_an_error_after_the_calls_end_is_not_published() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        publisher.end()
        assert await post_status(home, StreamError="31921") == 204
        assert publisher.offset == 2


async def test_a_callback_by_get_publishes_only_what_twilio_signed() -> None:
    """A picture on any web page makes its reader's browser send a GET, with words of the page's choice."""
    path = "/twilio/status?" + urlencode({"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-error", "StreamError": "31921"})
    async with house() as home:
        publisher = ScriptedCall(home.state)
        async with home.session.get(home.url(path)) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST")
        assert publisher.offset == 1
    async with house(twilio_token=TOKEN, public_url="https://hub.example.com") as home:
        publisher = ScriptedCall(home.state)
        for signature, status, offset in (("", 403, 1), (sign("https://hub.example.com" + path), 204, 2)):
            async with home.session.get(home.url(path), headers={"X-Twilio-Signature": signature}) as answer:
                assert (answer.status, publisher.offset) == (status, offset)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example:5000"}, 403),
        ({"Host": "evil.example:5000", "Origin": "http://evil.example:5000", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
async def test_a_form_of_a_web_page_publishes_nothing_on_a_hub_that_asks_for_no_proof(headers: dict[str, str], status: int) -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        form = {"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-error", "StreamError": "words of a page"}
        async with home.session.post(home.url("/twilio/status"), data=form, headers=headers) as answer:
            assert (answer.status, publisher.offset) == (status, 1 + (status == 204))


@pytest.mark.parametrize("missing", ["CallSid", "StreamSid", "StreamEvent"])
async def test_a_request_that_is_not_a_stream_callback_is_refused_in_words(missing: str) -> None:
    async with house() as home:
        form = {"CallSid": CALL, "StreamSid": STREAM, "StreamEvent": "stream-error"}
        del form[missing]
        async with home.session.post(home.url("/twilio/status"), data=form) as answer:
            assert answer.status == 400
            assert "is not a stream callback" in await answer.text()
