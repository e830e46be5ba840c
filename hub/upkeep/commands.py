"""What people type, and what they read: `audit`, `hold`, `erase`, `backup`, `restore` and `watchwords`.

Knows arguments, questions and exit codes: 0 where everything was done, 1 where something was not, 2 where it could not be begun.
"""

import argparse
import asyncio
import getpass
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from hub.archive import copies
from hub.archive.archive import Access, AccessFilter, Action, ArchiveError, ArchiveInUse, AuditRow
from hub.archive.chain import Verification
from hub.archive.copies import CopyError
from hub.archive.opening import open_archive
from hub.config import Config
from hub.errors import ConfigError
from hub.text.phone_numbers import EXAMPLE, identity
from hub.upkeep import watchwords
from hub.upkeep.keeping import Keeping, UpkeepError
from hub.upkeep.running import RunningHub
from hub.upkeep.stopped import StoppedHub

_ROW = "{:<20} {:<24} {:<8} {:<35} {}"

COMMANDS = ("audit", "hold", "erase", "backup", "restore", "watchwords")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these commands to the parser of `transcript-hub`."""
    audit = commands.add_parser("audit", help="print who did what with calls, oldest first")
    for name, help_ in (("from", "from this day or moment on, such as 2026-01-31"), ("to", "before this day or moment")):
        audit.add_argument(f"--{name}", type=_moment, metavar="TIME", dest=f"{name}_", help=help_)
    audit.add_argument("--subject", help="only what this subject did")
    audit.add_argument("--action", choices=get_args(Action), metavar="ACTION", help=f"only this: {', '.join(get_args(Action))}")
    audit.add_argument("--call", help="only what was done with this callSid")
    audit.add_argument("--json", action="store_true", help="print one row per line, with the digests, as JSON")
    audit.add_argument("--verify", action="store_true", help="check that no row was changed or taken out, and print the newest digest")
    hold = commands.add_parser("hold", help="put a legal hold on a call, so that it is not erased")
    hold.add_argument("call", metavar="CALL", help="a callSid")
    hold.add_argument("--release", action="store_true", help="release the hold")
    erase = commands.add_parser("erase", help="erase a call, or all calls of a number, with everything that the hub has of them")
    erase.add_argument("what", metavar="CALL", help="a callSid, or a number as +14155550100 (every call from or to it)")
    erase.add_argument("--yes", action="store_true", help="do not ask")
    backup = commands.add_parser("backup", help="copy the archive into a file, also while a hub runs")
    backup.add_argument("file", type=Path, metavar="FILE", help="a file that is not there yet")
    restore = commands.add_parser("restore", help="put a backup in the place of the archive, while no hub runs")
    restore.add_argument("file", type=Path, metavar="FILE", help="what `backup` has made")
    watchwords.add(commands, _moment)
    restore.add_argument("--replace", action="store_true", help="move the archive that is there away")


def run(settings: Config, options: argparse.Namespace) -> int:
    """Run one of the commands. Return its exit code. Raises: ConfigError."""
    try:
        if options.command in {"backup", "restore"}:
            return _copy(settings, options)
        if options.command == "watchwords":
            return watchwords.run(settings, options, subject())
        return asyncio.run(_keep(settings, options))
    except (ArchiveError, CopyError, UpkeepError) as error:
        print(f"transcript-hub: {error}", file=sys.stderr)
        return 1


async def _keep(settings: Config, options: argparse.Namespace) -> int:
    if options.command == "erase":
        if identity(options.what) is None and not any(
            map(str.isalpha, options.what)
        ):  # "no such call" would be taken for "nothing is kept"
            raise UpkeepError(f"{options.what!r} is no callSid, and no number with its country code, such as {EXAMPLE}")
        if not options.yes and not _agreed(options.what):
            return 1
    async with opened(settings) as keeping:
        match options.command:
            case "audit" if options.verify:
                return await _verify(keeping)
            case "audit":
                return await _audit(keeping, options)
            case "hold":
                await keeping.hold(options.call, held=not options.release)
                print(f"{options.call} is no longer under a legal hold" if options.release else f"{options.call} is under a legal hold")
                return 0
            case _:
                return await _erase(keeping, options.what)


@asynccontextmanager
async def opened(settings: Config) -> AsyncIterator[Keeping]:
    """Open what is kept: the archive, or the hub that uses it. Raises: ConfigError, ArchiveError, UpkeepError."""
    if settings.archive:
        try:
            archive = open_archive(settings.archive)
        except ArchiveInUse:
            pass
        else:
            try:
                yield StoppedHub(settings, archive, subject())
            finally:
                archive.close()
            return
    async with RunningHub(settings, subject()) as hub:
        yield hub


def subject() -> str:
    """Return who gives the command, for the audit log."""
    try:
        return f"command ({getpass.getuser()})"
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"command (user {os.getuid() if hasattr(os, 'getuid') else 'unknown'})"


def _agreed(what: str) -> bool:
    """Ask whether to erase. Where nobody can be asked, the answer is no."""
    if not sys.stdin.isatty():
        print("transcript-hub: nothing is erased: add --yes, since nobody can be asked here", file=sys.stderr)
        return False
    calls = f"All calls from or to {what} that have ended" if identity(what) else f"The call {what}"
    print(f"{calls}, with words, recording and everything else, cannot be brought back. Erase? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def _erase(keeping: Keeping, what: str) -> int:
    number = identity(what)
    erased = await keeping.erase_number(number) if number is not None else await keeping.erase_call(what)
    for call_sid in erased.call_sids:
        print(f"erased {call_sid}")
    for call_sid, why in erased.kept.items():
        print(f"not erased {call_sid}: {why}")
    for call_sid, why in erased.recordings.items():
        print(f"the recording of {call_sid} is still there, and a hub that runs tries again to delete it: {why}")
    if not erased.call_sids and not erased.kept:
        print("there is no call from or to this number")
    return 1 if erased.kept or erased.recordings else 0


async def _audit(keeping: Keeping, options: argparse.Namespace) -> int:
    wanted = AccessFilter(since=options.from_, until=options.to_, subject=options.subject, action=options.action, call_sid=options.call)
    headed = options.json
    async for rows in keeping.audit(wanted):
        if not headed:
            print(_ROW.format("time (UTC)", "who", "did", "call", "remark"))
            headed = True
        for row in rows:
            print(msgspec.json.encode(_told(row)).decode() if options.json else _line(row))
    return 0


async def _verify(keeping: Keeping) -> int:
    found = Verification()
    async for rows in keeping.audit(AccessFilter()):
        if not found.read(rows):
            print(f"the audit log is not whole: {found.problem}; the {found.rows} rows before it fit")
            return 1
    print(f"the audit log is whole: {found.rows} rows, newest digest {found.head or 'none'}")
    print("Note that digest elsewhere: that rows were cut off at the end shows only where a digest noted earlier is missing.")
    return 0


def _told(row: AuditRow) -> dict[str, Any]:
    access = row.access
    return {
        "id": row.id, "time": _time(access.at, "milliseconds"), "subject": access.subject, "action": access.action,
        "callSid": access.call_sid, "detail": access.detail, "at": access.at, "previous": row.previous, "digest": row.digest,
    }  # fmt: skip


def _line(row: AuditRow) -> str:
    access = row.access
    cells = (
        f"{_time(access.at, 'seconds'):<20}",
        f"{access.subject!s:<24}",
        f"{access.action!s:<8}",
        f"{access.call_sid or '-'!s:<35}",
        str(access.detail),
    )
    return _printable(" ".join(cells).rstrip())


def _time(at: float, precision: str) -> str:
    try:
        shown = datetime.fromtimestamp(at, UTC)
    except (TypeError, ValueError, OverflowError, OSError):  # somebody changed this row: `--verify` names it
        return "?"
    return shown.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"must be a day or a moment in ISO 8601, as 2026-01-31T12:00:00Z, not {text!r}") from None


def _copy(settings: Config, options: argparse.Namespace) -> int:
    archive = _file(settings, options.command)
    if options.command == "backup":
        size = copies.back_up(archive, options.file)
        print(f"{options.file}: {size / 1e6:.1f} MB, checked")
        if settings.recordings:
            print(f"Recordings are not in it: they lie in {settings.recordings}")
        return 0
    moved = copies.restore(options.file, archive, replace=options.replace)
    _note_restored(archive)
    print(f"{archive} is the archive of the backup now")
    if moved is not None:
        print(f"What was there before is {moved}: delete it when it is not needed any more")
    return 0


def _note_restored(file: Path) -> None:
    """Note it in the audit log: what was done after the backup was made is in the archive that was moved away."""
    archive = open_archive(os.fspath(file))
    try:
        archive.write((), [Access(at=time.time(), subject=subject(), action="restore", detail="a backup")])
    finally:
        archive.close()


def _file(settings: Config, command: str) -> Path:
    """Return the file of the archive. Raises: ConfigError where it is not in a file."""
    if not settings.archive:
        raise ConfigError("HUB_ARCHIVE", "is not set, so there is no archive")
    if "://" in settings.archive:
        tool = "pg_dump --format=custom" if command == "backup" else "pg_restore --clean"
        raise ConfigError("HUB_ARCHIVE", f"is a PostgreSQL database: its own tools do this, such as `{tool}`")
    return Path(settings.archive)
