"""The tools of an assistant, used by the SDK's own client."""

import asyncio
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from clients.assistant.server import DESCRIBED
from hub.web.doors.operations import ListedCall
from tests.clients.assistant.desk import beside, refused, said, started, use, waiting
from tests.house import House, house
from tests.media import CALL
from tests.publishing import TO, ScriptedCall
from tests.upkeep.kept import ended, keeping
from tests.web.watchers import OTHER, SECRET, token


async def followed(home: House, count: int) -> None:
    """Wait until so many subscribers follow calls."""
    while home.state.counters.subscribers != count:
        await asyncio.sleep(0.01)


async def test_an_assistant_that_starts_the_command_finds_four_tools_that_only_read() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state).final("a refund for my order")
        ScriptedCall(home.state, OTHER)
        async with started(home, HUB_TOKEN=token(CALL)) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == ["list_calls", "search_calls", "read_call", "follow_call"]
            assert all(tool.annotations is not None and tool.annotations.read_only_hint and tool.description for tool in tools)
            assert "never instructions" in (client.instructions or "")
            assert [call["call_sid"] for call in (await use(client, "list_calls"))["calls"]] == [CALL]
            part = await use(client, "read_call", call_sid=CALL)
            assert said(part) == ["a refund for my order"]
            asked = {"call_sid": CALL, "after": part["position"], "wait_seconds": 300}
            following = asyncio.ensure_future(client.call_tool("follow_call", asked))
            await followed(home, 1)
        await followed(home, 0)  # it has gone, with what it was waiting for
        following.cancel()


async def test_calls_are_listed_and_found_a_page_at_a_time_with_their_positions() -> None:
    async with house() as home:
        for number in range(3):
            call = ScriptedCall(home.state, f"CA{number}", to=TO if number else "+49301234567")
            call.final("a refund for my order" if number != 1 else "good morning")
        call.end()
        async with beside(home) as client:
            first = await use(client, "list_calls", limit=2)
            assert [call["call_sid"] for call in first["calls"]] == ["CA2", "CA1"]
            second = await use(client, "list_calls", limit=2, page=first["next"])
            assert ([call["call_sid"] for call in second["calls"]], second["next"]) == (["CA0"], None)
            assert [each["call_sid"] for each in (await use(client, "list_calls", state="live", number=TO))["calls"]] == ["CA1"]
            (found, _) = (await use(client, "search_calls", words="refund"))["calls"]
            assert (found["call_sid"], found["found"][0]["text"]) == ("CA2", "a refund for my order")
            assert found["position"] == f"{call.record.topic.log.epoch}:{call.offset}"
            assert said(await use(client, "read_call", call_sid="CA2", after=found["position"])) == []
            named = set(ListedCall.__struct_encode_fields__) - {"callSid", "epoch", "offset", "hits", "found"} | {"call_sid", "position"}
            assert set(first["calls"][0]) == named


async def test_a_call_is_read_a_part_at_a_time_and_each_line_comes_once() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        for number in range(25):
            call.final(f"words {number}")
        call.lost()
        async with beside(home) as client:
            parts = [await use(client, "read_call", call_sid=CALL, limit=10)]
            while parts[-1]["more"]:
                parts.append(await use(client, "read_call", call_sid=CALL, limit=10, after=parts[-1]["position"]))
        assert [len(part["lines"]) for part in parts] == [10, 10, 7]
        assert [line["offset"] for part in parts for line in part["lines"]] == list(range(1, call.offset + 1))
        assert [text for part in parts for text in said(part)] == [f"words {number}" for number in range(25)]
        assert all(part["whole"] and part["live"] for part in parts)
        assert parts[0]["lines"][1] == {"offset": 2, "kind": "final", "text": "words 0", "time": "00:00.0", "speaker": "caller"}
        assert parts[-1]["lines"][-1]["kind"] == "transcriber-lost"


async def test_what_comes_is_what_the_tools_say_of_it() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("a refund for my order")
        async with beside(home) as client:
            schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
            for tool, arguments in (
                ("list_calls", {}), ("search_calls", {"words": "refund"}), ("read_call", {"call_sid": CALL}),
            ):  # fmt: skip
                schema = schemas[tool]
                assert schema is not None
                answer = await use(client, tool, **arguments)
                Draft202012Validator(schema).validate(answer)
                for call in answer.get("calls", ()):
                    assert set(DESCRIBED) - set(call) <= {"found"}
        assert set(DESCRIBED) <= set(call)


async def test_a_part_is_no_longer_than_an_assistant_can_hold() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        for _ in range(20):
            call.final("word " * 1000)
        async with beside(home) as client:
            first = await use(client, "read_call", call_sid=CALL, limit=1000)
            assert (len(said(first)), first["more"]) == (12, True)
            rest = await use(client, "read_call", call_sid=CALL, limit=1000, after=first["position"])
            assert (len(said(rest)), rest["more"]) == (8, False)


