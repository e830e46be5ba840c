"""The TwiML that puts calls through to agents, judged by how Twilio would read it."""

import asyncio
from pathlib import Path
from xml.etree import ElementTree

import pytest

from clients.pretend_twilio.agent_phone import Phone
from clients.pretend_twilio.media_socket import NotAnswered
from hub.twilio import twiml
from tests.agents.lines import PUBLIC, lines
from tests.house import real_house
from tests.providers.fake_twilio import fake_twilio

FILE = """
[agents.desk]
numbers = ["+14155550100"]
greeting = "Desk."
[agents.night]
numbers = ["+14155550144"]
apology = "We are asleep."
dial = "+14155550199"
"""

CALL = {"CallSid": "CA1", "From": "+1415555&0123", "To": "+14155550100", "Direction": "inbound", "CallStatus": "ringing"}


async def test_a_call_is_connected_to_the_agent_of_its_number_and_apologised_to_after_that(tmp_path: Path) -> None:
    settings = {"public_url": PUBLIC, "dial": "+14155550198"}
    async with (
        lines(file=FILE, tmp_path=tmp_path, **settings) as line,
        line.home.session.post(line.home.url("/twiml/agent"), data=CALL) as answer,
    ):
        assert answer.content_type == "text/xml"
        response = ElementTree.fromstring(await answer.text())
    connect, say, start, dial = response
    (stream,), (heard,) = connect, start
    assert [each.tag for each in (connect, stream, say, start, heard, dial)] == ["Connect", "Stream", "Say", "Start", "Stream", "Dial"]
    assert stream.attrib == {
        "url": "wss://hub.example.com/agent", "statusCallback": "https://hub.example.com/twilio/status", "statusCallbackMethod": "POST",
    }  # fmt: skip
    assert {each.attrib["name"]: each.attrib["value"] for each in stream} == {
        "agent": "desk", "from": "+1415555&0123", "to": "+14155550100", "direction": "inbound",
    }  # fmt: skip
    assert (heard.attrib["url"], heard.attrib["track"]) == ("wss://hub.example.com/twilio", "both_tracks")
    assert {each.attrib["name"]: each.attrib["value"] for each in heard} == {
        "from": "+1415555&0123", "to": "+14155550100", "direction": "inbound", "outboundTrackLabel": "colleague",
    }  # fmt: skip
    assert say.text == "I am sorry, I cannot go on with this call."
    assert dial.text == "+14155550198"


async def test_an_agent_can_be_named_and_has_an_apology_of_its_own(tmp_path: Path) -> None:
    async with (
        lines(file=FILE, tmp_path=tmp_path, public_url=PUBLIC) as line,
        line.home.session.get(line.home.url("/twiml/agent?agent=night")) as answer,
    ):
        connect, say, _, dial = ElementTree.fromstring(await answer.text())
    assert connect[0][0].attrib == {"name": "agent", "value": "night"}
    assert (say.text, dial.text) == ("We are asleep.", "+14155550199")


async def test_a_request_that_is_not_twilios_is_refused_where_the_hub_can_know(tmp_path: Path) -> None:
    async with fake_twilio() as twilio, lines(file=FILE, tmp_path=tmp_path, twilio=twilio) as line:
        twilio.ports["hub.example.com"] = line.home.port
        with pytest.raises(NotAnswered, match="403"):
            async with Phone(line.url, headers={"X-Twilio-Signature": twilio.sign("wss://hub.example.com/twilio", {})}):
                pass
        async with line.home.session.post(line.home.url("/twiml/agent"), data=CALL) as answer:
            assert answer.status == 403
        assert line.home.state.counters.refused["twilio signature"] == 2
        assert line.fake.visits == []
        status, text = await twilio.webhook(f"{PUBLIC}/twiml/agent?agent=night", CALL)
        assert (status, ElementTree.fromstring(text)[1].text) == (200, "We are asleep.")
        async with line.call() as (phone, _):
            await phone.hang_up()
        await line.gone()


async def test_without_an_auth_token_a_stream_needs_the_hubs_own(tmp_path: Path) -> None:
    secret = "s" * 32
    async with lines(file=FILE, tmp_path=tmp_path, public_url=PUBLIC, secret=secret) as line:
        async with line.home.session.post(line.home.url("/twiml/agent"), data=CALL) as answer:
            assert answer.status == 403
        async with Phone(line.url) as phone:
            await phone.over.wait()
            assert phone.close_code == 1008
        assert line.fake.visits == []
        bin_text = twiml.bin_text_by_agent(line.home.state.config, 60, {"agent": "night"}, "Sorry.", "client:bob")
        connect, say, _, dial = ElementTree.fromstring(bin_text.encode())
        parameters = {each.attrib["name"]: each.attrib["value"] for each in connect[0]}
        assert (say.text, dial[0].tag, dial[0].text) == ("Sorry.", "Client", "bob")
        async with Phone(line.url, parameters=parameters) as phone:
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            (record,) = line.home.state.registry
            assert record.started is not None
            assert (record.started.agent, "token" in record.started.parameters) == ("night", False)
            await phone.hang_up()
        await line.gone()


@pytest.mark.parametrize("query", ["", "?agent=nobody"])
async def test_without_an_agent_the_caller_hears_the_apology_at_once(query: str) -> None:
    settings = {"openai_key": "k"} if query else {}
    async with real_house(**settings) as home, home.session.get(home.url(f"/twiml/agent{query}")) as answer:
        say, hangup = ElementTree.fromstring(await answer.text())
    assert (say.tag, hangup.tag) == ("Say", "Hangup")


async def test_the_stream_is_answered_by_the_agent_that_its_parameter_or_its_number_names(tmp_path: Path) -> None:
    async with lines(file=FILE, tmp_path=tmp_path) as line:
        ours = {"from": "+14155550144", "to": "+14155550123"}
        told = (({}, "desk"), ({"agent": "night"}, "night"), ({"to": "+14155550111"}, "desk"), ({"to": "+14155550144"}, "night"))
        for parameters, name in (*told, (ours, "desk"), (ours | {"direction": "outbound-api"}, "night")):
            async with line.call(**parameters) as (phone, follower):
                await phone.hang_up()
                assert (await follower.all())[0]["agent"] == name
            await line.gone()


async def test_a_stream_that_names_no_agent_of_ours_is_closed(tmp_path: Path) -> None:
    async with lines(file=FILE, tmp_path=tmp_path) as line, Phone(line.url, parameters={"agent": "nobody"}) as phone:
        await phone.over.wait()
        assert phone.close_reason == "no agent of this hub has that name"
        assert line.home.state.calls.live == 0
        assert line.fake.visits == []


async def test_what_twilio_never_sends_closes_the_stream_and_the_models_session() -> None:
    async with lines() as line:
        async with line.call() as (phone, _):
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            await phone._send(b"{")
            await asyncio.wait_for(phone.over.wait(), 5)
            assert phone.close_code == 1007
        await line.gone()
