"""A hub that takes no new call: each door says so, the phone call goes on, and the calls that it has are served."""

from xml.etree import ElementTree

import aiohttp
import pytest

from hub.calls.admission import AdmissionLimits
from tests.house import House, house, impatient
from tests.media import CALL, CONNECTED, media, start, stop

PUBLIC = "https://hub.example.com"
OTHER = "CA" + "2" * 32
OVERLOADED = impatient(admission=AdmissionLimits(full_share=0.0, room_share=0.0))
"""Every load is too much."""


async def upgraded(home: House, path: str = "/twilio") -> int:
    try:
        socket = await home.open(path)
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    await socket.close()
    return 101


async def verbs(home: House, path: str, call: str = OTHER) -> list[str]:
    async with home.session.post(home.url(path), data={"CallSid": call, "To": "+14155550100"}) as answer:
        assert answer.status == 200
        return [verb.tag for verb in ElementTree.fromstring(await answer.text())]


async def metric(home: House, sample: str) -> float:
    async with home.session.get(home.url("/metrics")) as answer:
        (line,) = [line for line in (await answer.text()).splitlines() if line.startswith(sample + " ")]
        return float(line.rsplit(" ", 1)[1])


async def test_every_door_of_a_hub_at_its_limit_says_so() -> None:
    async with house(limits=OVERLOADED, public_url=PUBLIC, dial="+14155550177", openai_key="k") as home:
        assert await verbs(home, "/twiml") == ["Dial"]
        assert await verbs(home, "/twiml/agent") == ["Say", "Dial"]
        assert await upgraded(home) == 503
        assert await upgraded(home, "/agent") == 503
        async with home.session.get(home.url("/readyz")) as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["message"].startswith("the hub is at its limit: 0 calls keep it ")
        assert await metric(home, "hub_refusing_calls") == 1
        assert await metric(home, 'hub_refused_total{door="twilio",reason="overloaded"}') == 1
        assert await metric(home, 'hub_refused_total{door="agent",reason="overloaded"}') == 2
        assert await metric(home, 'hub_refused_total{door="twiml",reason="overloaded"}') == 1
        assert 0 <= await metric(home, "hub_loop_busy_ratio") <= 1


async def test_a_full_hub_serves_the_calls_it_has_and_takes_the_next_when_one_ends() -> None:
    async with house(calls=1, public_url=PUBLIC, dial="+14155550177") as home:
        assert await verbs(home, "/twiml") == ["Start", "Dial"]
        socket = await home.call()
        for track in ("inbound", "outbound"):
            await socket.send_str(media(track, 0))
        await home.frames(2)
        assert await verbs(home, "/twiml") == ["Dial"]
        assert await upgraded(home) == 503
        async with home.session.get(home.url("/readyz")) as answer:
            assert (answer.status, (await answer.json())["error"]["message"]) == (503, "the hub has 1 calls already (HUB_CALLS)")
        await socket.send_str(media("inbound", 20))
        await home.frames(3)
        await socket.send_str(stop())
        await home.state.calls._idle.wait()
        assert await verbs(home, "/twiml") == ["Start", "Dial"]
        assert await upgraded(home) == 101


async def test_the_second_stream_of_a_live_call_is_let_in_and_a_new_call_beside_it_is_not() -> None:
    """Which call a stream belongs to is known after the upgrade only."""
    async with house(calls=1) as home:
        await home.call(tracks=("inbound",))
        while home.state.calls.live_streams < 1:
            await home.json("/calls")
        await home.call(stream="MZ2", tracks=("outbound",))
        while home.state.calls.live_streams < 2:
            await home.json("/calls")
        assert await upgraded(home) == 503, "no track is missing any more"


async def test_a_new_call_that_comes_where_a_stream_is_missed_is_closed_after_start(caplog: pytest.LogCaptureFixture) -> None:
    async with house(calls=1) as home:
        await home.call(tracks=("inbound",))
        while home.state.calls.live_streams < 1:
            await home.json("/calls")
        stranger = await home.open("/twilio")
        await stranger.send_str(CONNECTED)
        await stranger.send_str(start(OTHER, "MZ2"))
        closing = await stranger.receive()
        assert (closing.data, closing.extra) == (1013, "the hub has 1 calls already (HUB_CALLS)")
        assert home.state.counters.refused["twilio full"] == 1
        assert home.state.registry.live() == [CALL]
    assert sum("new calls are refused" in record.message for record in caplog.records) == 1


async def test_a_call_without_a_stream_is_not_told_that_it_is_transcribed() -> None:
    async with house(limits=OVERLOADED, public_url=PUBLIC) as home, home.session.post(home.url("/twiml")) as answer:
        (say, pause) = ElementTree.fromstring(await answer.text())
    assert (say.text, pause.tag) == ("This call is not being transcribed.", "Pause")
