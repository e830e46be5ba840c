"""What is missing in a call's record is said in the same words by the list, by `tail`, by `board`, and in each file. The page has tests of
its own."""

import asyncio

import pytest

from tests.clients.commands.test_tail import at, client, outcome
from tests.house import house
from tests.publishing import ScriptedCall
from tests.troubled import FOUND, trouble


@pytest.mark.parametrize("ended", [False, True])
async def test_whoever_is_asked_what_is_wrong_with_a_call_says_the_same(*, ended: bool) -> None:
    async with house() as home:
        calls = [ScriptedCall(home.state, f"CA{number:032d}") for number in range(len(FOUND))]
        board = await client("board", *at(home))
        while not all(call.record.topic.audience.followings for call in calls):
            await asyncio.sleep(0.01)
        trouble(calls)
        if ended:
            for call in calls:
                call.end()
        listed = {call["callSid"]: call["completeness"]["summary"] for call in (await home.json("/calls"))["calls"]}
        for call, summary in zip(calls, FOUND, strict=True):
            assert listed[call.call] == (await home.json(f"/calls/{call.call}"))["completeness"]["summary"] == summary
            for kind in ("txt", "srt", "vtt", "json"):
                async with home.session.get(home.url(f"/calls/{call.call}/transcript.{kind}")) as answer:
                    assert summary in await answer.text(), kind
        tails = [await client("tail", call.call, *at(home)) for call in calls]
        said = "call ended: completed, 00:01.0; {}" if ended else "the record so far: {}"
        for process, summary in zip(tails, FOUND, strict=True):
            if ended:
                _, lines, _ = await outcome(process)
                assert lines[-1] == f"— {said.format(summary)}"
                continue
            assert process.stdout is not None
            while (line := (await process.stdout.readline()).decode().rstrip()) != f"— {said.format(summary)}":
                assert line, "it ended"
            process.terminate()
            await process.communicate()
        wanted = {f"{call.call} +14155550123 → +14155550100 | {said.format(summary)}" for call, summary in zip(calls, FOUND, strict=True)}
        assert board.stdout is not None
        while wanted:
            line = (await board.stdout.readline()).decode().rstrip()
            assert line, f"not told: {wanted}"
            wanted.discard(line.partition(" ")[2])
        board.terminate()
        await board.communicate()
