"""Compares what subscribers saw with what there is in the end: in the archive, and in a replay over /client."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from websockets.asyncio.client import connect

from hub.archive.archive import Archive, CallFilter, StoredLog
from hub.archive.opening import open_archive
from hub.audio.g711 import TRACKS
from tests.bench.witnesses import Received, Seen

SETTLING_SECONDS = 60.0
"""How long the last hub may take to end all calls, and to seal them."""

NEAR_SECONDS = 0.005
"""Moments of events are written in milliseconds."""

_decoder = msgspec.json.Decoder(Received)


@dataclass(frozen=True)
class LeftBehind:
    """What was stored of a live call when a hub died that had told more."""

    call_sid: str
    payloads: list[bytes]


@dataclass
class Found:
    """What there is."""

    calls: int = 0
    gaps: int = 0


def left_behind(place: str, seen: Seen) -> list[LeftBehind]:
    """Return the live calls in an archive whose hub died behind, and take note of the logs that end with that."""
    archive = open_archive(place, alone=False)
    try:
        live = [LeftBehind(log.call.call_sid, log.payloads) for log in archive.live()]
        names = {each.call_sid for each in live}
        names |= {call_sid for call_sid in seen.epochs if call_sid not in names and archive.find(call_sid) is None}
    finally:
        archive.close()
    seen.behind |= {(call_sid, epoch) for call_sid, epoch in seen.epochs.items() if call_sid in names}
    return live


async def judge(place: str, port: int, seen: Seen, left: Sequence[LeftBehind], kills: Sequence[float]) -> Found:
    """Compare; put what is wrong into `seen.faults`."""
    found, logs = await asyncio.to_thread(_compared, place, seen, left, kills)
    await _replayed(port, logs, seen)
    return found


def _compared(place: str, seen: Seen, left: Sequence[LeftBehind], kills: Sequence[float]) -> tuple[Found, dict[str, StoredLog]]:
    archive = open_archive(place, alone=False)
    try:
        logs = _settled(archive, seen)
    finally:
        archive.close()
    found = Found(calls=len(logs))
    for log in logs.values():
        found.gaps += _well_formed(log, kills, seen)
    for (call_sid, epoch), payloads in seen.logs.items():
        _kept(logs.get(call_sid), call_sid, epoch, payloads, seen)
    for each in left:
        log = logs.get(each.call_sid)
        now = [_unplaced(payload) for payload in log.payloads] if log is not None else []
        if now[: len(each.payloads)] != [_unplaced(payload) for payload in each.payloads]:
            seen.fault("lost with a new epoch", f"{each.call_sid} had {len(each.payloads)} stored events")
    return found, logs


def _settled(archive: Archive, seen: Seen) -> dict[str, StoredLog]:
    """Return all calls, once all have ended and are sealed."""
    until = time.monotonic() + SETTLING_SECONDS
    while archive.live() and time.monotonic() < until:
        time.sleep(0.2)
    for log in archive.live():
        seen.fault("not ended", log.call.call_sid)
    calls = {call.call_sid: call for call in archive.page(CallFilter(), None, 1_000_000)}
    for call_sid in calls:
        # Only sealed calls are found by words, and the callSid is one of a call's words.
        while not (sealed := archive.page(CallFilter(words=(call_sid.lower(),)), None, 1)) and time.monotonic() < until:
            time.sleep(0.2)
        if not sealed:
            seen.fault("not sealed", call_sid)
    return {call_sid: log for call_sid in calls if (log := archive.log(call_sid)) is not None}


def _kept(log: StoredLog | None, call_sid: str, epoch: str, payloads: list[bytes], seen: Seen) -> None:
    """Check that what was seen of a log is in the archive."""
    if (call_sid, epoch) in seen.behind and (log is None or log.call.epoch != epoch):
        return
    if log is None:
        seen.fault("lost", f"{call_sid} with its {len(payloads)} events")
    elif log.call.epoch != epoch:
        seen.fault("epoch changed", f"{call_sid} from {epoch} to {log.call.epoch}")
    else:
        for offset, (was, now) in enumerate(zip(payloads, log.payloads, strict=False), 1):
            if was != now:
                seen.fault("altered", f"{call_sid} {offset}: {was!r} is stored as {now!r}")
        for offset, payload in enumerate(payloads[len(log.payloads) :], len(log.payloads) + 1):
            seen.fault("lost", f"{call_sid} {offset}: {payload!r}")


def _well_formed(log: StoredLog, kills: Sequence[float], seen: Seen) -> int:
    """Check one call's own order: its offsets, its end, and a gap per track where it was left. Return its gaps."""
    call_sid = log.call.call_sid
    events = [json.loads(payload) for payload in log.payloads]
    if [(event["epoch"], event["offset"]) for event in events] != [(log.call.epoch, at) for at in range(1, len(events) + 1)]:
        seen.fault("offsets", f"{call_sid}: {[event['offset'] for event in events]}")
    if [at for at, event in enumerate(events, 1) if event["type"] == "call-ended"] != [len(events)]:
        seen.fault("ends", f"{call_sid}: {[event['type'] for event in events]}")
    _one_gap_per_hole(call_sid, events, kills, seen)
    return sum(event["type"] == "gap" for event in events)


