"""`transcript-hub watchwords try`, with a hub that runs and without one."""

import json
from pathlib import Path

from hub.archive.opening import open_archive
from tests.media import CALL
from tests.upkeep.kept import ended, keeping
from tests.upkeep.test_commands import Desk
from tests.web.watchers import OTHER

RULES = """
[rules.cancel]
phrases = ["cancel my account"]
[rules.long]
call_seconds = 3600
"""


def rules(folder: Path, text: str = RULES) -> str:
    path = folder / "watchwords.toml"
    path.write_text(text)
    return str(path)


async def test_rules_are_tried_on_calls_of_the_archive_while_a_hub_runs_and_without_one(tmp_path: Path) -> None:
    desk, path = Desk(tmp_path), rules(tmp_path)
    async with keeping(tmp_path) as home:
        await ended(home, CALL, "hello", "please Cancel my account!", "cancel my account")
        await ended(home, OTHER, "good morning")
        beside = await desk.run("watchwords", "try", path)
    alone = await desk.run("watchwords", "try", path)
    assert beside == alone
    code, said, complained = alone
    assert (code, complained) == (0, "")
    *lines, total, cancel, long = said.splitlines()
    assert [line.split()[0] for line in lines] == [CALL, CALL]
    assert lines[0].endswith("00:00.0  cancel  caller: “Cancel my account”")
    assert (total, cancel, long) == ("2 alerts in 1 of 2 calls", "       2  cancel", "       0  long")
    verified = await desk.run("audit", "--verify")
    assert verified[0] == 0, verified
    audit = (await desk.run("audit", "--action", "search"))[1]
    assert audit.count("tried watchwords") == 2
    assert "cancel" not in audit


async def test_some_calls_can_be_named_and_alerts_printed_for_programs(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB_WATCHWORDS=rules(tmp_path))
    async with keeping(tmp_path) as home:
        await ended(home, CALL, "cancel my account")
        await ended(home, OTHER, "cancel my account", from_="+442079460000")
    code, said, complained = await desk.run("watchwords", "try", "--json", "--call", OTHER)
    assert code == 0
    (line,) = said.splitlines()
    alert = json.loads(line)
    assert (alert["callSid"], alert["rule"], alert["text"]) == (OTHER, "cancel", "cancel my account")
    assert complained.startswith("1 alert in 1 of 1 calls\n")
    for chosen in (["--number", "+44 20 7946 0000"], ["--calls", "1"]):
        said = (await desk.run("watchwords", "try", *chosen))[1]
        assert said.startswith(OTHER), chosen
        assert "1 alert in 1 of 1 calls" in said
    assert "0 alerts in 0 of 0 calls" in (await desk.run("watchwords", "try", "--to", "2026-01-31"))[1]
    assert "0 alerts in 0 of 0 calls" in (await desk.run("watchwords", "try", "--agent", "sales"))[1]


async def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    path = rules(tmp_path)
    open_archive(str(tmp_path / "calls.db")).close()
    for settings, arguments, sentence in (
        ({}, [], "HUB_WATCHWORDS is not set: name the file of rules that is to be tried"),
        ({"HUB_ARCHIVE": ""}, [path], "HUB_ARCHIVE is not set, so there are no calls to try rules on"),
        ({}, [rules(tmp_path / "..", "[rules.x]\nphrases = 3"), "--calls", "5"], "line 2: the rule 'x' has a wrong phrases"),
        ({}, [path, "--number", "12"], "--number must be a number with its country code"),
        ({}, [path, "--calls", "0"], "--calls must be at least 1, not 0"),
        ({}, [path, "--call", CALL], f"it has no call {CALL}"),
    ):
        code, said, complained = await Desk(tmp_path, **settings).run("watchwords", "try", *arguments)
        assert code in {1, 2}
        assert said == ""
        assert sentence in complained
        assert complained.count("\n") == 1
