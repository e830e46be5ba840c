"""Every command of the pages, run in a shell as it stands there, against a hub of the test.

What is put in place of a page's words: the address of the hub that the test runs, and a callSid for `CA…`.
"""

import asyncio
import re
import shlex
import shutil
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
import pytest
import soundfile
from mcp import Client, StdioServerParameters, stdio_client

from hub import tokens
from hub.archive.copies import back_up
from hub.config import Config
from tests.agents.lines import lines
from tests.delivery.program import Program, serving
from tests.docs.pages import TOP, blocks, codes, text
from tests.docs.shell import Shell, here, until_printed
from tests.house import house
from tests.media import CALL, media
from tests.providers.fake_deepgram import FakeDeepgram
from tests.publishing import FROM, TO, ScriptedCall
from tests.recordings.shelf import in_directory
from tests.test_serve import environment
from tests.upkeep.kept import ended, keeping
from tests.upkeep.test_webhooks import give_up, written

pytestmark = pytest.mark.one_python

SECRET = "a secret of at least thirty-two bytes"
AUTH_TOKEN = "an auth token of a test"
PUBLIC = "https://hub.example.com"

COMMANDS = [pytest.param(line, id=f"{block}: {line[:60]}") for block in blocks("sh") for line in block.commands]


async def websocat(line: str, shell: Shell) -> None:
    async with house(**({"secret": SECRET} if "TOKEN" in line else {})) as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        process = await shell.start(here(line, home, ""))
        listed = f'["{CALL}"]'
        if "CA…" in line:
            await until_printed(process, listed, '"call-started"', '"text":"good morning"')
        elif '"number"' in line:
            assert TO in line, "the example's number is the one that this test calls"
            await until_printed(process, listed, '"watching"', '"subscribed"', '"text":"good morning"')
        elif '"calls"' in line:
            said = await until_printed(process, listed, '"type":"calls"')
            assert CALL in said.splitlines()[1]
        else:
            await until_printed(process, listed)


async def recorded(line: str, shell: Shell) -> None:
    """Run a command about the sound of a call that lives."""
    async with house(archive=str(shell.folder / "calls.db"), **in_directory(shell.folder)) as home:
        socket = await home.call()
        for at_ms in range(0, 1000, 20):
            for track in ("inbound", "outbound"):
                await socket.send_str(media(track, at_ms))
        while (await home.session.get(home.url(f"/calls/{CALL}/recording"))).status != 200:
            await asyncio.sleep(0.01)
        if "/resume" in line:
            await home.session.post(home.url(f"/calls/{CALL}/recording/pause"))
        await shell.run(here(line, home, "") + " -sSf" + ("" if "-O" in line or "POST" in line else " -o part"))
        if "-O" in line:
            assert (shell.folder / "recording").read_bytes().startswith(b"RIFF")
        elif "Range" in line:
            assert (shell.folder / "part").read_bytes().startswith(b"RIFF")


async def curl(line: str, shell: Shell) -> None:
    if "/recording" in line:
        await recorded(line, shell)
        return
    if "/events" in line:
        await streamed(line, shell)
        return
    async with house(**({"secret": SECRET} if "TOKEN" in line else {})) as home:
        ScriptedCall(home.state).final("a refund for my order")
        said = await shell.run(here(line, home, "") + " -sSf")
    match line.rsplit(".")[-1]:
        case "vtt":
            assert said.startswith("WEBVTT\n\nNOTE\nCall CA")
        case "txt":
            assert said.endswith("[00:00.0] caller: a refund for my order\n")
        case _:
            assert CALL in said


async def streamed(line: str, shell: Shell) -> None:
    async with house(**({"secret": SECRET} if "TOKEN" in line else {})) as home:
        call = ScriptedCall(home.state)
        call.final("a refund for my order")
        line = here(line, home, "").replace("3339322b3c12:2", f"{call.record.topic.log.epoch}:1")
        await until_printed(await shell.start(line + " -sSf"), "id: ", '"text":"a refund for my order"')


async def token(line: str, shell: Shell) -> None:
    line = line.replace("CA0123…", CALL)
    grant = tokens.verify(SECRET, (await shell.run(line)).strip())
    assert grant.calls == {part for part in shlex.split(line)[2:] if part.startswith(("+", "CA", "*"))}
    assert bool(grant.rights) == ("--may" in line)


async def keep(line: str, shell: Shell) -> None:
    """Run a command about what is kept beside a hub that keeps a call."""
    async with keeping(shell.folder, secret=SECRET) as home:
        await ended(home, CALL, from_=FROM, to=TO)
        shell.variables |= {"HUB_ARCHIVE": str(shell.folder / "calls.db"), "HUB_PORT": str(home.port), "HUB_PUBLIC_URL": ""}
        if "backup" in line:
            assert "checked" in await shell.run(line)
            return
        said = await shell.run(line.replace("CA0123…", CALL) + (" --yes" if "erase" in line and "--yes" not in line else ""))
        match line.split()[1]:
            case "erase":
                assert said == f"erased {CALL}\n"
            case "hold":
                assert CALL in said
            case _:
                assert "newest digest" in said or "--verify" not in line


