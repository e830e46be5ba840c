"""The sound of calls of other nodes: listening in, and recordings."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.cluster import relayed_audio
from tests.archive.postgres_server import PostgresServer
from tests.cluster.pairs import pair_of_hubs, until
from tests.cluster.phone_line import PhoneLine, speech
from tests.cluster.test_hand_over import owns, two
from tests.house import House
from tests.media import CALL, stop
from tests.recordings.shelf import in_directory
from tests.web.test_listening import Talk, listener


async def test_a_listener_on_another_node_hears_every_sample_from_then_to_the_end() -> None:
    async with pair_of_hubs() as pair:
        talk = Talk(await pair.a.call())
        await talk.go_on()
        record = await pair.known(CALL)
        one = await listener(pair.b)
        answer = await one.listen()
        await until(lambda: pair.a.state.registry.known(CALL).live_audio.listeners)
        begun = talk.at_ms
        for _ in range(10):
            await talk.go_on()
            await one.hear()
        await talk.twilio.send_str(stop())
        (*_, over) = [await one.any()]
        while over.get("type") != "unlistened":
            over = await one.any()
        assert over["reason"] == "the call is over"
        assert {sound_id for sound_id, _, _ in one.heard} == {answer["id"]}
        assert [at for _, at, _ in one.heard] == list(range(begun, begun + 1000, 100))
        assert b"".join(stereo for _, _, stereo in one.heard) == talk.stereo(begun, begun + 1000)
        assert not record.live_audio.listeners


async def test_an_owner_stops_sending_once_nobody_listens_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relayed_audio, "HEARD_SECONDS", 0.2)
    monkeypatch.setattr(relayed_audio, "RENEW_SECONDS", 0.05)
    async with pair_of_hubs() as pair:
        talk = Talk(await pair.a.call())
        await talk.go_on()
        await pair.known(CALL)
        one = await listener(pair.b)
        await one.listen()
        live_audio = pair.a.state.registry.known(CALL).live_audio
        await until(lambda: live_audio.listeners)
        await talk.go_on()
        await one.hear()
        await one.ask(action="unlisten", callSid=CALL)
        while live_audio.listeners:
            await talk.go_on()
            await asyncio.sleep(0.01)


async def test_a_call_that_moves_is_heard_on_by_listeners_on_both_nodes() -> None:
    async with two(listen=True) as nodes, asyncio.timeout(30), asyncio.TaskGroup() as group:
        line = PhoneLine({"inbound": speech("x" * 10 + "." * 6 + "x" * 64, 1), "outbound": speech("." * 80, 2)})
        await line.stream(nodes.a, 1)
        talking = group.create_task(line.talk())
        await until(lambda: all(home.state.registry.known(CALL) for home in (nodes.a, nodes.b)))
        listeners = [await listener(home) for home in (nodes.a, nodes.b)]
        for each in listeners:
            await each.listen()
            await each.hear()
        await line.stream(nodes.b, 2)
        await until(lambda: owns(nodes.b))
        moved_ms = line.at * 20
        for each in listeners:
            while await each.hear() < moved_ms:
                pass
            heard = [at_ms for _, at_ms, _ in each.heard]
            assert heard == sorted(set(heard)), "nothing comes twice"
            assert len({number for number, _, _ in each.heard}) == 1
        talking.cancel()
        for leg in line.legs:
            await leg.send(stop(stream=leg.sid))
        for each in listeners:
            while (message := await each.any()) and not (isinstance(message, dict) and message["type"] == "unlistened"):
                pass
            assert message["reason"] == "the call is over"


@pytest.fixture
def recorded(tmp_path: Path, postgres: PostgresServer) -> list[dict[str, Any]]:
    """The settings of two nodes with one archive. Each has a spool of its own."""
    archive = postgres.schema()
    for name in "ab":
        (tmp_path / name).mkdir()
    return [{"archive": archive, **in_directory(tmp_path / name)} for name in "ab"]


async def switched(home: House, what: str, status: int = 204) -> str:
    async with home.session.post(home.url(f"/calls/{CALL}/recording/{what}")) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


async def test_a_recording_is_paused_and_resumed_on_whichever_node_is_asked(recorded: list[dict[str, Any]]) -> None:
    async with pair_of_hubs(*recorded) as pair:
        talk = Talk(await pair.a.call())
        await talk.go_on(200)
        await pair.known(CALL, lambda record: record.outline.recording)
        await switched(pair.b, "pause")
        recording = pair.a.state.registry.known(CALL).recording
        assert recording.paused
        await switched(pair.b, "resume")
        assert not recording.paused
        async with pair.b.session.get(pair.b.url(f"/calls/{CALL}/recording")) as answer:
            assert answer.status == 503
            assert "lies on the node that records it" in (await answer.json())["error"]["message"]
        pair.broker_of_b.cut("the broker cannot be reached")
        assert "the broker cannot be reached" in await switched(pair.b, "pause", 503)
        assert not recording.paused
        pair.broker_of_b.mend()
        await talk.twilio.send_str(stop())
        await pair.known(CALL, lambda record: not record.live)
        assert "this call is over" in await switched(pair.b, "pause", 409)
