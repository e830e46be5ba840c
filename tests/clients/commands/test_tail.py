"""`transcript-client tail` as a process: what a person and a pipe get to read, and with which exit code."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from clients.__main__ import main
from hub import tokens
from tests.house import House, house
from tests.media import CALL
from tests.publishing import ScriptedCall
from tests.speaking_hub import UNSETTLED, SpeakingHub


async def client(command: str, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clients", command, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | {"COLUMNS": "200"} | environment,
    )  # fmt: skip


def at(home: House) -> tuple[str, str]:
    return "--url", f"ws://127.0.0.1:{home.port}/client"


async def outcome(process: asyncio.subprocess.Process) -> tuple[int | None, list[str], str]:
    out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode()


def a_call(home: House) -> ScriptedCall:
    publisher = ScriptedCall(home.state)
    publisher.interim("hel")
    publisher.final("hello")
    publisher.lost()
    publisher.final("")
    publisher.end()
    return publisher


async def test_a_pipe_gets_the_call_as_lines_of_text() -> None:
    async with house() as home:
        a_call(home)
        code, lines, err = await outcome(await client("tail", CALL, *at(home)))
    assert (code, err) == (0, "")
    assert lines == [
        f"— call {CALL}: +14155550123 → +14155550100, transcribed by scripted (test)",
        "00:00.0  caller: hello",
        "— scripted lost: for a test",
        "— call ended: completed, 00:01.0; complete",
    ]


PROXIES = {name: "http://127.0.0.1:1" for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "HTTP_PROXY", "HTTPS_PROXY")}


async def test_no_proxy_is_asked_for_a_hub_on_this_machine() -> None:
    async with house() as home:
        a_call(home)
        for host in ("127.0.0.1", "localhost"):
            code, lines, err = await outcome(await client("tail", CALL, "--url", f"http://{host}:{home.port}", **PROXIES))
            assert (code, err, len(lines)) == (0, "", 4)


async def test_a_proxy_that_needs_another_package_is_one_sentence() -> None:
    code, lines, err = await outcome(await client("tail", CALL, "--url", "hub.example.com", https_proxy="socks5://127.0.0.1:1"))
    assert (code, lines, len(err.splitlines())) == (1, [], 1)
    assert "cannot be reached through this machine's proxy: " in err


async def test_a_callsid_may_have_come_along_with_a_byte_order_mark() -> None:
    async with house() as home:
        a_call(home)
        code, lines, err = await outcome(await client("tail", f"\ufeff{CALL}\r", *at(home)))
    assert (code, err, len(lines)) == (0, "", 4)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["tail", "board"])
async def test_letters_that_a_pipe_cannot_carry_are_no_error(encoding: str, command: str) -> None:
    async with house() as home:
        said = ScriptedCall(home.state)
        said.final("שלום — “你好” ok")
        process = await client(command, *((CALL,) if command == "tail" else ()), *at(home), PYTHONIOENCODING=encoding)
        assert process.stdout is not None
        while b"ok" not in (line := await process.stdout.readline()):
            assert line
        process.terminate()
        _, err = await process.communicate()
    assert err == b""
    assert line.decode(encoding).rstrip().endswith("ok")
    if encoding == "ascii":
        assert rb"\u05e9\u05dc\u05d5\u05dd \u2014" in line


async def test_no_line_in_a_pipe_is_broken_and_joiners_stay() -> None:
    words = "می\u200cروم \U0001f469\u200d\U0001f4bb 10\u00a0km cafe\u0301 " * 10
    async with house() as home:
        said = ScriptedCall(home.state)
        said.final(words)
        said.end()
        code, lines, err = await outcome(await client("tail", CALL, *at(home), COLUMNS="80"))
    assert (code, err, lines[1]) == (0, "", f"00:00.0  caller: {words.strip()}")


async def test_json_is_every_event_as_the_hub_sends_it() -> None:
    async with house() as home:
        publisher = a_call(home)
        code, lines, err = await outcome(await client("tail", CALL, "--json", *at(home)))
    assert (code, err) == (0, "")
    events = [json.loads(line) for line in lines]
    assert [event["offset"] for event in events] == list(range(1, publisher.offset + 1))
    assert [event["type"] for event in events] == ["call-started", "final", "transcriber-lost", "final", "call-ended"]


async def test_without_a_callsid_it_waits_for_a_call() -> None:
    async with house(secret="s" * 32) as home:
        process = await client("tail", *at(home), HUB_TOKEN=tokens.mint("s" * 32, ["*"], 60))
        assert process.stderr is not None
        assert await process.stderr.readline() == "waiting for a call …\n".encode()
        while not home.state.registry._watchers:  # until then, a call that begins and ends at once would never be seen
            await asyncio.sleep(0.01)
        a_call(home)
        code, lines, _ = await outcome(process)
    assert (code, lines[1]) == (0, "00:00.0  caller: hello")


async def test_what_cannot_be_is_one_sentence_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    async with house(secret="s" * 32) as home:
        for arguments, says in (
            ((CALL, *at(home)), "this hub wants a token first"),
            ((CALL, *at(home), "--token", "a.b.c"), "the token is not one of this hub's"),
            ((CALL, *at(home), "--token", tokens.mint("s" * 32, ["*"], 60)), "no such call: it has not begun, or ended too long ago"),
            ((CALL, "--url", "ws://127.0.0.1:1/client"), "no hub answers at ws://127.0.0.1:1/client: Connection refused"),
        ):
            assert await asyncio.to_thread(main, ["tail", *arguments]) == 1
            assert capsys.readouterr() == ("", f"transcript-client: {says}\n")


async def test_a_reader_that_goes_away_is_no_error() -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        for _ in range(3000):
            publisher.final("x" * 100)
        publisher.end()
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m clients tail {CALL} --json --url ws://127.0.0.1:{home.port}/client | head -2",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        code, lines, err = await outcome(process)
    assert (code, len(lines), err) == (0, 2, "")


async def test_words_that_were_not_final_when_the_hub_was_killed_are_printed_and_marked(tmp_path: Path) -> None:
    hub = SpeakingHub(tmp_path)
    async with hub.running(), hub.speaking():
        process = await client("tail", CALL, "--url", f"ws://127.0.0.1:{hub.port}/client")
        assert process.stdout is not None
        assert b"transcribed by scripted" in await process.stdout.readline()
        assert await process.stdout.readline() == b"00:00.1  caller: hello\n"
    async with hub.running():
        code, lines, err = await outcome(process)
    assert (code, err) == (1, "transcript-client: no such call: it has not begun, or ended too long ago\n")
    assert lines == [f"00:01.0  caller: {UNSETTLED} … (not finished when the hub was restarted)"]


async def test_codes_in_a_name_do_not_reach_the_terminal() -> None:
    async with house() as home:
        ScriptedCall(home.state, from_="+1\x1b[2J\u202e", to=None).end()
        for command in (await client("tail", CALL, *at(home)),):
            _, lines, _ = await outcome(command)
        assert "\x1b" not in "".join(lines)
        assert "\u202e" not in "".join(lines)