async def test_what_is_said_next_is_waited_for_and_what_comes_with_it_comes_along() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        async with beside(home) as client:
            read = await use(client, "read_call", call_sid=CALL)
            waiting = asyncio.ensure_future(use(client, "follow_call", call_sid=CALL, after=read["position"], wait_seconds=100))
            await followed(home, 1)
            call.interim("not")
            call.final("not a")
            call.final("not a moment later")
            part = await waiting
            assert said(part) == ["not a", "not a moment later"]
            nothing = await use(client, "follow_call", call_sid=CALL, after=part["position"], wait_seconds=0.2)
            assert (nothing["lines"], nothing["position"], nothing["live"]) == ([], part["position"], True)
            await followed(home, 0)


async def test_who_follows_a_call_to_its_end_does_not_wait_for_more() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        async with beside(home) as client:
            read = await use(client, "read_call", call_sid=CALL)
            waiting = asyncio.ensure_future(use(client, "follow_call", call_sid=CALL, after=read["position"], wait_seconds=100))
            await followed(home, 1)
            call.end()
            part = await waiting
            assert (part["live"], [line["kind"] for line in part["lines"]]) == (False, ["call-ended"])
            again = await use(client, "follow_call", call_sid=CALL, after=part["position"], wait_seconds=100)
            assert (again["live"], again["lines"], again["position"]) == (False, [], part["position"])


async def test_a_position_that_the_hub_does_not_have_any_more_is_not_whole() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("words")
        async with beside(home) as client:
            part = await use(client, "read_call", call_sid=CALL, after="0123456789ab:7")
        assert (part["whole"], said(part)) == (False, ["words"])


async def test_calls_of_the_archive_are_read_with_the_right_to_it(tmp_path: Path) -> None:
    async with keeping(tmp_path, secret="", keep_minutes=0.0) as home:
        await ended(home, CALL, "long ago")
        home.state.registry.expire()
        async with beside(home) as client:
            assert said(await use(client, "follow_call", call_sid=CALL, wait_seconds=100)) == ["long ago"]


async def test_who_stops_waiting_leaves_no_connection() -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with beside(home) as client:
            read = await use(client, "read_call", call_sid=CALL)
            asked = {"call_sid": CALL, "after": read["position"], "wait_seconds": 100}
            waiting = asyncio.ensure_future(client.call_tool("follow_call", asked))
            await followed(home, 1)
            waiting.cancel()
            await followed(home, 0)


async def test_an_assistant_that_is_killed_while_it_waits_leaves_no_process_and_no_traceback() -> None:
    async with house() as home:
        call = ScriptedCall(home.state)
        async with waiting(home, CALL, f"{call.record.topic.log.epoch}:{call.offset}") as process:
            await followed(home, 1)
        call.final("nobody reads it")
        assert process.stderr is not None
        said = await process.stderr.read()
        assert (await process.wait(), said) == (0, b"")
        await followed(home, 0)


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("read_call", {"call_sid": "CA0"}, "no such call"),
        ("read_call", {"call_sid": "../calls"}, "call_sid"),
        ("read_call", {"call_sid": CALL, "after": "yesterday"}, "`after` must be the `position`"),
        ("follow_call", {"call_sid": CALL, "wait_seconds": 1e9}, "wait_seconds"),
        ("list_calls", {"begun_from": "yesterday"}, "from must be a date"),
        ("list_calls", {"state": "lost"}, "Input should be 'live', 'attention'"),
        ("search_calls", {"words": "x" * 300}, "200 characters"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_sentence(tool: str, arguments: dict[str, str], words: str) -> None:
    async with house() as home:
        ScriptedCall(home.state)
        async with beside(home) as client:
            assert words in await refused(client, tool, **arguments)


async def test_without_a_hub_or_a_token_each_tool_says_so() -> None:
    async with house(secret=SECRET) as home:
        ScriptedCall(home.state)
        async with beside(home, "wrong") as client:
            for tool, arguments in (("list_calls", {}), ("follow_call", {"call_sid": CALL})):
                assert "token" in await refused(client, tool, **arguments)
    async with beside(home) as client:
        assert "no hub answers" in await refused(client, "read_call", call_sid=CALL)


async def test_words_that_would_act_on_a_terminal_or_a_line_are_one_line() -> None:
    async with house() as home:
        ScriptedCall(home.state).final("one\ntwo \x1b[31mred\u202e")
        async with beside(home) as client:
            (text,) = said(await use(client, "read_call", call_sid=CALL))
        assert text == "one two [31mred"
        assert text.isprintable()
