"""Whole conversations with an agent, as Twilio, the model and a subscriber see them."""

import asyncio

import pytest
from aiohttp import WSMsgType

from clients.pretend_twilio.agent_phone import Phone
from hub.agents.turns import LATE_MS
from tests.agents.lines import Follower, lines, read, words
from tests.providers.openai_script import Model, Reply, overheard, recorded


async def test_a_greeting_a_question_and_an_answer_are_published_in_the_order_of_speaking() -> None:
    model = Model(replies=[Reply("Hello there friend."), Reply("They come on Friday.")], transcription_seconds=0.05)
    async with lines(model) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 500 and phone.playout.waiting_ms == 0)
            await line.say(phone, words("when will my flowers come"))
            await line.listen(phone, lambda: line.talk.responses == 2 and len(phone.playout.came_ms) > 8)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.errors == []
        assert line.talk.instructions[0].endswith("Hello there friend.")
        assert overheard(bytes(phone.playout.heard)) == "Hello there friend. They come on Friday."
        # What the model got is what the caller said, to the byte.
        assert bytes(phone.said).startswith(bytes(line.talk.audio))
        assert phone.problem is None
    assert read(events) == [
        "agent: Hello there friend.",
        "caller: when will my flowers come",
        "agent: They come on Friday.",
        "ended: completed",
    ]
    started, ended = events[0], events[-1]
    assert (started["agent"], started["transcriber"]) == ("agent", {"provider": "openai", "model": "gpt-realtime-2.1"})
    assert (started["from"], started["to"], started["speakers"]) == (
        "+14155550123",
        "+14155550100",
        {"inbound": "caller", "outbound": "agent"},
    )
    assert ended["duration"] == pytest.approx(phone.playout.now_ms / 1000, abs=0.1)
    greeting, question, answer = (event for event in events if event["type"] == "final")
    assert greeting["end"] - greeting["start"] == pytest.approx(0.85, abs=0.06)
    assert greeting["end"] <= question["start"] + 0.31 < question["end"] <= answer["start"] + 0.02
    assert any(event["type"] == "interim" and event["track"] == "outbound" for event in follower.events)


async def test_a_real_voice_reaches_the_caller_to_the_byte() -> None:
    async with lines(Model(replies=[Reply("Good morning, this is Maya.")], voice=recorded, delta_ms=333)) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 3400 and phone.playout.waiting_ms == 0)
            await phone.hang_up()
            assert read(await follower.all()) == ["agent: Good morning, this is Maya.", "ended: completed"]
        await line.gone()
    assert recorded("") in bytes(phone.playout.heard)


async def test_a_caller_who_speaks_silences_the_agent_at_once_and_the_transcript_has_what_was_heard() -> None:
    tale = "one two three four five six seven eight nine ten eleven twelve"
    async with lines(Model(replies=[Reply(tale)])) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms >= 1500 and phone.playout.came_ms)
            assert phone.playout.waiting_ms > 1000
            await line.say(phone, words("wait a moment please"))
            assert len(phone.playout.clears) == 1
            cut = phone.playout.clears[0]
            told = overheard(bytes(phone.playout.heard[:cut]))
            # After it, silence: until the answer to what the caller said, at least the 500 ms that make it a question.
            assert set(phone.playout.heard[cut : cut + 8 * 500]) == {0xFF}
            (utterance,) = [each for each in line.talk.items.values() if each.text == tale]
            began_ms = phone.playout.came_ms[0]
            assert utterance.truncated_ms is not None
            assert abs(utterance.truncated_ms - (cut / 8 - began_ms)) <= 60
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and line.talk.responses == 2)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0, 3000)
            await line.say(phone, b"\xff" * 4800)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.errors == []
        assert line.talk.cancelled == 0  # it had been generated to the end
    heard = read(events)[0]
    assert heard.startswith("agent: one two three")
    assert heard.endswith(" —")
    assert abs(len(heard.removesuffix(" —").split()) - 1 - len(told.split())) <= 1
    assert read(events)[1:] == [
        "agent-interrupted",
        "caller: wait a moment please",
        "agent: All right.",
        "ended: completed",
    ]
    interrupted = next(event for event in events if event["type"] == "agent-interrupted")
    assert interrupted["heard"] * 1000 == pytest.approx(utterance.truncated_ms, abs=1)
    assert interrupted["generated"] == pytest.approx(3.55, abs=0.06)


async def test_what_still_comes_of_an_interrupted_answer_is_not_played() -> None:
    tale = " ".join(f"word{number}" for number in range(60))
    model = Model(replies=[Reply(tale)], delta_seconds=0.01, delta_ms=100)
    async with lines(model) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms >= 600 and phone.playout.came_ms)
            await line.say(phone, words("stop"))
            cut = phone.playout.clears[0]
            came = [at for at in phone.playout.came_ms if at > cut / 8 + 20]
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0 and line.talk.responses == 2)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
        assert line.talk.cancelled == 1
        assert line.talk.errors == []
    later = overheard(bytes(phone.playout.heard[cut:]))
    assert "word" not in later
    assert came == [] or min(came) - cut / 8 >= 500
    assert [event["type"] for event in events].count("agent-interrupted") == 1


