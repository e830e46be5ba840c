"""A caller's number is one number in the whole hub, however Twilio writes it; a caller who shows none is shown as they come."""

import pytest

from hub.tokens import mint
from tests.house import House, house
from tests.media import CALL, stop

SECRET = "a secret of at least thirty-two bytes"


async def started(home: House, caller: str) -> None:
    """Have a stream of a call from this caller begin and end."""
    socket = await home.call(parameters={"from": caller, "to": "14155550199"})
    await socket.send_str(stop())
    await socket.receive()


@pytest.mark.parametrize("caller", ["+14155550100", "14155550100", "sip:+14155550100@trunk.example.com:5060;user=phone"])
async def test_whoever_follows_a_number_gets_its_calls(caller: str) -> None:
    async with house() as home, home.session.ws_connect(home.url("/client"), compress=0) as subscriber:
        await subscriber.receive()
        await subscriber.send_json({"action": "subscribe", "number": "+1 415 555 0100"})
        assert (await subscriber.receive_json())["number"] == "+14155550100"
        await started(home, caller)
        assert (await subscriber.receive_json())["type"] == "subscribed"
        event = await subscriber.receive_json()
    assert (event["type"], event["from"], event["to"]) == ("call-started", "+14155550100", "+14155550199")
    assert event["parameters"]["from"] == caller, "the parameters are what the stream brought"


async def test_names_and_numbers_cannot_act_on_what_stands_beside_them() -> None:
    async with house() as home, home.session.ws_connect(home.url("/client"), compress=0) as subscriber:
        await subscriber.receive()
        await subscriber.send_json({"action": "subscribe", "calls": "all"})
        await subscriber.receive()
        told = {"from": "Bank\u202e 0010555514+\n", "inboundTrackLabel": "A\u2067d\x1b[2Ja\u200f", "outboundTrackLabel": "\u202e\n"}
        socket = await home.call(parameters=told)
        event = await subscriber.receive_json()
        await socket.send_str(stop())
    assert event["from"] == "Bank 0010555514+"
    assert event["speakers"] == {"inbound": "Ad [2Ja", "outbound": "callee"}, "a label without a letter is no label"
    assert event["parameters"]["from"] == "Bank 0010555514+"


@pytest.mark.parametrize("caller", ["sip:ada@PBX.example.com:5060;transport=udp", "SIPS:ada@pbx.example.com"])
async def test_whoever_follows_a_sip_user_gets_its_calls(caller: str) -> None:
    async with house(secret=SECRET) as home, home.session.ws_connect(home.url("/client"), compress=0) as subscriber:
        await subscriber.send_str(mint(SECRET, ["sip:ada@pbx.example.com"], 60))
        await subscriber.receive()
        await subscriber.send_json({"action": "subscribe", "number": "sip:ada@pbx.example.com"})
        assert (await subscriber.receive_json())["type"] == "watching"
        await started(home, caller)
        assert (await subscriber.receive_json())["type"] == "subscribed"
        assert (await subscriber.receive_json())["from"] == "sip:ada@pbx.example.com"


@pytest.mark.parametrize("caller", ["anonymous", "sip:alice@example.com", "client:alice", "+266696687"])
async def test_a_caller_without_a_number_is_shown_as_they_come_and_watched_by_callsid(caller: str) -> None:
    token = mint(SECRET, [CALL], 60)
    async with house(secret=SECRET) as home:
        await started(home, caller)
        async with home.session.get(home.url(f"/calls/{CALL}"), headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
            assert (await answer.json())["from"] == caller
