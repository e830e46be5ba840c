"""`transcript-client search` as a process: what a person and a pipe get to read, and with which exit code."""

import asyncio
import json
import sys
from datetime import UTC, datetime

import pytest

from clients.__main__ import main
from hub import tokens
from tests.clients.commands.test_tail import at, client, outcome
from tests.house import House, house
from tests.publishing import ScriptedCall

CALLS = ["CA" + str(at) * 32 for at in range(5)]


def calls(home: House) -> None:
    """Five calls at ten in the morning of five days, all but the newest ended."""
    for day, sid in enumerate(CALLS, 21):
        moment = datetime(2026, 11, day, 10, tzinfo=UTC).timestamp()
        home.state.registry.wall = lambda moment=moment: moment
        call = ScriptedCall(home.state, sid, agent="sales" if day == 22 else None)
        call.final("😀 I want a REFUND, please", start=7.0)
        call.final("nothing else", start=9.5)
        if day == 23:
            call.gap(10.0, 15.0)
        if day < 25:
            call.end()


async def searched(home: House, *arguments: str, **environment: str) -> tuple[int | None, list[str], str]:
    return await outcome(await client("search", *arguments, *at(home), **{"TZ": "UTC"} | environment))


async def test_a_pipe_gets_the_calls_newest_first_with_what_was_said() -> None:
    async with house() as home:
        calls(home)
        code, lines, err = await searched(home, "refund", "--limit", "3")
    assert code == 0
    assert lines == [
        f"2026-11-25 10:00:00  +14155550123 → +14155550100  live  {CALLS[4]}",
        "    00:07.0  caller: 😀 I want a REFUND, please",
        f"2026-11-24 10:00:00  +14155550123 → +14155550100  00:01.0  {CALLS[3]}",
        "    00:07.0  caller: 😀 I want a REFUND, please",
        f"2026-11-23 10:00:00  +14155550123 → +14155550100  00:01.0, incomplete: 5.0 s not transcribed  {CALLS[2]}",
        "    00:07.0  caller: 😀 I want a REFUND, please",
    ]
    assert f"transcript-client tail {CALLS[4]} --url {at(home)[1]}\n" in err
    assert f"http://127.0.0.1:{home.port}/#{CALLS[4]}/t=7\n" in err
    assert f"http://127.0.0.1:{home.port}/calls/{CALLS[4]}/transcript.txt" in err
    assert "--limit 30" in err


async def test_options_say_which_calls() -> None:
    async with house() as home:
        calls(home)
        for arguments, found in (
            ((), CALLS[::-1]),
            (("--from", "2026-11-24"), [CALLS[4], CALLS[3]]),
            (("--to", "2026-11-22T10:00"), [CALLS[0]]),
            (("--agent", "sales", "want"), [CALLS[1]]),
            (("--state", "incomplete"), [CALLS[2]]),
            (("--state", "live", "--number", "+1 (415) 555-0123"), [CALLS[4]]),
            (("want a refund", "nothing"), CALLS[::-1]),
            (("a want",), []),
        ):
            code, lines, _ = await searched(home, *arguments, "--json")
            assert (code, [json.loads(line)["callSid"] for line in lines]) == (0, found), arguments


async def test_moments_are_of_this_machines_time_zone() -> None:
    async with house() as home:
        calls(home)
        _, lines, _ = await searched(home, "--from", "2026-11-24T19:00", "--to", "2026-11-24T19:00:01", TZ="Asia/Tokyo")
    assert [line.partition("  ")[0] for line in lines] == ["2026-11-24 19:00:00"]


async def test_all_pages_are_read_as_far_as_asked_for() -> None:
    async with house() as home:
        for number in range(230):
            ScriptedCall(home.state, f"CA{number}").final("a refund")
        for limit, count in (("5", 5), ("150", 150), ("1000", 230)):
            _, lines, _ = await searched(home, "refund", "--json", "--limit", limit)
            assert [json.loads(line)["callSid"] for line in lines] == [f"CA{number}" for number in range(229, 229 - count, -1)]


async def test_nothing_found_is_said() -> None:
    async with house() as home:
        calls(home)
        assert await searched(home, "absent", "words") == (0, [], "no call is found with 'absent words'\n")
        assert await searched(home, "--agent", "nobody") == (0, [], "no call is found\n")


async def test_what_was_found_is_marked_in_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    async with house() as home:
        calls(home)
        assert await asyncio.to_thread(main, ["search", "refund", "--limit", "1", *at(home)]) == 0
    assert "\x1b[1;7mREFUND\x1b[0m" in capsys.readouterr().out


async def test_what_others_chose_acts_on_no_terminal() -> None:
    async with house() as home:
        ScriptedCall(home.state, "CA1", from_="\x1b[31m+1").final("refund \x1b[2J\u202e now")
        _, lines, _ = await searched(home, "refund")
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert "refund" in lines[1]


async def test_a_token_shows_its_calls_only_and_what_cannot_be_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    async with house(secret="s" * 32) as home:
        calls(home)
        token = tokens.mint("s" * 32, [CALLS[1]], 60)
        _, lines, _ = await searched(home, "refund", "--json", HUB_TOKEN=token)
        assert [json.loads(line)["callSid"] for line in lines] == [CALLS[1]]
        for arguments, says in (
            (at(home), "this hub wants a token"),
            ((*at(home), "--token", "a.b.c"), "the token is not one of this hub's"),
            ((*at(home), "--token", token, *"abcdefghijklm"), "a search has at most 200 characters and 12 words"),
            ((*at(home), "--token", token, "--number", "anonymous"), "number must be a phone number with its country code, such as "),
            ((*at(home), "--token", "é"), "this is not a token: it contains characters that no token contains"),
            (("--url", "ws://127.0.0.1:1"), "no hub answers at http://127.0.0.1:1/calls: Connection refused"),
            (
                ("--url", f"http://127.0.0.1:{home.port}/nosuch"),
                "/nosuch/calls is not a hub's list of calls: there is nothing at this address; /openapi.json lists what there is",
            ),
        ):
            assert await asyncio.to_thread(main, ["search", *arguments]) == 1
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith("transcript-client: ")
            assert says in err


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--limit", "x"], ["--from", "yesterday"], ["--state", "whole"]])
def test_an_option_that_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", *arguments])
    assert arguments[1] in capsys.readouterr().err


async def test_a_reader_that_goes_away_is_no_error() -> None:
    async with house() as home:
        for number in range(300):
            ScriptedCall(home.state, f"CA{number}").final("x" * 200)
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m clients search --limit 300 --json --url ws://127.0.0.1:{home.port}/client | head -2",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        code, lines, err = await outcome(process)
    assert (code, len(lines), err) == (0, 2, "")
