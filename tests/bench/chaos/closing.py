"""The end of a run: all calls are hung up, and everything that was seen is compared with everything that is there."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from hub.archive.opening import open_archive
from tests.bench.chaos.lane import Lane
from tests.bench.chaos.lean_socket import LeanSocket, Refused
from tests.bench.chaos.nodes import figures
from tests.bench.chaos.oracle import Part, Truth, Verdict, judge, same
from tests.bench.chaos.watchers import Told

ENDING_SECONDS = 60.0
"""How long all calls may take to end for all subscribers."""

COUNTED = ("hub_takeovers_total", "hub_handovers_total", "hub_fenced_total", "hub_forged_total", "hub_replica_catch_ups_total")
"""Metrics of the nodes that stand in the evidence. A node that was killed takes its own with it."""

RENEWED = "goes on under a new epoch"
"""What a node says of a call whose last node died after it had told events that were stored nowhere. Such a call is counted, and judged by
its new log. How soon a busy machine makes a node fall behind is not what is proved here."""

_decoder = msgspec.json.Decoder(Told)


async def close(lane: Lane) -> None:
    """Hang up all calls, judge what was seen, and let the nodes stop in order."""
    async with asyncio.TaskGroup() as group:
        for call in lane.calls:
            group.create_task(call.hang_up())
    await lane.until(lambda: all(each.done.is_set() for each in lane.watchers), "each subscriber has the end", ENDING_SECONDS)
    verdict = Verdict()
    found = await _found(lane)
    said = [line for node in lane.nodes for line in node.said if RENEWED in line]
    renewed = Counter({call.sid: count for call in lane.calls if (count := sum(call.sid in line for line in said))})
    for call in lane.calls:
        logs = lane.watched.logs.get(call.sid, {})
        if not 1 <= len(logs) <= 1 + renewed[call.sid]:
            verdict.fault("epoch changed" if logs else "never seen", f"{call.sid}: {list(logs)}")
        seen = logs.get(_epoch(found[call.sid]), [])
        same(call.sid, seen, found[call.sid], verdict)
        least, most = lane.expected[call.sid]
        parts = [Part(each.first, each.last, hit=each.hit) for each in call.carried]
        before = len(verdict.faults)
        began_at = call.carried[0].began if call.carried else 0.0
        judge(Truth(call.sid, call.script, parts, (least, most), began_at, lane.line.late_seconds), seen, verdict)
        if len(verdict.faults) > before:
            lane.evidence.broken[call.sid] = {
                "streams": [
                    f"{each.stream.sid} {each.node} {each.began:.3f} {each.ended} {each.first} {each.last} {each.hit}"
                    for each in call.carried
                ],
                "events": [payload.decode() for payload in seen],
            }
    lane.evidence.counts["calls with a new epoch, whose node died behind"] += renewed.total()
    for kind, sid, what in lane.watched.faults:
        if sid not in renewed:
            verdict.fault(kind, f"{sid} {what}")
    _count(lane, verdict)
    for node in lane.nodes:
        for name, value in (await figures(lane.session, node.port)).items():
            if name.startswith(COUNTED) and value:
                lane.evidence.counts[name] += int(value)
    await _stop(lane)


def _epoch(found: Mapping[str, Sequence[bytes]]) -> str:
    """Return the epoch under which a call is kept now. Empty if it is kept nowhere."""
    return next((json.loads(payloads[0])["epoch"] for payloads in found.values() if payloads), "")


async def _found(lane: Lane) -> dict[str, dict[str, list[bytes]]]:
    """Return each call's log in all places that keep it."""
    found: dict[str, dict[str, list[bytes]]] = {call.sid: {} for call in lane.calls}
    for node in lane.nodes:
        for call in lane.calls:
            with suppress(OSError, Refused, TimeoutError):
                found[call.sid][node.name] = await replayed(node.port, call.sid)
            if node.name not in found[call.sid]:
                lane.fault("not replayed", f"{call.sid} by {node.name}")
    if lane.size.archive:
        for sid, payloads in (await asyncio.to_thread(_archived, lane)).items():
            found[sid]["the archive"] = payloads
    return found


def _archived(lane: Lane) -> dict[str, list[bytes]]:
    archive = open_archive(lane.size.archive, alone=False)
    try:
        logs = {call.sid: archive.log(call.sid) for call in lane.calls}
    finally:
        archive.close()
    return {sid: log.payloads if log is not None else [] for sid, log in logs.items()}


async def replayed(port: int, call_sid: str) -> list[bytes]:
    """Read a call from its beginning. Raises: OSError, Refused, TimeoutError."""
    payloads: list[bytes] = []
    newest, whole = -1, asyncio.Event()

    def receive(payload: bytes) -> None:
        nonlocal newest
        event = _decoder.decode(payload) if payload.startswith(b"{") else Told("calls")
        if event.type == "subscribed":
            newest = event.newest
        elif event.offset:
            payloads.append(payload)
        if event.type == "error" or (newest >= 0 and len(payloads) >= newest):
            whole.set()

    socket = await LeanSocket.dial(port, "/client", receive)
    try:
        socket.send(json.dumps({"action": "subscribe", "callSid": call_sid, "interims": False}).encode())
        async with asyncio.timeout(ENDING_SECONDS):
            await whole.wait()
    finally:
        socket.close()
    return payloads


def _count(lane: Lane, verdict: Verdict) -> None:
    """Put what was found into the evidence."""
    evidence, watched = lane.evidence, lane.watched
    for kind, what in verdict.faults:
        evidence.fault(kind, what)
    for number in verdict.gap_seconds:
        evidence.measured("gap", number)
    evidence.measured("words misplaced", verdict.misplaced_seconds)
    evidence.measured("frames sent late", lane.line.late_seconds)
    evidence.counts.update({
        "calls": len(lane.calls), "subscribers": len(lane.watchers), "events": verdict.events, "received": watched.received,
        "words": verdict.words, "words lost in gaps": verdict.lost_in_gaps, "gaps": verdict.gaps, "connections": watched.connections,
        "positions that subscribers came back with": watched.resumed,
        "calls that the machine was too slow for": verdict.slow_calls, "faults in their words": verdict.slow_faults,
        "streams": sum(len(call.carried) for call in lane.calls),
    })  # fmt: skip


async def _stop(lane: Lane) -> None:
    """Let the nodes stop in order, and look for what their logs should not have."""
    for node in lane.nodes:
        node.process.signal(signal.SIGTERM)
    for node in lane.nodes:
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                await node.process.gone.wait()
        if not node.process.gone.is_set():
            lane.fault("does not stop", node.name)
        node.look()
        for line in node.alarms:
            lane.fault("alarms in the log", line)
        lane.evidence.log += node.log
