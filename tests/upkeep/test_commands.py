"""The commands about what is kept, as people type them: with a hub that runs, and without one."""

import asyncio
import io
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from clients.commands.demo import free_port
from hub.__main__ import main
from hub.archive.archive import Tombstone
from hub.archive.opening import open_archive
from tests.archive.made import change, seal_all, write_ended
from tests.house import House
from tests.media import CALL
from tests.publishing import TO, ScriptedCall
from tests.test_serve import environment
from tests.upkeep.kept import ended, everything, keeping
from tests.web.test_tls import make
from tests.web.watchers import OTHER, SECRET, THIRD

WORD = "quetzalcanary"


class Terminal(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


class Desk:
    """A person's terminal, with the settings of a hub."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.archive = folder / "calls.db"
        self.settings = {"HUB_ARCHIVE": str(self.archive), "HUB_SECRET": SECRET, "HUB_PORT": str(free_port(0))} | settings

    async def run(self, *arguments: str, answer: str = "", terminal: bool = False) -> tuple[int, str, str]:
        """Run a command. Return its exit code, what it printed, and what it complained of.

        In a thread of this process, as a process takes seconds to start.
        """
        return await asyncio.to_thread(self._run, list(arguments), Terminal(answer) if terminal else io.StringIO(answer))

    def _run(self, arguments: list[str], answers: io.StringIO) -> tuple[int, str, str]:
        said, complained = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
            for name in set(os.environ) - set(environment()):
                patch.delenv(name)
            for name, value in self.settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", answers)
            try:
                code = main(arguments)
            except SystemExit as error:  # argparse
                code = int(error.code or 0)
        return code, said.getvalue(), complained.getvalue()

    def find(self, call_sid: str) -> object:
        archive = open_archive(str(self.archive))
        try:
            return archive.find(call_sid)
        finally:
            archive.close()


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[tuple[Desk, House]]:
    """A hub that runs, and a terminal beside it."""
    async with keeping(folder, **settings) as home:
        yield Desk(folder, HUB_PORT=str(home.port)), home


def left(folder: Path) -> Desk:
    """An archive that a hub has left, and a terminal."""
    desk = Desk(folder)
    archive = open_archive(str(desk.archive))
    write_ended(archive, CALL, WORD, at=1.0, from_="+14155559876", to=TO)
    write_ended(archive, OTHER, "hello", at=2.0, to=TO)
    archive.write([change(THIRD, "live", at=3.0, to=TO)])
    seal_all(archive)
    archive.close()
    return desk


async def test_a_running_hub_erases_a_call_from_its_memory_too(tmp_path: Path) -> None:
    async with running(tmp_path) as (desk, home):
        await ended(home, CALL, WORD)
        assert await desk.run("erase", CALL, "--yes") == (0, f"erased {CALL}\n", "")
        assert home.state.registry.find(CALL) is None
        assert not [path for path, content in everything(tmp_path).items() if WORD.encode() in content]
        code, said, _ = await desk.run("erase", CALL, "--yes")
        assert code == 1
        assert said == f"not erased {CALL}: this call was erased: on request\n"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate for this test")
async def test_a_hub_with_its_own_certificate_is_reached_and_another_one_is_not(tmp_path: Path) -> None:
    chain, key = make(tmp_path)
    other, _ = make(tmp_path, "other")
    async with running(tmp_path, tls_cert=chain, tls_key=key) as (desk, home):
        await ended(home, CALL)
        desk.settings |= {"HUB_TLS_CERT": other, "HUB_TLS_KEY": key}
        code, _, complained = await desk.run("erase", CALL, "--yes")
        assert code == 1
        assert "does not answer at https://127.0.0.1:" in complained
        desk.settings["HUB_TLS_CERT"] = chain
        assert await desk.run("erase", CALL, "--yes") == (0, f"erased {CALL}\n", "")


async def test_a_running_hub_erases_a_number_and_says_what_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as (desk, home):
        await ended(home, CALL)
        live = ScriptedCall(home.state, OTHER)
        while not live.offset:  # its number is known once its start is stored
            await asyncio.sleep(0.005)
        code, said, _ = await desk.run("erase", "+1 (415) 555-0100", "--yes")
        assert code == 1
        assert said.splitlines() == [f"erased {CALL}", f"not erased {OTHER}: it is live: it can be erased once it has ended"]
        live.end()
        assert (await desk.run("erase", "+4930123456", "--yes"))[:2] == (0, "there is no call from or to this number\n")


async def test_without_a_hub_a_number_is_erased_from_the_archive(tmp_path: Path) -> None:
    desk = left(tmp_path)
    code, said, _ = await desk.run("erase", TO, "--yes")
    assert code == 1
    assert sorted(said.splitlines()) == sorted(
        [f"erased {CALL}", f"erased {OTHER}", f"not erased {THIRD}: it is live: it can be erased once it has ended"]
    )
    assert isinstance(desk.find(CALL), Tombstone)
    assert not [path for path, content in everything(tmp_path).items() if WORD.encode() in content or b"4155559876" in content]


@pytest.mark.parametrize("hub", [True, False])
async def test_a_hold_keeps_a_call_until_it_is_released(hub: bool, tmp_path: Path) -> None:
    if hub:
        async with running(tmp_path) as (desk, home):
            await ended(home, CALL)
            await hold_and_release(desk)
    else:
        await hold_and_release(left(tmp_path))


async def hold_and_release(desk: Desk) -> None:
    assert await desk.run("hold", CALL) == (0, f"{CALL} is under a legal hold\n", "")
    code, said, _ = await desk.run("erase", CALL, "--yes")
    assert (code, "legal hold" in said) == (1, True)
    assert (await desk.run("hold", CALL, "--release"))[0] == 0
    assert (await desk.run("erase", CALL, "--yes"))[:2] == (0, f"erased {CALL}\n")
    code, _, complained = await desk.run("hold", "CA-unknown")
    assert code == 1
    assert "no such call" in complained
    assert len(complained.splitlines()) == 1
    code, said, _ = await desk.run("audit", "--json")
    rows = [json.loads(line) for line in said.splitlines()]
    assert [row["action"] for row in rows] == ["hold", "release", "erase", "audit"]
    assert all(row["subject"].startswith("command (") for row in rows)


async def test_nothing_is_erased_where_nobody_can_be_asked(tmp_path: Path) -> None:
    desk = left(tmp_path)
    code, _, complained = await desk.run("erase", CALL, answer="y\n")
    assert code == 1
    assert "add --yes" in complained
    assert not isinstance(desk.find(CALL), Tombstone)


async def test_a_person_is_asked_before_anything_is_erased(tmp_path: Path) -> None:
    desk = left(tmp_path)
    for answer in ("n\n", "\n", "", "what?\n"):
        code, said, _ = await desk.run("erase", CALL, answer=answer, terminal=True)
        assert code == 1
        assert f"The call {CALL}" in said
        assert said.endswith("Erase? [y/N] ")
        assert not isinstance(desk.find(CALL), Tombstone)
    code, said, _ = await desk.run("erase", TO, answer="n\n", terminal=True)
    assert f"All calls from or to {TO}" in said
    code, said, _ = await desk.run("erase", CALL, answer="y\n", terminal=True)
    assert code == 0
    assert said.endswith(f"erased {CALL}\n")


@pytest.mark.parametrize("hub", [True, False])
async def test_the_audit_log_is_printed_filtered_and_verified(hub: bool, tmp_path: Path) -> None:
    if hub:
        async with running(tmp_path) as (desk, home):
            await ended(home, CALL)
            await read_audit(desk)
    else:
        await read_audit(left(tmp_path))


async def read_audit(desk: Desk) -> None:
    await desk.run("hold", CALL)
    code, said, _ = await desk.run("audit", "--action", "hold", "--from", "2000-01-01", "--call", CALL)
    assert code == 0
    head, line = said.splitlines()
    assert head.split() == ["time", "(UTC)", "who", "did", "call", "remark"]
    assert " hold " in line
    assert line.endswith(CALL)
    code, said, _ = await desk.run("audit", "--verify")
    assert code == 0
    assert "the audit log is whole: 3 rows, newest digest " in said
    assert (await desk.run("audit", "--from", "soon"))[0] == 2


async def test_a_row_that_was_changed_is_found(tmp_path: Path) -> None:
    desk = left(tmp_path)
    for _ in range(3):
        await desk.run("hold", CALL)
    with sqlite3.connect(desk.archive) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'accesses'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("UPDATE accesses SET subject = 'nobody' WHERE id = 2")
    connection.close()
    code, said, _ = await desk.run("audit", "--verify")
    assert code == 1
    assert said == "the audit log is not whole: row 2 was changed; the 1 rows before it fit\n"


@pytest.mark.parametrize("hub", [True, False])
@pytest.mark.parametrize("harm", ["at = 'soon'", "at = 1e300", "at = 9e999", "subject = x'ff00', detail = x'ff00'"])
async def test_a_row_that_makes_no_sense_any_more_is_printed_and_found(harm: str, hub: bool, tmp_path: Path) -> None:
    desk = left(tmp_path)
    for _ in range(3):
        await desk.run("hold", CALL)
    with closing(sqlite3.connect(desk.archive)) as connection, connection:
        connection.execute("DROP TRIGGER accesses_update")
        connection.execute(f"UPDATE accesses SET {harm} WHERE id = 2")  # from this file
    async with AsyncExitStack() as stack:
        if hub:
            desk, _ = await stack.enter_async_context(running(tmp_path))
        for form in ((), ("--json",)):
            code, said, complained = await desk.run("audit", *form)
            assert (code, complained) == (0, "")
            assert len(said.splitlines()) >= 4
        assert (await desk.run("audit", "--verify"))[1] == "the audit log is not whole: row 2 was changed; the 1 rows before it fit\n"


async def test_a_backup_is_made_beside_a_running_hub_and_restored_without_one(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with running(tmp_path) as (desk, home):
        await ended(home, CALL)
        code, said, _ = await desk.run("backup", str(copy))
        assert code == 0
        assert said.startswith(f"{copy}: ")
        assert (await desk.run("backup", str(copy)))[2].endswith(f"{copy} is there already: name a file that is not\n")
        await ended(home, OTHER)
        code, _, complained = await desk.run("restore", str(copy), "--replace")
        assert code == 1
        assert "stop it first" in complained
    code, _, complained = await desk.run("restore", str(copy))
    assert code == 1
    assert "--replace" in complained
    code, said, _ = await desk.run("restore", str(copy), "--replace")
    assert code == 0
    assert "calls.db.replaced-1" in said
    assert desk.find(OTHER) is None
    assert desk.find(CALL) is not None
    rows = [json.loads(line) for line in (await desk.run("audit", "--json"))[1].splitlines()]
    assert [row["action"] for row in rows] == ["restore", "audit"]


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("backup", "x.db"), {"HUB_ARCHIVE": ""}, "HUB_ARCHIVE is not set"),
        (("backup", "x.db"), {"HUB_ARCHIVE": "postgresql://u:secret@host/calls"}, "pg_dump"),
        (("restore", "x.db"), {"HUB_ARCHIVE": "postgresql://u:secret@host/calls"}, "pg_restore"),
        (("audit",), {"HUB_ARCHIVE": ""}, "no hub answers at http://127.0.0.1:"),
        (("audit",), {"HUB_ARCHIVE": "", "HUB_PORT": "0"}, "HUB_PORT is 0"),
        (("audit",), {"HUB_ARCHIVE": "/nowhere/calls.db"}, "does not exist"),
        (("erase", "4155550100", "--yes"), {}, "no number with its country code"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], settings: dict[str, str], says: str, tmp_path: Path) -> None:
    code, said, complained = await Desk(tmp_path, **settings).run(*arguments)
    assert code in {1, 2}
    assert (said, len(complained.splitlines())) == ("", 1)
    assert says in complained
    assert "secret@" not in complained
