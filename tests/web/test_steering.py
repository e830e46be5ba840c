"""Steering an agent's call, on a real hub with a pretend Twilio and a fake Realtime API: over /client, and over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

from hub.tokens import mint
from tests.agents.lines import PUBLIC, words
from tests.house import house
from tests.media import CALL
from tests.providers.openai_script import Model, Reply, overheard
from tests.web.steered_desk import SECRET, TEXT, steered_desk, token


async def test_the_agent_says_a_text_and_everybody_who_follows_is_told_who_wanted_it(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        ada = await at.supervisor()
        answer = await ada.steer("say", text=TEXT, order="o1")
        assert (answer["state"], answer["order"], answer["callSid"]) == ("asked", "o1", at.call.sid)
        heard = len(at.phone.playout.heard)
        await at.listen(lambda: len(overheard(bytes(at.phone.playout.heard[heard:])).split()) >= 4)
        await at.line.say(at.phone, b"\xff" * 160 * 30)
        done = await ada.outcome("o1")
        assert (done["state"], done["by"], done.get("reason")) == ("done", "ada", None)
        assert overheard(bytes(at.phone.playout.heard[heard:])) == TEXT
        finals = [each["text"] for each in ada.events if each["type"] == "final"]
        assert finals == ["Hello there friend.", TEXT]
        assert [each["offset"] for each in ada.events] == list(range(1, len(ada.events) + 1))


async def test_a_text_that_is_wanted_now_cuts_the_agent_short(tmp_path: Path) -> None:
    model = Model(replies=[Reply("Hello there friend."), Reply("one two three four five six seven eight nine ten eleven twelve")])
    async with steered_desk(tmp_path, model) as at:
        ada = await at.supervisor()
        await at.line.say(at.phone, words("hours please"))
        began = at.phone.playout.now_ms
        await at.listen(lambda: at.phone.playout.waiting_ms > 0 and at.phone.playout.now_ms - began > 600)
        await ada.steer("say", text=TEXT, order="o1", when="now")
        await at.listen(lambda: TEXT in overheard(bytes(at.phone.playout.heard)))
        await at.line.say(at.phone, b"\xff" * 160 * 30)
        assert (await ada.outcome("o1"))["state"] == "done"
        cut = next(each for each in ada.events if each["type"] == "final" and each["text"].startswith("one"))
        assert cut["interrupted"]
        assert "twelve" not in cut["text"]
        assert "agent-interrupted" not in {each["type"] for each in ada.events}
        assert at.line.talk.errors == []


async def test_an_order_that_comes_again_on_another_connection_is_not_done_again(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        ada = await at.supervisor()
        await ada.steer("say", text=TEXT, order="o1")
        again = await (await at.supervisor()).steer("say", text=TEXT, order="o1")
        assert again["state"] == "asked"
        await at.listen(lambda: TEXT in overheard(bytes(at.phone.playout.heard)))
        await at.line.say(at.phone, b"\xff" * 160 * 30)
        await ada.outcome("o1")
        status, answer = await at.post({"action": "say", "text": TEXT, "order": "o1"})
        assert (status, answer["state"], answer["order"]) == (200, "done", "o1")
        assert sum(each.startswith("Say exactly") for each in at.line.talk.instructions) == 1


async def test_a_person_takes_over_and_the_transcript_goes_on_with_them(tmp_path: Path) -> None:
    async with steered_desk(tmp_path, steer_numbers="+1415555*") as at:
        ada = await at.supervisor()
        answer = await ada.steer("take-over", to="+1 415 555 0188", order="o1")
        assert answer["state"] == "asked"
        assert (await ada.outcome("o1"))["state"] == "done"
        assert f'<Dial action="{PUBLIC}/twiml/agent?agent=desk"><Number>+14155550188</Number></Dial>' in at.call.twiml
        await ada.receive(lambda each: each["type"] == "final" and each["speaker"] == "ada")
        await at.call.hang_up()
        ended = await ada.ended()
        assert ended["reason"] == "completed"
        starts = [each for each in ada.events if each["type"] == "call-started"]
        assert [each.get("agent") for each in starts] == ["desk", None]
        # The order's answer was lost, the call is people's by now: it is answered all the same, and nobody is dialled twice.
        assert (await ada.steer("take-over", to="+1 415 555 0188", order="o1"))["state"] == "done"
        assert sum(path.endswith(".json") and bool(form) for _, path, form in at.call.twilio.asked) == 1


async def test_a_person_who_does_not_answer_leaves_the_caller_with_the_agent(tmp_path: Path) -> None:
    async with steered_desk(tmp_path, steer_numbers="+14155550188") as at:
        ada = await at.supervisor()
        await ada.steer("take-over", to="+14155550188", order="o1")
        await ada.outcome("o1")
        action = at.call.twiml.partition('action="')[2].partition('"')[0]
        told = {"CallSid": at.call.sid, "From": "+14155550123", "To": "+14155550100", "Direction": "inbound", "CallStatus": "in-progress"}
        assert at.line.twilio is not None
        for status, verb in (("no-answer", '<Parameter name="agent" value="desk" />'), ("completed", "<Response><Hangup /></Response>")):
            found, text = await at.line.twilio.webhook(action, told | {"DialCallStatus": status})
            assert found == 200
            assert verb in text, status


async def test_a_caller_is_passed_on_to_another_agent(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        ada = await at.supervisor()
        assert (await ada.steer("transfer", to="agent:night", order="o1"))["state"] == "asked"
        assert (await ada.outcome("o1"))["state"] == "done"
        assert f'url="wss{PUBLIC[5:]}/agent"' in at.call.twiml
        assert '<Parameter name="agent" value="night" />' in at.call.twiml


async def test_a_supervisor_hangs_up_over_http_and_a_second_one_is_told(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        ada = await at.supervisor()
        status, answer = await at.post({"action": "hang-up", "order": "o1"})
        assert (status, answer["state"]) == (202, "asked")
        ended = await ada.ended()
        assert ended["reason"] == "supervisor-hung-up"
        assert at.call.status == "completed"
        assert await at.post({"action": "say", "text": TEXT}) == (409, {"error": {"code": "call-over", "message": "the call is over"}})
        status, answer = await at.post({"action": "hang-up", "order": "o1"})
        assert (status, answer["state"]) == (200, "done")


REFUSED: list[tuple[Any, int, str, str]] = [
    ({"action": "say"}, 400, "bad-request", "`text`"),
    ({"action": "shout", "text": "x"}, 400, "bad-request", "say, transfer, hang-up or take-over"),
    ({"action": "say", "text": ""}, 400, "bad-order", "empty"),
    ({"action": "say", "text": "<b>bold</b>"}, 400, "bad-order", "markup"),
    ({"action": "say", "text": "x" * 501}, 400, "bad-order", "too long"),
    ({"action": "say", "text": "x", "order": "no blanks"}, 400, "bad-order", "id of an order"),
    ({"action": "say", "text": "x", "callSid": CALL}, 400, "bad-request", "leave callSid out"),
    ({"action": "say", "text": "x", "when": "later"}, 400, "bad-request", "when"),
    (["say"], 400, "bad-request", "JSON object"),
    (b"{", 400, "bad-request", "JSON object"),
    (b" " * 20_000, 400, "bad-request", "16384 bytes"),
    ({"action": "transfer", "to": "110"}, 409, "refused", "cannot be called"),
    ({"action": "transfer", "to": "+14155550199"}, 409, "refused", "HUB_STEER_NUMBERS"),
    ({"action": "take-over", "to": "+19005550199"}, 409, "refused", "HUB_STEER_NUMBERS"),
    ({"action": "transfer", "to": "agent:nobody"}, 409, "refused", "no agent of this hub has that name"),
    ({"action": "transfer", "to": "agent:desk"}, 409, "refused", "answers the call already"),
    ({"action": "take-over", "to": "agent:night"}, 409, "refused", "a person takes a call over"),
    ({"action": "transfer", "to": " "}, 400, "bad-order", "`to`"),
]
"""What is sent, and what is answered: the status, the code, and a part of the sentence."""


async def test_what_cannot_be_done_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        for body, status, code, message in REFUSED:
            found, answer = await at.post(body)
            assert (found, answer["error"]["code"]) == (status, code), (body, answer)
            assert message in answer["error"]["message"], (body, answer)
        assert at.call.twilio.asked == []
        ada = await at.supervisor()
        await ada.steer("say", text="<b>", order="o1")
        await ada.steer("transfer", to="+19005550199", order="o2")
        await ada.outcome("o2")
        told = [(each["action"], each["state"], each["by"]) for each in ada.events if each["type"] == "steered"]
        refused = [body["action"] for body, status, _, _ in REFUSED if status == 409]
        assert told == [(action, "refused", "ada") for action in [*refused, "transfer"]]


async def test_only_who_has_the_right_steers_and_only_their_calls(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        for_others = await at.supervisor("archive", "audio", "erase", "audit")
        refused = await for_others.steer("hang-up", order="o1")
        assert (refused["code"], refused["order"], refused["callSid"]) == ("not-allowed", "o1", at.call.sid)
        status, answer = await at.post({"action": "hang-up"}, "erase")
        assert (status, answer["error"]["message"]) == (403, "the token lacks the right 'steer'")
        other = mint(SECRET, ["CA0"], 60, rights=["steer"])
        status, answer = await at.post({"action": "hang-up"}, Authorization=f"Bearer {other}")
        assert (status, answer["error"]["code"]) == (404, "not-found")
        assert at.call.status == "in-progress"
        assert at.call.twilio.asked == []


async def test_what_was_steered_is_in_the_audit_log(tmp_path: Path) -> None:
    async with steered_desk(tmp_path) as at:
        await at.post({"action": "transfer", "to": "+19005550199", "order": "o1"})
        async with at.line.home.session.get(
            at.line.home.url("/audit?action=steer"), headers={"Authorization": f"Bearer {token('audit')}"}
        ) as answer:
            (row,) = (await answer.json())["rows"]
        assert (row["subject"], row["action"], row["callSid"], row["detail"]) == ("ada", "steer", at.call.sid, "transfer")


async def test_numbers_are_masked_where_readers_are_told_and_said_in_full(tmp_path: Path) -> None:
    async with steered_desk(tmp_path, redact_kinds="digits") as at:
        ada = await at.supervisor()
        await ada.steer("say", text="Your number is 4 1 1 1 2 2 3 3.", order="o1")
        await ada.steer("transfer", to="+4930123456789", order="o2")
        refused = await ada.outcome("o2")
        (asked,) = [each for each in ada.events if each["type"] == "steered" and each["order"] == "o1"]
        assert (asked["text"], refused["to"]) == ("Your number is [number].", "+[number]")
        await at.listen(lambda: any("4 1 1 1 2 2 3 3" in each for each in at.line.talk.instructions))


async def test_a_hub_without_a_secret_lets_nobody_steer() -> None:
    async with house() as home:
        await home.call()
        async with home.session.post(home.url(f"/calls/{CALL}/steer"), json={"action": "hang-up"}) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["message"] == "without HUB_SECRET, nobody has the right 'steer' here"
        socket = await home.open("/client")
        await socket.receive()
        await socket.send_json({"action": "hang-up", "callSid": CALL})
        refused = await socket.receive_json()
        assert (refused["code"], refused["message"]) == ("not-allowed", "without HUB_SECRET, nobody steers calls on this hub")


async def test_what_people_say_to_each_other_is_not_steered() -> None:
    async with house(secret=SECRET) as home:
        twilio = await home.call()
        while home.state.registry.find(CALL) is None:
            await asyncio.sleep(0.002)
        async with home.session.post(
            home.url(f"/calls/{CALL}/steer"), json={"action": "hang-up"}, headers={"Authorization": f"Bearer {token()}"}
        ) as answer:
            assert answer.status == 409
            assert (await answer.json())["error"]["code"] == "no-agent"
        await twilio.close()
