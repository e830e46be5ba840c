"""A phone that calls an agent of a real hub: what is said, what is heard, and how it ends."""

import asyncio
import json

import pytest
from websockets.asyncio.server import ServerConnection

from clients.devices.loudspeaker import loudspeaker
from clients.devices.microphone import Microphone, microphone
from clients.pretend_twilio.agent_phone import Phone, play_to_agent, speak_to_agent
from hub.audio.g711 import to_mulaw, to_pcm
from hub.twilio.media import Speech
from tests.agents.lines import Lines, lines, words
from tests.clients import pretend_portaudio
from tests.clients.desk import Desk, a_desk
from tests.providers.openai_script import Model, Reply, overheard


@pytest.mark.usefixtures("pretend_device")
async def test_the_microphone_speaks_to_an_agent() -> None:
    async with lines() as line:
        with microphone() as device:
            async with Phone(line.url) as phone:
                await speak_to_agent(phone, device, hang_up_after_ms=900)
        await line.gone()
    assert len(phone.said) == 900 * 8
    assert len(set(phone.said)) > 50, "a tone, and not silence"
    assert bytes(phone.said).startswith(bytes(line.talk.audio))
    assert phone.hung_up


async def together(line: Lines, phone: Phone, mic: Microphone, until_ms: float, mulaw: bytes = b"") -> None:
    """Speak into a microphone and have the loudspeaker ask, 20 ms at a time and in step with the model."""
    began_ms = phone.playout.now_ms
    for number in range(int(until_ms - began_ms) // 20):
        heard = len(line.talk.audio) if line.talk.session else None
        mic.record(to_pcm(mulaw[number * 160 :][:160].ljust(160, b"\xff")), 160, None, None)
        while phone.playout.now_ms < began_ms + (number + 1) * 20 or (heard is not None and len(line.talk.audio) <= heard):
            await asyncio.sleep(0.0005)
        await asyncio.sleep(0.001)
        pretend_portaudio.speakers[0].ask()


@pytest.mark.usefixtures("pretend_device")
async def test_the_loudspeaker_plays_what_the_caller_hears_and_falls_silent_when_the_caller_cuts_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pretend_portaudio, "rate_hz", 8000)
    tale = "one two three four five six seven eight nine ten eleven twelve"
    async with lines(Model(replies=[Reply(tale)])) as line:
        mic = Microphone(8000, "test")
        with loudspeaker(None, pytest.fail) as speaker:
            async with Phone(line.url) as phone, asyncio.TaskGroup() as group:
                group.create_task(speak_to_agent(phone, mic, play=speaker.play))
                await together(line, phone, mic, 1500)
                await together(line, phone, mic, 2500, words("wait a moment please"))
                mic.hang_up()
        await line.gone()
    (cut,) = phone.playout.clears
    heard, played = bytes(phone.playout.heard), to_mulaw(pretend_portaudio.played)
    waited = next(at for at in range(0, len(played), 160) if heard.startswith(played[at:]))
    assert waited <= 60 * 8
    assert overheard(played).startswith("one two three")
    assert set(played[cut + waited :]) == {0xFF}


async def test_a_cancelled_call_says_stop() -> None:
    async with lines() as line:

        async def call() -> None:
            async with Phone(line.url) as phone:
                while not phone.over.is_set():
                    await line.together(phone)

        async with asyncio.TaskGroup() as group:
            calling = group.create_task(call())
            await line.fake.until(lambda: line.fake.open_sessions == 1)
            calling.cancel()
        await line.gone()
        (record,) = line.home.state.registry
        assert record.ended is not None
        assert record.ended.reason == "completed"


async def test_frames_that_the_microphone_lost_are_silence_so_that_the_agents_time_goes_on() -> None:
    mic = Microphone(8000, "test", waiting_frames=2)
    mic.record(b"\x10\x10" * 160 * 5, 800, None, None)  # five frames, of which the last three are lost
    await asyncio.sleep(0)
    async with a_desk() as desk:
        async with Phone(desk.url) as phone, asyncio.TaskGroup() as group:
            group.create_task(speak_to_agent(phone, mic))
            while len(phone.said) < 320:
                await asyncio.sleep(0.001)
            mic.record(b"\x10\x10" * 160, 160, None, None)
            await asyncio.sleep(0)
            mic.hang_up()
        await desk.ended.wait()
    spoken = to_mulaw(b"\x10\x10" * 160)
    assert bytes(phone.said) == spoken * 2 + b"\xff" * 480 + spoken
    assert desk.timestamps("inbound") == list(range(5, 125, 20))


async def test_the_first_message_that_twilio_would_not_take_is_the_problem() -> None:
    async def say(desk: Desk, connection: ServerConnection) -> None:
        await connection.send('{"event": "first"}')
        await connection.send('{"event": "second"}')
        await connection.close()

    async with a_desk(say) as desk, Phone(desk.url) as phone:
        await phone.over.wait()
    assert "first" in str(phone.problem)


async def test_a_recorded_caller_hangs_up_once_all_is_said_and_the_agent_has_been_silent() -> None:
    async def answer(desk: Desk, connection: ServerConnection) -> None:
        await connection.recv()
        stream_sid = json.loads(str(await connection.recv()))["streamSid"]
        await connection.send(Speech(stream_sid).media(b"\x01" * 800).decode())
        await desk.listen(connection)

    async with a_desk(answer) as desk:
        async with Phone(desk.url) as phone:
            while not phone.playout.waiting_ms:
                await asyncio.sleep(0.001)
            await play_to_agent(phone, b"\x02" * 320, speed=20, quiet_seconds=0.2)
        await desk.ended.wait()
    assert phone.playout.now_ms == 300, "100 ms of the agent, then 200 ms of silence"
    assert phone.hung_up
    assert desk.messages[-1]["event"] == "stop"
