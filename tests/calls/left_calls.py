"""Calls as an earlier hub process leaves them in the archive."""

from pathlib import Path
from typing import Any

import msgspec

from hub.archive.archive import Change, Facts, StoredEvent
from hub.archive.mark import BehindMark, mark_of
from hub.archive.opening import open_archive
from hub.calls.bookmark import Entry
from hub.calls.takeover import LeftCall
from hub.events import CallStarted, Completeness, Durable, Final, TranscriberName, encode
from hub.topics.past import Past
from hub.topics.registry import Registry

EPOCH = "e" * 12
COMPLETE = Completeness(
    state="complete", summary="complete", untranscribed_seconds=0.0, lost_percent=0.0, unheard=None, words_missing=False, reason=None
)


def final(utterance: str, text: str, start: float, end: float) -> Final:
    track: Any = utterance.split("-")[0]
    return Final(
        call_sid="", utterance=utterance, revision=1, track=track, speaker="caller", text=text, start=start, end=end, words=[]
    )  # fmt: skip


def past_of(call_sid: str, *more: Durable, from_: str | None = "+14155550123", agent: str | None = None) -> list[bytes]:
    """A call's log so far: its start, and what else is given."""
    started = CallStarted(
        call_sid=call_sid, from_=from_, tracks=["inbound", "outbound"], speakers={"inbound": "caller", "outbound": "callee"}, parameters={},
        stream_sid="MZ" + "1" * 32, transcriber=TranscriberName(provider="scripted", model="test"), agent=agent,
    )  # fmt: skip
    events = [started, *more]
    return [
        encode(msgspec.structs.replace(event, call_sid=call_sid, at="2026-11-26T10:00:00.000Z", epoch=EPOCH, offset=offset))
        for offset, event in enumerate(events, 1)
    ]


def left_call(registry: Registry, call_sid: str, entry: Entry, *more: Durable) -> LeftCall:
    """A call that a restarted hub has read from the archive."""
    return LeftCall(registry.restore(call_sid, EPOCH, 1024, Past(past_of(call_sid, *more))), entry)


def leave(path: Path, call_sid: str, entry: Entry | None, *more: Durable, behind: bool = False, agent: str | None = None) -> None:
    """Leave a live call in an archive as `kill -9` does. `behind`: in the moment in which not everything was stored that was told."""
    where = str(path)
    payloads = past_of(call_sid, *more, agent=agent)
    past = Past(payloads)
    started_at = entry.at if entry is not None else 1.0
    facts = Facts(
        number=int(started_at * 1000) << 10, started_at=started_at, ended_at=None, from_=past.outline.numbers[0], to=None, agent=agent,
        state="complete", summary=encode(past.outline.summary(call_sid, EPOCH, len(payloads))),
    )  # fmt: skip
    events = tuple(StoredEvent(offset, payload) for offset, payload in enumerate(payloads, 1))
    archive = open_archive(where)
    note = msgspec.json.encode(entry) if entry is not None else None
    archive.write([Change(call_sid=call_sid, epoch=EPOCH, events=events, facts=facts, note=note)])
    archive.close()
    mark = BehindMark(mark_of(where))
    mark.behind() if behind else mark.level()


def left(path: Path) -> dict[str, Entry]:
    """The live calls that an archive has, and what is noted of them."""
    archive = open_archive(str(path))
    try:
        return {each.call.call_sid: msgspec.json.decode(each.note, type=Entry) for each in archive.live()}
    finally:
        archive.close()
