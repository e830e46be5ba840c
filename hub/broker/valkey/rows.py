"""The registry of all calls and nodes on Valkey: who owns what, who lives, and the news of it.

Decides in Python on a row that was read, and changes it only if it is still the same. Knows no log.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from hub.broker.broker import AgentsFull, BrokerError, HoldTimes, News, Node, Row, Snapshot
from hub.broker.ownership import LONGEST_PAUSE_SECONDS
from hub.broker.valkey.failures import is_foreign
from hub.broker.valkey.news import Chapter
from hub.broker.valkey.scripts import LuaScript
from hub.broker.valkey.server import BrokerServer
from hub.broker.valkey.signing import Signature

TAKEN, FULL = 1, 2
"""What the script answers that changes a row. Anything else: the row is another one by now."""

REGISTERED_AT_ONCE = 20
"""So many rows a script registers. More would keep the server from others for too long."""

SENT_AT_ONCE = 500
"""So many rows are sent in one round trip."""

SCANNED_AT_ONCE = 500

ERASED = b"erased"
"""Stands in the place of an event in news of an erased call. No event looks like it."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Beaten:
    """The cluster at the moment of a beat."""

    life: str
    number: int
    """Of the newest news."""
    living: list[Node]
    at: float
    """The server's time, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as it was read, and what is known of its owner."""

    raw: bytes
    """As it is stored. Empty: there is none."""
    row: Row | None
    """None also for one that no node of this cluster wrote."""
    owner: Node | None
    holds: bool
    """Whether the owner's lease holds."""
    broker_was_away: bool = False
    """See Claimed.broker_was_away."""