def _one_gap_per_hole(call_sid: str, events: list[dict[str, Any]], kills: Sequence[float], seen: Seen) -> None:
    """Between two events of which a hub died the call goes on with a new stream or ends, and says for each track what was not heard."""
    moments = [datetime.fromisoformat(event["at"]).timestamp() for event in events]
    for at in range(1, len(events)):
        if not any(moments[at - 1] <= kill + NEAR_SECONDS and kill + NEAR_SECONDS < moments[at] for kill in kills):
            continue
        after = [event for event in events[at + (events[at]["type"] == "call-started") :] if event["type"] != "statistics"]
        gaps = {event["track"] for event in after[:2] if event["type"] == "gap" and event["reason"] == "no stream"}
        if after[0]["type"] == "call-ended":  # it may have ended in the moment in which the hub died
            gaps |= {track for track in TRACKS if _reached(events[:at], track) >= after[0]["duration"]}
        if gaps != {"inbound", "outbound"}:
            seen.fault("gaps", f"{call_sid} after offset {at}: {[event['type'] for event in events[at - 1 : at + 4]]}")
    for track in TRACKS:
        reached, gap_start = 0.0, 0.0
        for event in events:
            if event.get("track") == track and event["type"] in {"gap", "final"}:
                # Words before a gap may be owed still when the hub dies: then the next gap begins before that one.
                owed = event["type"] == "gap" and event["start"] < gap_start
                if event["start"] < reached - 0.5 and not owed:
                    what = f"{event['type']} {event['offset']} at {event['start']}, before {reached}; the gap before began at {gap_start}"
                    seen.fault("overlaps", f"{call_sid} {track} {what}")
                reached = max(reached, event["end"])
                gap_start = event["start"] if event["type"] == "gap" else gap_start


def _reached(events: list[dict[str, Any]], track: str) -> float:
    """Return the call time up to which the events tell what became of a track."""
    return max((event["end"] for event in events if event.get("track") == track and event["type"] in {"gap", "final"}), default=0.0)


def _unplaced(payload: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(payload)
    del event["epoch"], event["offset"]
    return event


async def _replayed(port: int, logs: dict[str, StoredLog], seen: Seen) -> None:
    """Read every call from its beginning, over /client, and compare."""
    async with connect(f"ws://127.0.0.1:{port}/client", compression=None, proxy=None, max_size=None) as socket:
        await socket.recv()
        for call_sid, log in logs.items():
            await socket.send(json.dumps({"action": "subscribe", "callSid": call_sid}))
            subscribed = _decoder.decode(await socket.recv(decode=False))
            if subscribed.type != "subscribed" or not subscribed.whole:
                seen.fault("not replayed", f"{call_sid}: {subscribed}")
                continue
            replay = [await asyncio.wait_for(socket.recv(decode=False), SETTLING_SECONDS) for _ in log.payloads]
            if replay != log.payloads:
                seen.fault("replayed otherwise", call_sid)
            await socket.send(json.dumps({"action": "unsubscribe", "callSid": call_sid}))
            await socket.recv()
