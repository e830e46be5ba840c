"""`transcript-hub watchwords try`: runs a file of rules on calls of the archive, and prints the alerts that they would have made.

The archive is read beside a hub that runs, or without one. No call is changed. The audit log notes that somebody has looked for words.
Knows arguments and how alerts are printed. Does not know what fits a rule.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from hub.archive.archive import Access, Archive, ArchiveError, CallFilter, StoredCall, Tombstone
from hub.archive.opening import open_archive
from hub.calls.watching import read_watchwords
from hub.config import Config
from hub.errors import ConfigError
from hub.events import Alert, CallSummary
from hub.insight.rules import Watchwords
from hub.insight.trial import tried
from hub.text.foreign_text import isolated
from hub.text.phone_numbers import EXAMPLE, identity
from hub.transcript.wording import clock

PAGE = 100
"""Calls whose rows are read at once."""

_summaries = msgspec.json.Decoder(CallSummary)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", moment: Callable[[str], float]) -> None:
    """Add the command to the parser of `transcript-hub`. `moment` reads a day or a moment, into Unix seconds."""
    watchwords = commands.add_parser("watchwords", help="try rules on calls that are over")
    trying = watchwords.add_subparsers(dest="what", required=True).add_parser(
        "try", help="print the alerts that a file of rules would have made in calls of the archive"
    )
    trying.add_argument("file", nargs="?", metavar="FILE", help="the file of rules (default: that of HUB_WATCHWORDS)")
    trying.add_argument("--call", action="append", default=[], metavar="CALL", help="only this callSid; may be given several times")
    trying.add_argument("--from", type=moment, metavar="TIME", dest="from_", help="calls that began on this day or later, as 2026-01-31")
    trying.add_argument("--to", type=moment, metavar="TIME", dest="to_", help="calls that began before this day or moment")
    trying.add_argument("--number", metavar="NUMBER", help="calls from or to this number")
    trying.add_argument("--agent", metavar="NAME", help="calls that this voice agent answered")
    trying.add_argument("--calls", type=int, default=1000, metavar="N", help="the newest N of these calls (default: %(default)s)")
    trying.add_argument("--json", action="store_true", help="print one alert per line as JSON")


def run(settings: Config, options: argparse.Namespace, subject: str) -> int:
    """Run the command. Return its exit code. `subject`: who gives it, for the audit log. Raises: ConfigError, ArchiveError."""
    path = options.file or settings.watchwords
    if not path:
        raise ConfigError("HUB_WATCHWORDS", "is not set: name the file of rules that is to be tried")
    if not settings.archive:
        raise ConfigError("HUB_ARCHIVE", "is not set, so there are no calls to try rules on")
    watchwords, wanted = read_watchwords(path), _wanted(options)
    archive = open_archive(settings.archive, alone=False)
    try:
        archive.write((), [Access(at=time.time(), subject=subject, action="search", detail="tried watchwords")])
        _try(archive, watchwords, _calls(archive, wanted, options), as_json=options.json)
    finally:
        archive.close()
    return 0


def _wanted(options: argparse.Namespace) -> CallFilter:
    number = None
    if options.number is not None:
        number = identity(options.number)
        if number is None:
            raise ConfigError("--number", f"must be a number with its country code, as {EXAMPLE}, not {options.number!r}")
    if options.calls < 1:
        raise ConfigError("--calls", f"must be at least 1, not {options.calls}")
    return CallFilter(since=options.from_, until=options.to_, number=number, agent=options.agent)


def _calls(archive: Archive, wanted: CallFilter, options: argparse.Namespace) -> Iterator[StoredCall]:
    """Yield the calls on which the rules are tried, the newest first."""
    if options.call:
        for call_sid in options.call:
            found = archive.find(call_sid)
            if found is None or isinstance(found, Tombstone):
                raise ArchiveError(f"it has no call {call_sid}")
            yield found
        return
    left, before = options.calls, None
    while left and (page := archive.page(wanted, before, min(PAGE, left))):
        yield from page
        left, before = left - len(page), page[-1].facts.number


def _try(archive: Archive, watchwords: Watchwords, calls: Iterator[StoredCall], *, as_json: bool) -> None:
    counts, looked, found = Counter[str](), 0, 0
    for call in calls:
        log = archive.log(call.call_sid)
        if log is None:  # erased meanwhile
            continue
        looked += 1
        alerts = tried(watchwords, log.payloads)
        found += bool(alerts)
        counts.update(alert.rule for alert in alerts)
        for alert in alerts:
            print(msgspec.json.encode(_told(call, alert)).decode() if as_json else _line(call, alert))
    out = sys.stderr if as_json else sys.stdout
    total = counts.total()
    print(f"{total} {'alert' if total == 1 else 'alerts'} in {found} of {looked} calls", file=out)
    for rule in watchwords.rules:
        print(f"{counts[rule.name]:>8}  {isolated(rule.name)}", file=out)


def _line(call: StoredCall, alert: Alert) -> str:
    summary = _summaries.decode(call.facts.summary)
    began = (summary.started_at or "")[:16].replace("T", " ")
    speaker = f"{isolated(alert.speaker)}: " if alert.speaker else ""
    return f"{call.call_sid}  {began}  {clock(alert.start):>9}  {isolated(alert.rule)}  {speaker}{isolated(alert.summary)}"


def _told(call: StoredCall, alert: Alert) -> dict[str, object]:
    summary = _summaries.decode(call.facts.summary)
    shown = {name: getattr(alert, name) for name in ("rule", "kind", "summary", "track", "speaker", "utterance", "text", "start", "end")}
    return {"callSid": call.call_sid, "startedAt": summary.started_at} | {name: value for name, value in shown.items() if value is not None}