@pytest.mark.parametrize("transcription", ["failed", "never"])
async def test_a_question_that_is_not_transcribed_is_published_as_a_gap(transcription: str) -> None:
    model = Model(replies=[Reply("Hi."), Reply("I see.")], transcription=transcription)
    async with lines(model) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 600)
            await line.say(phone, words("mumble mumble"))
            await line.listen(phone, lambda: phone.playout.now_ms > 4500 + LATE_MS)
            await phone.hang_up()
            events = await follower.all()
        await line.gone()
    assert read(events) == ["agent: Hi.", "gap", "agent: I see.", "ended: completed"]
    gap = next(event for event in events if event["type"] == "gap")
    assert gap["track"] == "inbound"
    assert "transcri" in gap["reason"]


async def test_two_subscribers_and_the_list_of_calls_follow_an_agents_call_as_any_other() -> None:
    async with lines(Model(replies=[Reply("Hello.")])) as line, line.call() as (phone, first):
        watcher = await line.home.open("/client")
        await watcher.receive()
        await watcher.send_str('{"action":"subscribe","calls":"all"}')
        assert (await watcher.receive_json())["calls"][0]["callSid"] == phone.stream.call_sid
        await line.listen(phone, lambda: phone.playout.now_ms > 900)
        late = Follower(line.home, phone.stream.call_sid)
        await late.begin()
        await phone.hang_up()
        assert await first.all() == await late.all()
        assert [(await watcher.receive_json())["type"] for _ in range(2)] == ["statistics", "call-ended"]
        transcript = await line.home.json(f"/calls/{phone.stream.call_sid}/transcript.json")
        assert [each["text"] for each in transcript["utterances"]] == ["Hello."]


async def test_unknown_events_and_fields_of_a_newer_model_change_nothing() -> None:
    async with lines(Model(replies=[Reply("Hello there.")], unknown=True)) as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: phone.playout.now_ms > 1200)
            await phone.hang_up()
            assert read(await follower.all()) == ["agent: Hello there.", "ended: completed"]
        await line.gone()


async def test_a_telephone_that_sends_no_marks_back_is_followed_by_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forget(phone: Phone) -> None:
        phone.playout.echoes.clear()

    monkeypatch.setattr(Phone, "echo", forget)
    async with lines(Model(replies=[Reply("One two three four five six seven eight.")])) as line:
        async with line.call() as (phone, follower):
            record = line.home.state.registry.find(phone.stream.call_sid)
            assert record is not None
            await line.listen(phone, lambda: record.outline.utterances)
            assert 2300 < phone.playout.now_ms < 3500  # the sentence takes 2.4 s
            await phone.hang_up()
            assert read(await follower.all()) == ["agent: One two three four five six seven eight.", "ended: completed"]
        await line.gone()


async def test_words_said_before_the_session_is_ready_reach_the_model() -> None:
    late = asyncio.Event()
    model = Model(replies=[Reply("Yes.")], greets_late=late)
    async with lines(model, openai_greeting="") as line:
        async with line.call() as (phone, follower):
            await line.fake.until(lambda: len(line.fake.talks) == 1)
            for at in range(0, len(words("are you there")), 160):
                await phone.step(words("are you there")[at : at + 160])
            late.set()
            await line.fake.until(lambda: line.talk.responses == 1)
            await line.listen(phone, lambda: phone.playout.came_ms)
            await line.listen(phone, lambda: phone.playout.waiting_ms == 0)
            await line.say(phone, b"\xff" * 480)
            await phone.hang_up()
            assert read(await follower.all()) == ["caller: are you there", "agent: Yes.", "ended: completed"]
        await line.gone()


async def test_keys_are_published_and_answered_by_the_model() -> None:
    async with lines() as line:
        async with line.call() as (phone, follower):
            await line.listen(phone, lambda: line.talk.responses == 1 and phone.playout.now_ms > 1000 and phone.playout.waiting_ms == 0)
            await phone.press("5")
            await line.listen(phone, lambda: line.talk.responses == 2)
            await phone.hang_up()
            assert ("dtmf", "5") in [(event["type"], event.get("digit")) for event in await follower.all()]
        await line.gone()
        assert line.talk.errors == []


async def test_a_listener_hears_both_sides_as_they_were() -> None:
    async with lines(Model(replies=[Reply("Good morning, this is Maya.")], voice=recorded, delta_ms=333), listen=True) as line:
        async with line.call() as (phone, _):
            socket = await line.home.open("/client")
            await socket.send_json({"action": "listen", "callSid": phone.stream.call_sid})
            while (await socket.receive(timeout=5)).json() != [] and not line.home.state.counters.listeners:
                pass
            await line.say(phone, words("good morning to you"))
            await line.listen(phone, lambda: phone.playout.now_ms > 6000 and phone.playout.waiting_ms == 0)
            await phone.hang_up()
            sound = bytearray()
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    sound += message.data[8:]
                elif message.json()["type"] == "unlistened":
                    break
        await line.gone()
    left, right = bytes(sound[0::2]), bytes(sound[1::2])
    assert words("good morning to you") in left
    assert recorded("")[800:-800] in right
