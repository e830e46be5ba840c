"""The same in PostgreSQL: erased by a hub that runs and by a command, noted and verified. Backups are left to PostgreSQL's own tools."""

from pathlib import Path

import pytest

from tests.archive.conftest import postgres
from tests.archive.postgres_server import PostgresServer
from tests.media import CALL
from tests.upkeep.kept import ended, keeping
from tests.upkeep.test_commands import Desk
from tests.web.watchers import OTHER

__all__ = ["postgres"]  # the fixture


async def test_a_database_is_kept_by_the_same_commands(postgres: PostgresServer, tmp_path: Path) -> None:
    place = postgres.schema()
    async with keeping(tmp_path, archive=place) as home:
        await ended(home, CALL, "quetzalcanary")
        await ended(home, OTHER, "hello")
        desk = Desk(tmp_path, HUB_ARCHIVE=place, HUB_PORT=str(home.port))
        assert await desk.run("erase", CALL, "--yes") == (0, f"erased {CALL}\n", "")
        assert home.state.registry.find(CALL) is None
        assert (await desk.run("hold", OTHER))[0] == 0
    assert (await desk.run("erase", OTHER, "--yes"))[0] == 1
    assert (await desk.run("hold", OTHER, "--release"))[0] == 0
    assert await desk.run("erase", OTHER, "--yes") == (0, f"erased {OTHER}\n", "")
    code, said, _ = await desk.run("audit", "--verify")
    assert code == 0
    assert "the audit log is whole: " in said
    for command in ("backup", "restore"):
        code, _, complained = await desk.run(command, str(tmp_path / "copy"))
        assert code == 2
        assert "its own tools" in complained


@pytest.mark.parametrize("command", ["audit", "hold"])
async def test_a_server_that_is_away_is_one_sentence_without_the_password(command: str, tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB_ARCHIVE="postgresql://hub:secretword@127.0.0.1:1/calls")
    code, said, complained = await desk.run(command, *([CALL] if command == "hold" else []))
    assert (code, said, len(complained.splitlines())) == (1, "", 1)
    assert "secretword" not in complained
    assert "cannot be reached" in complained