async def restore(line: str, shell: Shell) -> None:
    """Run the line after a hub has stopped."""
    archive = shell.folder / "calls.db"
    shell.variables |= {"HUB_ARCHIVE": str(archive)}
    async with keeping(shell.folder, secret=SECRET) as home:
        await ended(home, CALL)
    back_up(archive, shell.folder / line.split()[2])
    assert "calls.db.replaced-1" in await shell.run(line)


async def twiml(line: str, shell: Shell) -> None:
    assert f'<Stream track="both_tracks" url="wss://{PUBLIC.removeprefix("https://")}/twilio">' in await shell.run(line)


async def check(line: str, shell: Shell) -> None:
    async with FakeDeepgram() as deepgram:
        shell.variables |= {"HUB_PORT": "0", "HUB_PUBLIC_URL": "", "DEEPGRAM_API_KEY": "key-of-a-test", "DEEPGRAM_URL": deepgram.url}
        said = await shell.run(line)
    assert [line.split()[1] for line in said.splitlines()] == [
        "settings",
        "readers",
        "port",
        "public",
        "websocket",
        "signature",
        "twiml",
        "deepgram",
    ]


async def serve(line: str, shell: Shell) -> None:
    from tests.bench.load import free_port

    port = free_port()
    shell.variables |= {"HUB_PORT": str(port), "HUB_PUBLIC_URL": "", "DEEPGRAM_API_KEY": "k"}
    process = await shell.start(line)
    assert process.stderr is not None
    while b"listening on" not in (said := await process.stderr.readline()):
        assert said, "the hub ended before it listened"
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/docs") as answer:
        assert answer.status == 200
        assert "Transcript Hub" in await answer.text()
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def tail(line: str, shell: Shell) -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        publisher.final("good morning")
        process = await shell.start(here(line, home))
        while not publisher.record.topic.audience.followings:
            await asyncio.sleep(0.01)
        publisher.end()
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0
    assert "good morning" in said
    assert all(msgspec.json.decode(each)["callSid"] == CALL for each in said.splitlines()) if "--json" in line else "caller: " in said


async def board(line: str, shell: Shell) -> None:
    async with house() as home:
        publisher = ScriptedCall(home.state)
        process = await shell.start(here(line, home))
        while not home.state.counters.subscribers:
            await asyncio.sleep(0.01)
        publisher.lost()
        assert FROM in await until_printed(process, CALL, "scripted")


async def search(line: str, shell: Shell) -> None:
    async with house() as home:
        ScriptedCall(home.state, agent="sales").final("a refund for the order")
        found = await shell.run(here(line, home))
    if "--json" in line:
        assert msgspec.json.decode(found)["callSid"] == CALL
    else:
        assert "caller: a refund" in found or FROM in found


async def watchwords(line: str, shell: Shell) -> None:
    async with keeping(shell.folder) as home:
        await ended(home, CALL, "please cancel my account")
        (shell.folder / "watchwords.toml").write_text('[rules.cancel]\nphrases = ["cancel my account"]\n')
        shell.variables |= {"HUB_ARCHIVE": str(shell.folder / "calls.db")}
        assert "1 alert in 1 of 1 calls" in await shell.run(re.sub(r"\d{4}-\d\d-\d\d", "2000-01-01", line))


async def webhooks(line: str, shell: Shell) -> None:
    """Run a command beside an archive that has a dead letter of a call."""
    async with serving(Program()) as program:
        give_up(shell.folder / "calls.db", program, CALL)
        shell.variables |= {"HUB_ARCHIVE": "calls.db", "HUB_WEBHOOKS": str(written(shell.folder, program))}
        process = await shell.start(line.replace("CA0123…", CALL))
        said, complained = await process.communicate()
        assert process.returncode == int(line.endswith("list")), complained.decode()
        assert ("crm" if "--all" in line or " test " in line else "2 dead letters") in said.decode()


async def mcp(line: str, shell: Shell) -> None:
    name, *arguments = shlex.split(line)
    async with house() as home:
        ScriptedCall(home.state)
        command = StdioServerParameters(command=str(shell.folder / "bin" / name), args=shlex.split(here(shlex.join(arguments), home)))
        command.env = environment(PYTHONPATH=str(TOP))
        async with Client(stdio_client(command)) as client:
            assert CALL in str((await client.call_tool("list_calls", {})).structured_content)


async def call(line: str, shell: Shell) -> None:
    signed = {"twilio_token": AUTH_TOKEN, "public_url": PUBLIC} if "--sign" in line else {}
    async with house(**signed) as home:
        await shell.run(here(line, home, "twilio") + ("" if "--speed" in line else " --speed max"))
        assert home.state.counters.calls == 1
        (record,) = home.state.registry
        if "--from" in line:
            assert record.numbers == (FROM, TO)


