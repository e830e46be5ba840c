"""What a token allows: only these calls are listed, replayed, published and exported, and nobody learns whether there are others."""

import json
import re

from aiohttp import WSMsgType

from tests.house import House, house
from tests.media import CALL
from tests.publishing import FROM, TO, ScriptedCall
from tests.web.watchers import ALL, OTHER, SECRET, THIRD, connect, token, until


async def test_a_narrower_token_ends_subscriptions_that_it_does_not_allow() -> None:
    async with house(secret=SECRET) as home:
        mine, other, numbered = (
            ScriptedCall(home.state),
            ScriptedCall(home.state, OTHER),
            ScriptedCall(home.state, THIRD, from_="+4930123456"),
        )
        socket = await connect(home, token())
        for request in ({"callSid": CALL}, {"callSid": OTHER}, {"number": "+4930123456"}, {"calls": "all"}):
            await socket.send_json({"action": "subscribe"} | request)
        await until(socket, "calls")
        await socket.send_str(token(CALL))
        assert (await until(socket, "unsubscribed"))["number"] == "+4930123456"
        assert (await until(socket, "unsubscribed"))["callSid"] == OTHER
        await until(socket, "authenticated")
        for publisher in (other, numbered, mine):
            publisher.final("after")
            publisher.lost()
            publisher.end()
        seen = [await socket.receive_json() for _ in range(3)]
        assert [(event["callSid"], event["type"]) for event in seen] == [
            (CALL, "final"), (CALL, "transcriber-lost"), (CALL, "call-ended"),
        ]  # fmt: skip


async def test_lists_replays_and_exports_show_only_what_a_token_allows() -> None:
    async with house(secret=SECRET) as home:
        mine, other = ScriptedCall(home.state), ScriptedCall(home.state, OTHER, "+4930123456", "+4930654321")
        third = ScriptedCall(home.state, THIRD, None, TO)
        for shown, allowed in (
            (token(CALL), {CALL}),
            (token(TO), {CALL, THIRD}),
            (token(TO, OTHER), {CALL, OTHER, THIRD}),
            (token("CA0"), set()),
        ):
            socket = await connect(home, shown)
            assert set(await socket.receive_json()) == allowed
            await socket.send_json(ALL)
            assert {call["callSid"] for call in (await until(socket, "calls"))["calls"]} == allowed
            for publisher in (mine, other, third):
                publisher.lost()
            assert {(await until(socket, "transcriber-lost"))["callSid"] for _ in allowed} == allowed
            await socket.send_json({"action": "ping"})
            assert (await socket.receive_json())["type"] == "pong", "and of no other call"
            await socket.close()
            headers = {"Authorization": f"Bearer {shown}"}
            async with home.session.get(home.url("/calls"), headers=headers) as answer:
                assert {call["callSid"] for call in (await answer.json())["calls"]} == allowed
            for call in (CALL, OTHER, THIRD):
                for path in ("", "/transcript.json", "/transcript.txt", "/transcript.srt", "/transcript.vtt"):
                    async with home.session.get(home.url(f"/calls/{call}{path}"), headers=headers) as answer:
                        assert answer.status == (200 if call in allowed else 404)


async def test_a_number_is_followed_only_with_a_token_for_all_its_calls() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        socket = await connect(home, token(CALL, FROM))
        await socket.send_json({"action": "subscribe", "number": TO})
        assert (await until(socket, "error"))["code"] == "not-allowed"
        await socket.send_json({"action": "subscribe", "number": FROM})
        assert (await until(socket, "watching"))["number"] == FROM
        assert (await until(socket, "subscribed"))["callSid"] == CALL
        ScriptedCall(home.state, OTHER, "+4930123456", TO)
        ScriptedCall(home.state, THIRD, TO, FROM)
        assert (await until(socket, "subscribed"))["callSid"] == THIRD
        await socket.send_json({"action": "unsubscribe", "number": FROM})
        await until(socket, "unsubscribed")
        await socket.send_json({"action": "unsubscribe", "callSid": THIRD})
        assert (await until(socket, "error"))["code"] == "not-subscribed", "its calls went with the number"


async def test_unknown_and_forbidden_are_answered_alike() -> None:
    def bare(text: str) -> str:
        return re.sub(r"CA[0-9]{32}", "CA…", re.sub(r'"at":"[^"]+"', "", text))

    async def answers(home: House, call: str) -> list[object]:
        found: list[object] = []
        shown = token("CA0")
        for message in (call, json.dumps({"action": "subscribe", "callSid": call}), json.dumps({"action": "unsubscribe", "callSid": call})):
            socket = await connect(home, shown)
            await socket.receive()
            await socket.send_str(message)
            await socket.send_json({"action": "ping"})
            while (heard := await socket.receive()).type is WSMsgType.TEXT and '"pong"' not in heard.data:
                found.append(bare(heard.data))
            found.append((heard.type, socket.close_code, heard.extra if heard.type is WSMsgType.CLOSE else None))
            await socket.close()
        for path in ("", "/transcript.json", "/transcript.txt", "/transcript.doc"):
            async with home.session.get(home.url(f"/calls/{call}{path}"), headers={"Authorization": f"Bearer {shown}"}) as answer:
                headers = {name: value for name, value in answer.headers.items() if name != "Date"}
                found.append((answer.status, headers, await answer.read()))
        return found

    async with house(secret=SECRET) as home:
        ScriptedCall(home.state).final("secret")
        ScriptedCall(home.state, OTHER).end()
        live, over, unknown = [await answers(home, call) for call in (CALL, OTHER, THIRD)]
    assert live == over == unknown
    assert len(unknown) == 10
