"""Calls in a hub with an archive, for tests: begun, said, ended and stored."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from hub.tokens import Right, mint
from tests.house import House, house
from tests.media import CALL
from tests.publishing import FROM, TO, ScriptedCall
from tests.web.watchers import SECRET


@asynccontextmanager
async def keeping(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """Run a hub with an archive in this folder."""
    async with house(**({"secret": SECRET, "archive": str(folder / "calls.db")} | settings)) as home:
        yield home


async def ended(home: House, call: str = CALL, *texts: str, from_: str | None = FROM, to: str | None = TO) -> ScriptedCall:
    """Let a call happen in which these words are said. Return when it is stored."""
    script = ScriptedCall(home.state, call, from_, to)
    for text in texts or ("good morning",):
        script.final(text)
    script.end()
    home.state.registry.close(script.record, 1000.0, {})
    await stored(home)
    return script


async def stored(home: House) -> None:
    """Wait until everything that was published is in the archive."""
    while home.state.past.keeper is not None and home.state.past.keeper.unstored:
        await asyncio.sleep(0.005)


@contextmanager
def away(home: House, path: Path) -> Iterator[None]:
    """Let the file of a hub's archive be away: a folder stands in its place, so that no thread of the hub makes another file there."""
    assert home.state.archive is not None
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    path.mkdir()
    home.state.archive.archive.close()
    yield
    path.rmdir()
    elsewhere.rename(path)


def bearer(*rights: Right, calls: tuple[str, ...] = ("*",), name: str = "alice") -> dict[str, str]:
    """Return the headers of a request with a token."""
    return {"Authorization": f"Bearer {mint(SECRET, calls, 3600, rights=rights, subject=name)}"}


async def ask(home: House, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Return status and JSON of an answer."""
    async with home.session.request(method, home.url(path), headers=headers) as answer:
        return answer.status, await answer.json(content_type=None) if answer.content_type == "application/json" else await answer.text()


def everything(*folders: Path) -> dict[Path, bytes]:
    """Return the bytes of all files in folders."""
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}
