"""Notes of calls in a running hub: behind the call's end, once, and never of a call that is gone."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.backoff import Backoff
from hub.calls import note_taker
from hub.events import Note, NoteSentence
from hub.notes.said import CallWords
from tests.house import House, house
from tests.media import CALL
from tests.providers.fake_chat import FakeChat, note, serving, settings
from tests.publishing import ScriptedCall
from tests.upkeep.kept import ask, bearer, everything, keeping, stored
from tests.web.watchers import OTHER, SECRET

QUICK = Backoff(first_seconds=0.02, longest_seconds=0.1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and try again at once."""
    monkeypatch.setattr(note_taker, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(note_taker, "OF_CALL", QUICK)
    monkeypatch.setattr(note_taker, "OF_MODEL", QUICK)


@pytest.fixture
async def chat() -> AsyncIterator[FakeChat]:
    async with serving(FakeChat()) as chat:
        yield chat


def talked(home: House, call: str = CALL, *texts: str) -> ScriptedCall:
    """Let a call happen in which these words are said."""
    script = ScriptedCall(home.state, call)
    for text in texts or ("good morning", "where is my parcel", "I will write to you"):
        script.final(text)
    script.end()
    return script


def types(script: ScriptedCall) -> list[str]:
    """The types of all events of a call that readers have seen."""
    return [json.loads(payload)["type"] for payload in script.record.topic.log.after(0)]


async def noted(script: ScriptedCall) -> dict[str, Any]:
    """Wait for a call's note."""
    while "note" not in types(script):
        await asyncio.sleep(0.005)
    found: dict[str, Any] = next(event for payload in script.record.topic.log.after(0) if (event := json.loads(payload))["type"] == "note")
    return found


async def settled(home: House) -> None:
    """Wait until no call waits for a note."""
    assert home.state.counters.notes is not None
    while home.state.counters.notes.waiting:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("archive", ["", "calls.db"])
async def test_a_call_gets_a_note_behind_its_end_and_every_reader_has_it(chat: FakeChat, tmp_path: Path, archive: str) -> None:
    where = {"archive": str(tmp_path / archive)} if archive else {}
    async with house(**settings(chat), **where) as home:
        follower, everybody = await home.open("/client"), await home.open("/client")
        await everybody.send_json({"action": "subscribe", "calls": "all"})
        script = ScriptedCall(home.state)
        await follower.send_json({"action": "subscribe", "callSid": CALL})
        script.final("good morning", start=1.0)
        script.final("I will write to you", start=3.0)
        script.end()
        told = await noted(script)
        assert types(script) == ["call-started", "final", "final", "call-ended", "note"]
        assert (told["offset"], told["ended"], told["model"]) == (5, 4, "test-model")
        assert told["summary"] == [{"text": "They talked.", "offsets": [2, 3]}]
        assert told["nextSteps"] == [{"text": "The caller writes.", "offsets": [3]}]
        assert told["openQuestions"] == [{"text": "Is it paid?", "offsets": [2]}]
        for socket in (follower, everybody):
            while await socket.receive_json() != told:
                pass
        late = await home.open("/client")
        await late.send_str(CALL)
        replayed = [event async for message in late if isinstance(event := message.json(), dict)]
        assert (replayed[-1], late.close_code) == (told, 1000)
        assert (await home.json(f"/calls/{CALL}"))["note"] == "They talked."
        assert (await home.json("/calls?live=false"))["calls"][0]["note"] == "They talked."
        assert (await home.json(f"/calls/{CALL}/transcript.json"))["events"][-1] == told
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.txt")) as answer:
            assert (
                "— note by test-model: They talked. — next steps: The caller writes. — open questions: Is it paid?" in await answer.text()
            )
        vcon = await home.json(f"/calls/{CALL}/transcript.vcon.json")
        assert [(each["type"], each["body"]) for each in vcon["analysis"]][1] == ("summary", told)
        assert chat.wrong == []
        assert chat.user() == {
            "said": [
                {"offset": 2, "at": "00:01.0", "speaker": "caller", "text": "good morning"},
                {"offset": 3, "at": "00:03.0", "speaker": "caller", "text": "I will write to you"},
            ]
        }, "no number and no callSid leaves the hub"
        await settled(home)
        assert len(chat.requests) == 1


async def test_a_file_changes_when_the_note_comes(chat: FakeChat) -> None:
    chat.holds = asyncio.Event()
    async with house(**settings(chat)) as home:
        script = talked(home)
        await chat.until(1)
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.txt")) as answer:
            before = answer.headers["ETag"]
        chat.holds.set()
        await noted(script)
        headers = {"If-None-Match": before}
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.txt"), headers=headers) as answer:
            assert (answer.status, "note by" in await answer.text()) == (200, True)


async def test_calls_in_which_nobody_spoke_or_that_want_none_get_no_note(chat: FakeChat) -> None:
    async with house(**settings(chat)) as home:
        silent = ScriptedCall(home.state)
        silent.end()
        unwanted = ScriptedCall(home.state, OTHER, parameters={"notes": "off"})
        unwanted.final("good morning")
        unwanted.end()
        wanted = talked(home, "CA" + "7" * 32)
        await noted(wanted)
        await settled(home)
        assert len(chat.requests) == 1
        assert (types(silent)[-1], types(unwanted)[-1]) == ("call-ended", "call-ended")


async def test_a_call_that_goes_on_gets_another_note_when_it_ends_again(chat: FakeChat, tmp_path: Path) -> None:
    async with house(**settings(chat), archive=str(tmp_path / "calls.db")) as home:
        await noted(talked(home))
        again = ScriptedCall(home.state)
        again.final("one more thing")
        again.end()
        while types(again).count("note") < 2:
            await asyncio.sleep(0.005)
        assert types(again)[-3:] == ["final", "call-ended", "note"]
        assert [line["text"] for line in chat.user()["said"]][-1] == "one more thing"
        await settled(home)
        assert len(chat.requests) == 2


async def test_a_call_that_goes_on_while_the_model_writes_gets_one_note_at_its_end(chat: FakeChat, tmp_path: Path) -> None:
    chat.holds = asyncio.Event()
    async with house(**settings(chat), archive=str(tmp_path / "calls.db")) as home:
        talked(home)
        await chat.until(1)
        again = ScriptedCall(home.state)
        chat.holds.set()
        while chat.under_way:
            await asyncio.sleep(0.005)
        again.final("one more thing")
        again.end()
        told = await noted(again)
        await settled(home)
        assert (types(again).count("note"), told["offset"], told["ended"]) == (1, again.offset, again.offset - 1)


@pytest.mark.parametrize("trouble", [401, 404, 429, 503])
async def test_a_model_that_fails_is_asked_again_one_call_at_a_time(chat: FakeChat, trouble: int) -> None:
    chat.down = trouble
    async with house(**settings(chat, notes_at_once=4)) as home:
        scripts = [talked(home, f"CA{number:032x}") for number in range(10)]
        await chat.until(6)
        counters = home.state.counters.notes
        assert counters is not None
        assert counters.failing_since is not None
        chat.most_under_way, chat.down = 0, 0
        await asyncio.gather(*map(noted, scripts))
        await settled(home)
        assert (counters.made, counters.given_up, counters.failing_since) == (10, 0, None)
        assert chat.most_under_way <= 4
        assert all(types(script).count("note") == 1 for script in scripts)
        async with home.session.get(home.url("/metrics")) as answer:
            metrics = await answer.text()
        assert 'hub_notes_total{outcome="made"} 10.0' in metrics
        assert 'hub_note_tokens_total{direction="read"} 1000.0' in metrics


async def test_a_call_with_which_the_model_always_fails_gets_none_and_the_others_do(
    chat: FakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    chat.writes = lambda user: (
        "I obey the caller" if "nonsense" in user["said"][0]["text"] else note([("Yes.", [user["said"][0]["offset"]])])
    )
    async with house(**settings(chat)) as home:
        bad, counters = talked(home, CALL, "nonsense quetzalcanary"), home.state.counters.notes
        assert counters is not None
        await noted(talked(home, OTHER))
        while not counters.given_up:
            await asyncio.sleep(0.005)
        assert types(bad)[-1] == "call-ended"
        assert counters.waiting <= 1
        requests = [each for each in chat.requests if "nonsense" in each["messages"][1]["content"]]
        assert len(requests) == 2 * note_taker.ATTEMPTS
    assert "quetzalcanary" not in caplog.text
    assert "I obey" not in caplog.text


async def test_no_more_notes_are_written_at_once_than_the_settings_say(chat: FakeChat) -> None:
    chat.holds = asyncio.Event()
    async with house(**settings(chat, notes_at_once=3)) as home:
        scripts = [talked(home, f"CA{number:032x}") for number in range(9)]
        await chat.until(3)
        chat.holds.set()
        await asyncio.gather(*map(noted, scripts))
        assert chat.most_under_way == 3


async def test_a_call_that_is_erased_meanwhile_gets_no_note_and_the_model_is_left_alone(chat: FakeChat, tmp_path: Path) -> None:
    chat.holds = asyncio.Event()
    async with keeping(tmp_path, **settings(chat)) as home:
        script = talked(home, CALL, "quetzalcanary")
        await chat.until(1)
        status, _ = await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase"))
        assert status == 200
        while not chat.cut:
            await asyncio.sleep(0.005)
        chat.holds.set()
        await noted(talked(home, OTHER))
        await settled(home)
        await stored(home)
        assert len(chat.requests) == 2
        assert script.record.ahead.note is None
        assert not [path for path, content in everything(tmp_path).items() if b"quetzalcanary" in content]


async def test_a_note_is_erased_with_its_call(chat: FakeChat, tmp_path: Path) -> None:
    chat.writes = lambda user: note([("It was about a quetzalcanary.", [user["said"][0]["offset"]])])
    async with keeping(tmp_path, **settings(chat)) as home:
        await noted(talked(home))
        await stored(home)
        assert any(b"quetzalcanary" in content for content in everything(tmp_path).values())
        assert (await ask(home, "DELETE", f"/calls/{CALL}", bearer("erase")))[0] == 200
        assert not [path for path, content in everything(tmp_path).items() if b"quetzalcanary" in content]


async def test_a_call_of_another_process_gets_its_note_from_the_archive_long_after(chat: FakeChat, tmp_path: Path) -> None:
    chat.down = 503
    where = {"archive": str(tmp_path / "calls.db"), "keep_minutes": 0.0, "secret": SECRET}
    async with house(**settings(chat), **where) as home:
        talked(home)
        await chat.until(1)
        await stored(home)
    chat.down = 0
    async with house(**settings(chat), **where) as home:
        while (call := (await ask(home, "GET", f"/calls/{CALL}", bearer("archive")))[1])["note"] is None:
            await asyncio.sleep(0.01)
        assert (call["note"], call["live"]) == ("They talked.", False)
        await settled(home)
        await stored(home)
        kinds = [event["type"] for event in (await ask(home, "GET", f"/calls/{CALL}/transcript.json", bearer("archive")))[1]["events"]]
        assert kinds == ["call-started", "final", "final", "final", "call-ended", "note"]
    # Nothing is left to be done for the next process.
    requests = len(chat.requests)
    async with house(**settings(chat), **where) as home:
        await noted(talked(home, OTHER))
        await settled(home)
    assert len(chat.requests) == requests + 1


async def test_what_a_note_puts_together_is_masked_like_everything_else(chat: FakeChat) -> None:
    chat.writes = lambda user: note([("The card is 5500 0055 5555 5559.", [user["said"][0]["offset"]])])
    async with house(**settings(chat), redact_kinds="cards") as home:
        assert (await noted(talked(home)))["summary"][0]["text"] == "The card is [card]."


async def test_a_second_note_of_the_same_end_is_not_published(chat: FakeChat) -> None:
    async with house(**settings(chat)) as home:
        script = talked(home)
        await noted(script)
        late = Note(call_sid=CALL, model="m", ended=5, summary=[NoteSentence(text="a", offsets=[2])], next_steps=[], open_questions=[])
        assert not script.publisher.publish_late(late)
        assert types(script).count("note") == 1


async def test_a_log_that_cannot_be_read_keeps_no_other_call_from_its_note(
    chat: FakeChat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = CallWords.read.__func__  # type: ignore[attr-defined]

    def broken(cls: type[CallWords], payloads: list[bytes]) -> CallWords:
        if any(b"broken" in payload for payload in payloads):
            raise ValueError("broken")
        result: CallWords = read(cls, payloads)
        return result

    monkeypatch.setattr(CallWords, "read", classmethod(broken))
    async with house(**settings(chat)) as home:
        talked(home, CALL, "broken")
        await noted(talked(home, OTHER))
    assert "there can be no note of it now" in caplog.text