class Rows:
    """The registry."""

    def __init__(self, server: BrokerServer, signature: Signature, times: HoldTimes) -> None:
        self._server = server
        self._signature = signature
        self._times = times
        self._channel = server.keys.channel("news:reg")

    # nodes

    async def beat(self, node: Node, *, joining: bool) -> Beaten:
        """Renew a lease. `joining`: refuse to where living nodes have another secret or protocol. Raises: BrokerError."""
        kind = f"{node.protocol} {node.secret}"
        signed = self._signature.sign(f"node {node.id}", msgspec.json.encode(node))
        answer = await self._run(
            self._server.scripts.beat,
            _name(node.id),
            f"{kind}\n".encode() + signed,
            round(self._times.lease_seconds * 1000),
            round(self._times.keep_seconds * 1000),
            int(joining),
            kind,
            round(LONGEST_PAUSE_SECONDS * 1000),
        )
        if not answer[0]:
            raise BrokerError(_misfit(node, answer[1]))
        living = [each for each in map(self._node, answer[3]) if each is not None]
        return Beaten(answer[1].decode(errors="replace"), int(answer[2]), living, int(answer[4]) + int(answer[5]) / 1e6)

    async def leave(self, node_id: str) -> None:
        """End a lease."""
        await self._run(self._server.scripts.leave, _name(node_id))

    # rows

    async def look(self, call_sid: str) -> Seen:
        """Read a row."""
        lease_ms = round(self._times.lease_seconds * 1000)
        raw, owner, holds, broker_was_away = await self._run(self._server.scripts.look, call_sid, lease_ms, writes=False)
        return Seen(raw, self._row(raw) if raw else None, self._node(owner), holds=bool(holds), broker_was_away=bool(broker_was_away))

    async def take(self, seen: Seen, row: Row, *, told: bool, agents_at_most: int | None = None, steady: bool = True) -> bool | AgentsFull:
        """Change a row if it is still as it was seen. Returns whether it was. AgentsFull: agents may not answer any more calls."""
        at_most = -1 if agents_at_most is None else agents_at_most
        return await self._take(row.call_sid, seen, self._stored(row), told, b"", at_most, steady, 0)

    async def erase(self, call_sid: str, seen: Seen, generation: int) -> bool:
        """Remove a row if it is still as it was seen, and tell everyone. Returns whether it was."""
        gone = Row(call_sid=call_sid, owner="-", generation=generation, epoch="", number=0)
        event = self._signature.sign(f"event {call_sid}", ERASED)
        erased_ms = round(self._times.keep_seconds * 1000)
        return bool(await self._take(call_sid, seen, self._stored(gone), True, event, -1, True, erased_ms))

    async def register(self, rows: Sequence[Row], events: Sequence[bytes | None]) -> list[bool]:
        """See Broker.register."""
        taken: list[bool] = []
        for some in _parts(list(zip(rows, events, strict=True)), SENT_AT_ONCE):
            calls = [[part for row, event in few for part in self._registered(row, event)] for few in _parts(some, REGISTERED_AT_ONCE)]
            for answer in await self._run_all(self._server.scripts.register, calls):
                taken += map(bool, answer)
        return taken

    async def lost(self) -> list[Row]:
        """Return the live calls of nodes whose leases have ended."""
        found = await self._run(self._server.scripts.lost, writes=False)
        return [row for row in map(self._row, found) if row is not None]

    async def snapshot(self) -> Snapshot:
        """Return all rows."""
        life, number = await self._newest()
        rows: dict[str, Row] = {}
        cursor = 0
        while True:
            (answer,) = await self._server.commands([("HSCAN", self._server.keys.rows, cursor, "COUNT", SCANNED_AT_ONCE)])
            if is_foreign(answer):
                await self._mend()
                return await self.snapshot()
            cursor = int(answer[0])
            found = answer[1]
            stored = found.values() if isinstance(found, dict) else found[1::2]
            rows |= {row.call_sid: row for row in map(self._row, stored) if row is not None}
            if not cursor:
                break
        return Snapshot(life, number, list(rows.values())) if (await self._newest())[0] == life else await self.snapshot()

    # news

    async def chapter(self, after: int) -> Chapter:
        """Return news behind a number."""
        life, newest, entries = await self._run(self._server.scripts.news, after + 1, writes=False)
        news = []
        for entry_id, fields in entries:
            number = int(entry_id[2:]) if entry_id.startswith(b"0-") else 0
            news.append((number, self._news(number, fields[1], fields[3]) if len(fields) == 4 else None))
        return Chapter(life.decode(errors="replace"), int(newest), news)

    def message(self, body: bytes) -> tuple[str, News] | None:
        """Read news that came as a message, with their life. None if no node of this cluster wrote them."""
        head, _, rest = body.partition(b"\n")
        match head.split(b" "):
            case [life, number, length] if number.isdigit() and length.isdigit():
                news = self._news(int(number), rest[: int(length)], rest[int(length) :])
                return None if news is None else (life.decode(errors="replace"), news)
        self._server.refuse("a message")
        return None

    async def _newest(self) -> tuple[str, int]:
        life, newest, _ = await self._run(self._server.scripts.news, 2**62, writes=False)
        return life.decode(errors="replace"), int(newest)

    async def _take(
        self, call_sid: str, seen: Seen, stored: bytes, told: bool, event: bytes, at_most: int, steady: bool, erased_ms: int
    ) -> bool | AgentsFull:
        kind, answering = await self._run(
            self._server.scripts.take, call_sid, seen.raw, stored, int(told), event, at_most, int(steady), erased_ms
        )
        return AgentsFull(answering) if kind == FULL else kind == TAKEN

    async def _run(self, script: LuaScript, *arguments: Any, writes: bool = True) -> Any:
        (answer,) = await self._run_all(script, [arguments], writes=writes)
        return answer

    async def _run_all(self, script: LuaScript, arguments: Sequence[Sequence[Any]], *, writes: bool = True) -> list[Any]:
        """Run a script on the registry, with each of several arguments. If somebody else wrote to its keys, what is theirs is removed, and
        all of it is done again."""
        calls = [(self._server.keys.registry, (secrets.token_hex(4), self._channel, *each)) for each in arguments]
        answers = await self._server.run(script, calls, writes=writes)
        if any(map(is_foreign, answers)):
            await self._mend()
            answers = await self._server.run(script, calls, writes=writes)
        for answer in filter(is_foreign, answers):
            raise self._server.failed(answer)
        return answers

    def _registered(self, row: Row, event: bytes | None) -> tuple[str, bytes, bytes]:
        """Return what the script that registers has to know of a row."""
        signed = b"" if event is None else self._signature.sign(f"event {row.call_sid}", event)
        return row.call_sid, self._stored(row), signed

    async def _mend(self) -> None:
        self._server.refuse("something in the registry's keys")
        await self._server.run(self._server.scripts.mend, [(self._server.keys.registry, (secrets.token_hex(4),))])

    def _stored(self, row: Row) -> bytes:
        """Return a row as it is stored: what scripts have to know of it, and the row, signed."""
        ended = "" if row.ended_at is None else str(round(row.ended_at * 1000))
        head = f"{row.generation} {_name(row.owner)} {int(row.ended_at is None)} {int(row.agent)} {ended}\n"
        return head.encode() + self._signature.sign("row", msgspec.json.encode(row))

    def _row(self, stored: bytes) -> Row | None:
        """Read a row. None if no node of this cluster wrote it."""
        proved = self._signature.proved("row", stored.partition(b"\n")[2])
        if proved is None:
            self._server.refuse("a row")
            return None
        return _ROWS.decode(proved)

    def _node(self, stored: bytes | None) -> Node | None:
        """Read a node. None if there is none, or no node of this cluster wrote it."""
        if not stored:
            return None
        signed = stored.partition(b"\n")[2]
        node = _decoded_node(signed)
        if node is None or self._signature.proved(f"node {node.id}", signed) is None:
            self._server.refuse("a node")
            return None
        return node

    def _news(self, number: int, stored: bytes, signed_event: bytes) -> News | None:
        row = self._row(stored)
        if row is None:
            return None
        if not signed_event:
            return News(number=number, row=row)
        event = self._signature.proved(f"event {row.call_sid}", signed_event)
        if event is None:
            self._server.refuse("an event in the news")
            return None
        if event == ERASED:
            return News(number=number, row=row, erased=True)
        return News(number=number, row=row, event=msgspec.Raw(event))


_ROWS = msgspec.json.Decoder(Row)
_NODES = msgspec.json.Decoder(Node)


def _parts(items: list[Item], length: int) -> list[list[Item]]:
    return [items[begin : begin + length] for begin in range(0, len(items), length)]


def _name(node_id: str) -> str:
    """Return a node's id as scripts know it: without spaces and line breaks."""
    return quote(node_id, safe="") or "-"


def _decoded_node(signed: bytes) -> Node | None:
    try:
        return _NODES.decode(signed[16:])
    except msgspec.DecodeError:
        return None


def _misfit(node: Node, stored: bytes) -> str:
    """Return why a node cannot join, given one that lives."""
    kind, _, signed = stored.partition(b"\n")
    other = _decoded_node(signed)
    name = other.name if other is not None else "unknown"
    protocol, _, secret = kind.decode(errors="replace").partition(" ")
    if secret != node.secret:
        return f"node {name} of the same cluster has another HUB_SECRET"
    return f"node {name} of the same cluster has protocol {protocol} and not {node.protocol}"
