"""Deepgram and AssemblyAI through a running hub: from Twilio's socket, over the vendor's wire, to a subscriber."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

from tests.completeness import completeness
from tests.media import CALL, STREAM, media, stop
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.puppet import puppet
from tests.providers.script import FakeProvider, Script, said
from tests.vendors.provided import (
    ASSEMBLYAI_KEY,
    CALLER,
    DEEPGRAM_KEY,
    FRAMES,
    LIMITS,
    SECONDS,
    Event,
    check_words,
    follow,
    hub,
    name_of,
    of,
    rest,
    speak,
    upto,
    whole,
    words,
)

KINDS = pytest.mark.parametrize("kind", [pytest.param(FakeDeepgram, id="deepgram"), pytest.param(FakeAssemblyAI, id="assemblyai")])


@KINDS
@pytest.mark.parametrize("channels", ["separate", "mixed"])
async def test_a_call_is_transcribed(kind: type[FakeProvider], channels: str) -> None:
    async with kind() as fake, hub(fake, assemblyai_channels=channels) as home:
        events = await whole(home)
    check_words(events)
    assert of(events, "call-started")[0]["transcriber"]["provider"] == name_of(fake)
    assert (completeness(events[-1]), events[-1]["reason"], events[-1]["duration"]) == ("complete", "completed", SECONDS)
    assert {event["type"] for event in events} == {"call-started", "interim", "final", "statistics", "call-ended"}
    assert len(fake.visits) == (2 if kind is FakeAssemblyAI and channels == "separate" else 1)


@KINDS
async def test_words_said_while_the_provider_still_shakes_hands_are_transcribed(kind: type[FakeProvider]) -> None:
    async with kind(Script(hang_handshake_seconds=[0.8, 0.8])) as fake, hub(fake) as home:
        socket = await home.call()
        subscriber = await follow(home)
        await speak(socket)
        await home.frames(FRAMES)
        assert not fake.open_sessions, "the call is in the hub before the provider is there"
        await socket.send_str(stop())
        events = await rest(subscriber)
    check_words(events)
    assert completeness(events[-1]) == "complete"


@KINDS
async def test_a_final_three_seconds_after_stop_comes_before_the_end(kind: type[FakeProvider]) -> None:
    clock = asyncio.get_running_loop().time
    async with kind(Script(last_words_delay_seconds=3.0)) as fake, hub(fake) as home:
        socket = await home.call()
        subscriber = await follow(home)
        await speak(socket, [], said("and one last word", 4.0 - 0.25))
        await socket.send_str(stop())
        stopped = clock()
        events = await rest(subscriber)
        assert clock() - stopped >= 2.9
    assert words(events, "outbound") == ["and", "one", "last", "word"]
    assert [event["type"] for event in events[-3:]] == ["final", "statistics", "call-ended"]
    assert completeness(events[-1]) == "complete"


@KINDS
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(never_answer=True), id="never answers"),
        pytest.param(Script(hang_handshake_seconds=[60.0] * 9), id="never shakes hands"),
        pytest.param(Script(flood=400), id="floods"),
        pytest.param(Script(drop_after_bytes=[1] * 900), id="drops each connection"),
    ],
)  # fmt: skip
async def test_no_provider_delays_twilio_or_ends_the_call(kind: type[FakeProvider], script: Script) -> None:
    limits = replace(LIMITS, last_words_seconds=0.5, open_seconds=0.5)
    clock = asyncio.get_running_loop().time
    async with kind(script) as fake, hub(fake, session_limits=limits) as home:
        socket = await home.call()
        subscriber = await follow(home)
        began = clock()
        await speak(socket)
        await home.frames(FRAMES)
        assert clock() - began < 4, "500 frames of five seconds"
        assert home.state.calls.live == 1
        assert not socket.closed
        await socket.send_str(stop())
        events = await rest(subscriber)
        assert (await socket.receive(timeout=5)).data == 1000
    assert (events[-1]["type"], events[-1]["reason"], events[-1]["duration"]) == ("call-ended", "completed", SECONDS)
    for audio in events[-1]["audio"].values():
        assert (audio["filledMs"], audio["lateMs"], audio["droppedMs"]) == (0, 0, 0)
    if script.flood:
        check_words(events)
        assert completeness(events[-1]) == "complete"
    else:
        assert completeness(events[-1]).startswith(f"not transcribed: {name_of(fake)} ")
        began = 2.1 if kind is FakeAssemblyAI else 0  # a session for one track is opened a second before its first sound
        assert {(gap["track"], gap["start"], gap["end"]) for gap in of(events, "gap")} == {("inbound", 0, 5), ("outbound", began, 5)}


REFUSALS = [
    (FakeDeepgram, 400, "refused the request (400 Bad Request): Bad Request", "check DEEPGRAM_MODEL and DEEPGRAM_OPTIONS"),
    (FakeDeepgram, 401, "refused the key (401 INVALID_AUTH)", "check DEEPGRAM_API_KEY"),
    (FakeDeepgram, 402, "has no credit left for this project", "add some at console.deepgram.com"),
    (FakeDeepgram, 403, "refused the model (403 INSUFFICIENT_PERMISSIONS)", "DEEPGRAM_MODEL is misspelled"),
    (FakeAssemblyAI, 1008, "refused the key (1008): Unauthorized Connection", "check ASSEMBLYAI_API_KEY"),
    (FakeAssemblyAI, 3006, "refused the request (3006)", "check ASSEMBLYAI_MODEL and ASSEMBLYAI_OPTIONS"),
]


@pytest.mark.parametrize(("kind", "refusal", "says", "advises"), REFUSALS)
async def test_a_refusal_is_reported_once_with_what_to_do_and_the_call_goes_on(
    kind: type[FakeProvider], refusal: int, says: str, advises: str
) -> None:
    async with kind(Script(refuse=[refusal] * 20)) as fake, hub(fake) as home:
        events = await whole(home)
    (lost,) = of(events, "transcriber-lost")
    assert (lost["provider"], lost["attempt"]) == (name_of(fake), 0)
    assert lost["reason"].startswith(says)
    assert advises in lost["reason"]
    assert not of(events, "transcriber-restored")
    assert (events[-1]["reason"], events[-1]["duration"]) == ("completed", SECONDS)
    assert completeness(events[-1]) == f"not transcribed: {name_of(fake)} {says.partition(' (')[0]}"
    assert [(gap["track"], gap["start"], gap["end"]) for gap in of(events, "gap")] == [("inbound", 0.1, 5), ("outbound", 3.0, 5)]
    assert len(fake.visits) <= 2, "a refusal that a retry cannot mend is not tried again"


@pytest.mark.parametrize(
    ("first", "second", "refusal"), [(FakeDeepgram, FakeAssemblyAI, 401), (FakeAssemblyAI, FakeDeepgram, (1008, "Insufficient funds"))]
)
@pytest.mark.parametrize("mid_call", [False, True])
async def test_the_fallback_takes_over_from_the_last_settled_word(
    first: type[FakeProvider], second: type[FakeProvider], refusal: Any, mid_call: bool
) -> None:
    trouble = Script(refuse=[None, None, *[refusal] * 9] if mid_call else [refusal] * 9, drop_after_bytes=[38_400] * 2)
    async with (
        first(trouble) as one,
        second() as other,
        hub(one, other, fallback="assemblyai" if first is FakeDeepgram else "deepgram") as home,
    ):
        events = await whole(home)
    check_words(events)
    (switched,) = of(events, "transcriber-switched")
    assert (switched["provider"], switched["attempt"]) == (name_of(other), 0)
    lost = of(events, "transcriber-lost")
    assert [each["attempt"] > 0 for each in lost] == [*[True] * len(of(events, "transcriber-restored")), *[True] * mid_call, False]
    assert lost[-1]["reason"] == switched["reason"]
    assert completeness(events[-1]) == "complete"
    assert not of(events, "gap")


async def test_if_the_fallback_refuses_too_that_is_reported_and_the_call_goes_on() -> None:
    refusing = Script(refuse=[401]), Script(refuse=[1008] * 2)
    async with FakeDeepgram(refusing[0]) as one, FakeAssemblyAI(refusing[1]) as other, hub(one, other, fallback="assemblyai") as home:
        events = await whole(home)
    told = [(event["type"], event["provider"]) for event in events if event["type"].startswith("transcriber")]
    assert told == [("transcriber-lost", "deepgram"), ("transcriber-switched", "assemblyai"), ("transcriber-lost", "assemblyai")]
    assert len(of(events, "gap")) == 2
    assert completeness(events[-1]) == "not transcribed: assemblyai refused the key"


async def test_a_call_chooses_its_transcriber_language_and_keyterms() -> None:
    async with FakeDeepgram() as one, FakeAssemblyAI() as other, hub(one, other) as home:
        events = await whole(home, {"transcriber": "assemblyai", "language": "de_DE", "keyterms": "Acme, Dr. Okafor,"})
    check_words(events)
    assert of(events, "call-started")[0]["transcriber"] == {"provider": "assemblyai", "model": "universal-3-6-pro"}
    assert not one.visits
    for visit in other.visits:
        asked = dict(visit.query)
        assert (asked["language_codes"], asked["keyterms_prompt"]) == ('["de"]', '["Acme","Dr. Okafor"]')
        assert asked["speech_model"] == "universal-3-6-pro"


async def test_deepgram_is_asked_for_a_calls_language_and_keyterms() -> None:
    async with FakeDeepgram() as fake, hub(fake, deepgram_options="numerals=true") as home:
        await whole(home, {"language": "de", "keyterms": "Acme, Dr. Okafor"})
    asked = fake.visits[0].query
    assert [value for name, value in asked if name == "keyterm"] == ["Acme", "Dr. Okafor"]
    assert dict(asked) | {"language": "de", "numerals": "true", "model": "nova-3", "multichannel": "true"} == dict(asked)


@pytest.mark.parametrize(
    ("asked", "says"),
    [("siri", "is no transcriber of this hub"), ("assemblyai", "is not set up on this hub: ASSEMBLYAI_API_KEY is missing")],
)
async def test_a_transcriber_that_this_hub_does_not_have_is_reported_and_the_default_takes_over(asked: str, says: str) -> None:
    async with FakeDeepgram() as fake, hub(fake) as home:
        events = await whole(home, {"transcriber": asked})
    check_words(events)
    (lost,), (switched,) = of(events, "transcriber-lost"), of(events, "transcriber-switched")
    assert (lost["provider"], lost["reason"], lost["attempt"]) == (asked, says, 0)
    assert (switched["provider"], switched["reason"]) == ("deepgram", says)
    assert completeness(events[-1]) == "complete"


@KINDS
async def test_a_hub_that_stops_ends_its_sessions_and_publishes_their_last_words(kind: type[FakeProvider]) -> None:
    async with kind() as fake:
        async with asyncio.TaskGroup() as group, hub(fake) as home:
            socket = await home.call()
            subscriber = await follow(home)
            await speak(socket)
            await home.frames(FRAMES)
            reading = group.create_task(rest(subscriber))
            assert fake.open_sessions
        assert fake.open_sessions == 0
        assert {visit.messages[-1] for visit in fake.visits} <= {'{"type":"CloseStream"}', '{"type":"Terminate"}'}
    events = reading.result()
    check_words(events)
    assert (events[-1]["reason"], completeness(events[-1])) == ("hub-stopping", "complete")


@KINDS
@pytest.mark.parametrize("connecting", [False, True])
async def test_a_hub_that_fails_leaves_no_session(kind: type[FakeProvider], connecting: bool) -> None:
    async def failing(fake: FakeProvider) -> None:
        async with hub(fake) as home:
            socket = await home.call()
            await speak(socket)  # a session per track is opened by the track's first sound
            while not (len(fake.visits) > 0 if connecting else fake.open_sessions > 0):
                await asyncio.sleep(0.005)
            raise ZeroDivisionError

    async with kind(Script(hang_handshake_seconds=[60.0] * 2 if connecting else [])) as fake:
        with pytest.raises(ZeroDivisionError):
            await failing(fake)
        assert fake.open_sessions == 0


@KINDS
async def test_interims_end_in_one_final_each_whatever_breaks(kind: type[FakeProvider]) -> None:
    cuts = [9000, 7000, 21_000, 30_000, 3000, 40_000]
    async with kind(Script(drop_after_bytes=cuts, repeat=True)) as fake, hub(fake) as home:
        socket = await home.call()
        subscriber = await follow(home)
        await speak(socket)
        early = await upto(subscriber, "transcriber-restored")
        await socket.send_str(stop())
        events = early + await rest(subscriber)
    check_words(events)
    assert len(fake.visits) >= len(cuts)
    stories: dict[str, list[Event]] = {}
    for event in [*of(events, "interim"), *of(events, "final")]:
        stories.setdefault(event["utterance"], []).append(event)
    for story in stories.values():
        story.sort(key=lambda event: event["revision"])
        assert [event["type"] for event in story] == ["interim"] * (len(story) - 1) + ["final"]
        assert len({event["revision"] for event in story}) == len(story)
    lost, restored = of(events, "transcriber-lost"), of(events, "transcriber-restored")
    assert len(lost) == len(restored)
    durable = [event for event in events if event["type"] != "interim"]
    assert [event["offset"] for event in durable] == list(range(1, len(durable) + 1))
    assert completeness(events[-1]) == "complete"


async def test_no_key_shows_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[Any] = []
    async with (
        FakeDeepgram(Script(drop_after_bytes=[9000], refuse=[None, 503, 401])) as one,
        FakeAssemblyAI(Script(refuse=[1008])) as other,
        hub(one, other, fallback="assemblyai") as home,
    ):
        shown += await whole(home)
        for path in ("/calls", f"/calls/{CALL}", "/metrics", "/readyz"):
            async with home.session.get(home.url(path)) as answer:
                shown.append(await answer.text())
        shown += [repr(home.state.config), str(home.state.config)]
    assert one.visits[0].headers["Authorization"] == f"Token {DEEPGRAM_KEY}"
    assert other.visits[0].headers["Authorization"] == ASSEMBLYAI_KEY
    logged = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]  # the fakes' own log
    assert any("refused the key" in message for message in logged)
    assert any("refused the key" in str(each) for each in shown)
    assert "canary" not in str([logged, shown])


async def test_a_provider_that_floods_one_call_ends_its_transcription_in_words_and_no_other_calls() -> None:
    async def pour(socket: ServerConnection) -> None:
        while not socket.transport.is_closing():
            socket.transport.write(Frame(Opcode.PING, b"").serialize(mask=False) * 500)
            await asyncio.sleep(0)

    flooded = "CA" + "2" * 32
    async with puppet(pour) as url, FakeAssemblyAI() as fake, hub(fake, deepgram_key="k", deepgram_url=url) as home:
        one = await home.call()
        two = await home.call(flooded, "MZ" + "2" * 32, parameters={"transcriber": "deepgram"})
        subscriber = await follow(home)
        await speak(one)
        for at in range(0, 1000, 20):
            await two.send_str(media("inbound", at, b"\x55" * 160, "MZ" + "2" * 32))
        while home.state.counters.providers["deepgram"].sessions == 0 or home.state.counters.providers["deepgram"].open_sessions:
            await asyncio.sleep(0.005)
        await two.send_str(stop(flooded, "MZ" + "2" * 32))
        await one.send_str(stop())
        events = await rest(subscriber)
        followed = await home.open("/client")
        await followed.send_str(flooded)
        other = [event for event in await rest(followed) if isinstance(event, dict)]
    check_words(events)
    assert completeness(events[-1]) == "complete"
    assert completeness(other[-1]) == "not transcribed: deepgram sent more than 500 messages a second"


async def test_two_calls_at_once_do_not_mix() -> None:
    async with FakeDeepgram(Script(drop_after_bytes=[9000, 20_000])) as fake, hub(fake) as home:
        one = await home.call()
        two = await home.call("CA" + "2" * 32, "MZ" + "2" * 32)
        subscriber = await follow(home)
        await speak(one)
        for at in range(0, 1000, 20):
            await two.send_str(media("inbound", at, b"\xff" * 160, "MZ" + "2" * 32))
        await two.send_str(stop("CA" + "2" * 32, "MZ" + "2" * 32))
        await one.send_str(stop(CALL, STREAM))
        events = await rest(subscriber)
        other = await home.json(f"/calls/{'CA' + '2' * 32}/transcript.json")
    check_words(events)
    assert not any(word.text in str(other) for word in CALLER if len(word.text) > 4)
