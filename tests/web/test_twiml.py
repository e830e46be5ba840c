"""From an incoming call to its words under the right numbers: Twilio asks, the hub answers with TwiML, Twilio obeys it."""

import asyncio
import logging
import time
from typing import Any
from xml.etree import ElementTree

import pytest

from hub import tokens
from hub.config import Config
from hub.errors import ConfigError, TokenError
from hub.twilio.twiml import bin_text
from tests.house import House, house
from tests.media import CALL
from tests.providers.fake_twilio import ACCOUNT, TOKEN, FakeTwilio, PhoneCall, fake_twilio
from tests.scripted import talking

PUBLIC, FROM, TO = "https://hub.example.com", "+14155550123", "+14155550100"
SECRET = "s" * 32
SIGNED = {"twilio_token": TOKEN, "public_url": PUBLIC}


def stand_before(twilio: FakeTwilio, home: House) -> None:
    """Make the hub reachable by its public name."""
    twilio.ports["hub.example.com"] = home.port


async def events_by_number(home: House, number: str, count: int) -> list[dict[str, Any]]:
    """Follow a number until so many finals have arrived. Return all events."""
    token = tokens.mint(SECRET, [number], 60)
    socket = await home.open("/client", Authorization=f"Bearer {token}")
    await socket.receive()
    await socket.send_json({"action": "subscribe", "number": number, "interims": False})
    came: list[dict[str, Any]] = []
    while sum(event["type"] == "final" for event in came) < count:
        came.append(await socket.receive_json())
    return came


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_signed_call_becomes_a_transcript_under_its_numbers(method: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hub")
    settings = SIGNED | {"secret": SECRET, "dial": "+14155550177", "greeting": "Welcome & hello"}
    async with fake_twilio() as twilio, house(on_block=talking, **settings) as home:
        stand_before(twilio, home)
        call = twilio.ring(FROM, TO)
        text = await call.answer(f"{PUBLIC}/twiml?outboundTrackLabel=support&transcriber=local", method)
        (stream,) = call.streams
        events = await events_by_number(home, TO, 2)
        await call.hang_up()
        assert (stream.refused, stream.close_code) == (0, 1000)
    started = next(event for event in events if event["type"] == "call-started")
    assert (started["from"], started["to"], started["direction"]) == (FROM, TO, "inbound")
    assert started["speakers"] == {"inbound": "caller", "outbound": "support"}
    assert "token" not in started["parameters"]
    assert started["parameters"]["transcriber"] == "local"
    assert {(event["speaker"], event["text"]) for event in events if event["type"] == "final"} == {
        ("caller", "inbound word 0"), ("support", "outbound word 0")
    }  # fmt: skip
    assert call.events == ["stream-started", "stream-stopped"]
    assert "stream-started" in caplog.text
    for private in (FROM, TO, "+14155550177", TOKEN, SECRET, stream.parameters["token"], "inbound word", "Welcome"):
        assert private not in caplog.text
    shape = ElementTree.fromstring(text)
    assert [verb.tag for verb in shape] == ["Start", "Say", "Dial"]
    assert (shape[1].text, shape[2].text) == ("Welcome & hello", "+14155550177")
    assert shape[0][0].attrib == {
        "url": "wss://hub.example.com/twilio", "track": "both_tracks",
        "statusCallback": f"{PUBLIC}/twilio/status", "statusCallbackMethod": "POST",
    }  # fmt: skip


async def test_the_token_in_the_twiml_is_of_this_call_and_short_lived() -> None:
    async with fake_twilio() as twilio, house(secret=SECRET, **SIGNED) as home:
        stand_before(twilio, home)
        call = twilio.ring()
        await call.answer(f"{PUBLIC}/twiml")
        token = call.streams[0].parameters["token"]
        tokens.verify_stream(SECRET, token, call.sid)
        with pytest.raises(TokenError, match="for another call"):
            tokens.verify_stream(SECRET, token, CALL)
        expires = tokens._claims(SECRET, token, tokens.STREAM_AUDIENCE)["exp"]
        assert 0 < expires - time.time() <= 300
        await call.hang_up()


async def test_a_pasted_bin_is_let_in_by_its_token_alone() -> None:
    settings = {"secret": SECRET, "public_url": PUBLIC, "dial": "+14155550177"}
    async with fake_twilio() as twilio, house(on_block=talking, **settings) as home:
        stand_before(twilio, home)
        twilio.signs = False
        call = twilio.ring(FROM, TO)
        element = ElementTree.fromstring(bin_text(home.state.config, 3600))
        stream = element.find("Start/Stream")
        assert stream is not None
        call.obey(stream)
        events = await events_by_number(home, FROM, 2)
        await call.hang_up()
        started = next(event for event in events if event["type"] == "call-started")
        assert (started["from"], started["to"], started["direction"]) == (FROM, TO, "inbound")
        forged = call.stream("wss://hub.example.com/twilio", "both_tracks", {"from": FROM})
        assert forged.task is not None
        await asyncio.wait([forged.task])
        assert forged.close_code == 1008


@pytest.mark.parametrize(
    ("settings", "verbs"),
    [
        ({}, [("Say", "This call is being transcribed."), ("Pause", None)]),
        ({"greeting": "Hello"}, [("Say", "Hello"), ("Pause", None)]),
        ({"dial": "+14155550177"}, [("Dial", "+14155550177")]),
        ({"dial": "sip:desk@example.com"}, [("Dial", None), ("Sip", "sip:desk@example.com")]),
        ({"dial": "client:alice"}, [("Dial", None), ("Client", "alice")]),
    ],
)
async def test_after_the_stream_the_call_goes_on_as_configured(settings: dict[str, str], verbs: list[tuple[str, str | None]]) -> None:
    async with house(public_url=PUBLIC, **settings) as home, home.session.get(home.url("/twiml")) as answer:
        assert (answer.status, answer.content_type) == (200, "text/xml")
        response = ElementTree.fromstring(await answer.text())
    assert response[0].tag == "Start"
    assert [(each.tag, each.text) for verb in list(response)[1:] for each in verb.iter()] == verbs


async def test_the_query_of_the_address_sets_the_parameters_it_may_set_and_no_others() -> None:
    query = "language=de&keyterms=Acme&outboundTrackLabel=&room=42&from=%2B19995550123"
    async with house(public_url=PUBLIC) as home, home.session.post(home.url("/twiml?" + query), data={"From": FROM}) as answer:
        element = ElementTree.fromstring(await answer.text())
    parameters = {each.attrib["name"]: each.attrib["value"] for each in element.iterfind("Start/Stream/Parameter")}
    assert parameters == {
        "from": FROM, "inboundTrackLabel": "caller", "outboundTrackLabel": "agent", "transcriber": "local", "language": "de",
        "keyterms": "Acme",
    }  # fmt: skip


async def test_a_stopping_hub_lets_the_call_go_on_without_a_stream() -> None:
    async with house(public_url=PUBLIC, dial="+14155550177") as home:
        home.state.calls.draining = True
        async with home.session.post(home.url("/twiml")) as answer:
            assert answer.status == 200
            assert [verb.tag for verb in ElementTree.fromstring(await answer.text())] == ["Dial"]


async def test_a_hub_that_does_not_know_its_address_says_so() -> None:
    async with house() as home, home.session.get(home.url("/twiml")) as answer:
        assert answer.status == 503
        assert "HUB_PUBLIC_URL is not set" in await answer.text()
    with pytest.raises(ConfigError, match="HUB_PUBLIC_URL is not set"):
        bin_text(Config(), 60)


@pytest.mark.parametrize("path", ["/twiml", "/twiml/agent"])
@pytest.mark.parametrize("name", ["From", "To", "Direction"])
async def test_nothing_that_a_caller_chooses_ends_the_call(path: str, name: str) -> None:
    """Twilio ends a call whose TwiML has a <Parameter> of 500 characters, and one that is answered with an error."""
    form = {"CallSid": CALL, "From": FROM, "To": TO, "Direction": "inbound"}
    async with house(public_url=PUBLIC, dial="+14155550177", openai_key="k") as home:
        for value in ("sip:" + "x" * 500 + "@example.com", "\u202e\x00\ud7ff <&>\n", "é" * 600, ""):
            async with home.session.post(home.url(path), data=form | {name: value}) as answer:
                assert answer.status == 200
                element = ElementTree.fromstring(await answer.text())
            parameters = {each.attrib["name"]: each.attrib["value"] for each in element.iterfind("*/Stream/Parameter")}
            assert all(len(key) + len(text) < 500 for key, text in parameters.items())
            assert {"from": FROM, "to": TO}.items() - {(name.lower(), form[name])} <= parameters.items()
        odd = form | {f"SipHeader_X-{number}": "y" * 50 for number in range(500)}
        async with home.session.post(home.url(path), data=odd) as answer:
            assert answer.status == 200


async def test_a_configured_parameter_that_is_too_long_costs_no_call() -> None:
    async with house(public_url=PUBLIC) as home, home.session.get(home.url("/twiml?keyterms=" + "x" * 500)) as answer:
        assert answer.status == 200
        element = ElementTree.fromstring(await answer.text())
    assert "keyterms" not in {each.attrib["name"] for each in element.iterfind("Start/Stream/Parameter")}


# --------------------------------------------------------------------------------------------------- numbers by REST


async def bare_call(twilio: FakeTwilio, home: House) -> PhoneCall:
    """Start a call whose TwiML does not carry its numbers."""
    stand_before(twilio, home)
    call = twilio.ring(FROM, TO)
    call.stream("wss://hub.example.com/twilio", "both_tracks", {})
    return call


async def test_numbers_that_a_stream_does_not_bring_are_asked_for_once() -> None:
    async with fake_twilio() as twilio:
        account = {"twilio_account": ACCOUNT, "twilio_url": twilio.url}
        async with house(on_block=talking, secret=SECRET, **SIGNED, **account) as home:
            call = await bare_call(twilio, home)
            events = await events_by_number(home, TO, 4)
            summary = home.state.registry.find(call.sid).summary()  # type: ignore[union-attr]
            await call.hang_up()
    first, second, *_ = (event for event in events if event["type"] == "call-started")
    assert "from" not in first
    assert (second["from"], second["to"], second["direction"]) == (FROM, TO, "inbound")
    assert first["streamSid"] == second["streamSid"]
    assert (summary.from_, summary.to, summary.started_at) == (FROM, TO, first["at"])
    assert [(method, path.rpartition("/")[2]) for method, path, _ in twilio.asked] == [("GET", f"{call.sid}.json")]


async def test_a_call_goes_on_without_its_numbers_when_twilio_does_not_give_them(caplog: pytest.LogCaptureFixture) -> None:
    async with fake_twilio() as twilio:
        twilio.trouble = [500]
        async with house(on_block=talking, **SIGNED, twilio_account=ACCOUNT, twilio_url=twilio.url) as home:
            call = await bare_call(twilio, home)
            while not (record := home.state.registry.find(call.sid)) or not record.outline.utterances:
                await asyncio.sleep(0.01)
            await call.hang_up()
            assert record.numbers == (None, None)
    assert "the call's numbers are not known: Twilio's REST API says 500, error 20500" in caplog.text


async def test_twilio_is_not_asked_about_calls_of_a_pretend_twilio() -> None:
    async with fake_twilio() as twilio, house(on_block=talking, **SIGNED, twilio_account=ACCOUNT, twilio_url=twilio.url) as home:
        stand_before(twilio, home)
        call = PhoneCall(twilio, "demo-1", FROM, TO, {})
        call.stream("wss://hub.example.com/twilio", "both_tracks", {})
        while not (record := home.state.registry.find("demo-1")) or not record.outline.utterances:
            await asyncio.sleep(0.01)
        await call.hang_up()
        assert twilio.asked == []