async def mic(line: str, shell: Shell) -> None:
    if "--devices" in line:
        assert "microphone" in (await shell.run(line)).lower()
        return
    signed = {"twilio_token": AUTH_TOKEN, "public_url": PUBLIC} if "--sign" in line else {}
    async with house(**signed) as home:
        await shell.run(here(line, home, "twilio") + " --hang-up-after 300ms")
        assert home.state.counters.calls == 1
    if "--save" in line:
        assert (shell.folder / "said.wav").stat().st_size > 300 * 16


async def agent(line: str, shell: Shell) -> None:
    signed = {"twilio_token": AUTH_TOKEN, "public_url": PUBLIC} if "--sign" in line else {}
    async with lines(file="[agents.front-desk]\n", tmp_path=shell.folder, **signed) as hub:
        await shell.run(here(line, hub.home, "agent") + " --hang-up-after 1s")
        await hub.gone()
    assert soundfile.read(shell.folder / "heard.wav")[0].shape == (8000, 2)


async def make(line: str, shell: Shell) -> None:
    assert await shell.run(line.replace("make ", "make -n ", 1), TOP)


async def pip(line: str, shell: Shell) -> None:
    """Not run: it would change this environment. It names this package or this folder, and extras that there are."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    wanted = re.fullmatch(r"pip install '(\.|[\w-]+)\[([\w,]+)\]'", line)
    assert wanted is not None, line
    assert wanted[1] in {".", project["name"]}
    assert set(wanted[2].split(",")) <= set(project["optional-dependencies"])


async def python(line: str, shell: Shell) -> None:
    if " -m pytest" in line:
        assert re.search(r"\d+(/\d+)? tests? collected|\d+/\d+ tests collected", await shell.run(f"{line} --collect-only -q -n 0", TOP))
    else:
        assert len((await shell.run(line)).strip()) >= 32


KNOWN: dict[str, Callable[[str, Shell], Awaitable[None]]] = {
    "websocat": websocat,
    "echo": websocat,
    "curl": curl,
    "make": make,
    "pip": pip,
    "python": python,
    "python3": python,
    "transcript-hub token": token,
    **dict.fromkeys(("transcript-hub audit", "transcript-hub backup", "transcript-hub erase", "transcript-hub hold"), keep),
    "transcript-hub restore": restore,
    "transcript-hub webhooks": webhooks,
    "transcript-hub twiml": twiml,
    "transcript-hub watchwords": watchwords,
    "transcript-hub check": check,
    "transcript-hub serve": serve,
    "transcript-client tail": tail,
    "transcript-client board": board,
    "transcript-client search": search,
    "transcript-client mcp": mcp,
    "transcript-client call": call,
    "transcript-client call --agent": agent,
    "transcript-client mic": mic,
}
"""By how a command begins, what runs it and looks at what came of it. The longest that fits counts."""


@pytest.mark.timeout(60)  # some start several programs, on a machine that may be busy
@pytest.mark.parametrize("line", COMMANDS)
async def test_a_command_of_the_pages_does_what_the_page_says(line: str, tmp_path: Path) -> None:
    begins = [known for known in KNOWN if line == known or line.startswith(known + " ")]
    assert begins, f"no test knows how to run `{line}`"
    if begins == ["curl"] and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    soundfile.write(tmp_path / "recording.wav", np.zeros((4000, 2)), 8000)
    soundfile.write(tmp_path / "question.wav", np.zeros((4000, 2)), 8000)
    shell = Shell(
        tmp_path,
        TOKEN=tokens.mint(SECRET, ["*"], 60), HUB_SECRET=SECRET, HUB_PUBLIC_URL=PUBLIC,
        **({"TWILIO_AUTH_TOKEN": AUTH_TOKEN} if "--sign" in line else {}),
    )  # fmt: skip
    await KNOWN[max(begins, key=len)](line, shell)


def test_every_command_within_a_text_or_a_table_exists() -> None:
    """In backquotes: `make …`, `python -m …`, `transcript-hub …`, `transcript-client …`."""
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    hub_commands = {known.split()[1] for known in KNOWN if known.startswith("transcript-hub")} | {"asyncapi", "openapi"}
    client_commands = {known.split()[1] for known in KNOWN if known.startswith("transcript-client")} | {"demo", "steer"}
    seen = 0
    for page in dict.fromkeys(block.page for block in blocks()):
        for command in codes(re.sub(r"```.*?```", "", text(page), flags=re.DOTALL)):
            match command.removeprefix(".venv/bin/").split():
                case ["make", target, *_]:
                    assert target in targets, command
                case ["python", "-m", module, *options] if module != "pytest":
                    source = TOP / (module.replace(".", "/") + ".py")
                    assert source.is_file(), command
                    assert all(option in source.read_text() for option in options if option.startswith("--")), command
                case ["transcript-hub", name, *_]:
                    assert name in hub_commands, command
                case ["transcript-client", name, *_]:
                    assert name in client_commands, command
                case _:
                    continue
            seen += 1
    assert seen > 20


def test_a_command_that_no_test_knows_would_fail() -> None:
    assert not [known for known in KNOWN if "transcript-hub dance".startswith(known)]
    assert Config().port == 5000, "the pages name this port"
