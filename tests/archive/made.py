"""Calls to put into an archive."""

import itertools
from typing import Any

from hub.archive.archive import Archive, Change, Facts, StoredCall, StoredEvent, StoredLog
from hub.events import CallSummary, Completeness, Final, TranscriberName, encode, stamped

WHOLE = Completeness(
    state="complete", summary="complete", untranscribed_seconds=0.0, lost_percent=0.0, unheard=None, words_missing=False, reason=None
)


def number_at(moment: float, counter: int = 0) -> int:
    """Return the number of a call that began at a moment."""
    return int(moment * 1000) * 1024 + counter


def facts(call_sid: str, started_at: float, **other: Any) -> Facts:
    """Return what a row says of a call. `other`: fields of Facts; a call without `ended_at` is live."""
    given: dict[str, Any] = {"ended_at": None, "from_": None, "to": None, "agent": None, "queue": None, "state": "complete"}
    given |= {"number": number_at(started_at), "started_at": started_at, **other}
    if "summary" in given:
        return Facts(**given)
    summary = CallSummary(
        call_sid=call_sid,
        live=given["ended_at"] is None,
        started_at=stamped(started_at),
        ended_at=None if given["ended_at"] is None else stamped(given["ended_at"]),
        from_=given["from_"],
        to=given["to"],
        direction=None,
        speakers={"inbound": "caller", "outbound": "callee"},
        transcriber=TranscriberName(provider="deepgram", model="nova-3"),
        agent=given["agent"],
        queue=given["queue"],
        utterances=0,
        reason=None,
        duration=None,
        completeness=WHOLE,
        epoch="e",
        offset=0,
    )
    return Facts(summary=encode(summary), **given)


def said(call_sid: str, offset: int, text: str) -> StoredEvent:
    """Return a final."""
    final = Final(
        call_sid=call_sid,
        at=stamped(1.0),
        epoch="e",
        offset=offset,
        utterance=f"u{offset}",
        revision=1,
        track="inbound",
        speaker="caller",
        text=text,
        start=float(offset),
        end=offset + 0.5,
        words=[],
    )
    return StoredEvent(offset, encode(final))


def change(call_sid: str, *texts: str, at: float | None = None, after: int = 0, epoch: str = "e", **other: Any) -> Change:
    """Return a change with finals. `at`: when the call began, for a change that has the row; `other`: see `facts`."""
    events = tuple(itertools.starmap(lambda offset, text: said(call_sid, offset, text), enumerate(texts, after + 1)))
    note, generation = other.pop("note", None), other.pop("generation", 0)
    row = None if at is None else facts(call_sid, at, **other)
    return Change(call_sid=call_sid, epoch=epoch, events=events, facts=row, note=note, generation=generation)


def write_ended(archive: Archive, call_sid: str, *texts: str, at: float, **other: Any) -> None:
    """Store a call that has ended a minute later."""
    archive.write([change(call_sid, *texts, at=at, **{"ended_at": at + 60, **other})])


def seal_all(archive: Archive) -> None:
    """Seal all that can be sealed."""
    while archive.seal():
        pass


def texts_of(log: StoredLog | None) -> list[str]:
    """Return what was said, in order."""
    import msgspec

    assert log is not None, "no such call"
    return [msgspec.json.decode(payload, type=Final).text for payload in log.payloads]


def sids(calls: list[StoredCall]) -> list[str]:
    """Return the callSids of calls."""
    return [call.call_sid for call in calls]
