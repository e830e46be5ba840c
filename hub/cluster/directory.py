"""The calls of all nodes, as the registry shows them: each call of another node is known here without its events.

Knows rows and news. Does not know how the events of such a call are brought (`replicas.py`).
"""

import logging
from collections.abc import Callable

import msgspec

from hub.broker.broker import Broker, News, Row
from hub.events import CallSummary, Durable, decode
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

_rows: msgspec.json.Decoder[list[Row]] = msgspec.json.Decoder(list[Row])
_summaries: msgspec.json.Decoder[CallSummary | None] = msgspec.json.Decoder(CallSummary | None)


class Directory:
    """Keeps the registry in step with the calls of the other nodes."""

    def __init__(
        self, registry: Registry, broker: Broker, node_id: str, on_taken: Callable[[Record, Row], None], on_unknown: Callable[[], None]
    ) -> None:
        """`on_taken` is called when a call of this node turns out to be another's. `on_unknown`: the broker does not know this node's calls
        (any more): they are to be registered again."""
        self._registry = registry
        self._broker = broker
        self._node_id = node_id
        self._on_taken = on_taken
        self._on_unknown = on_unknown
        self._number = 0
        """Of the newest news that was applied."""
        self.life = ""
        """The broker's; see Snapshot."""

    async def read(self) -> None:
        """Learn all calls anew, after news were missed. Raises: BrokerError."""
        snapshot = await self._broker.snapshot()
        for row in snapshot.rows:
            self._apply(row)
        self._number = snapshot.number
        if self.life and snapshot.life != self.life:
            log.warning("the broker has lost what it knew: this node tells it its calls again")
            self._on_unknown()
        self.life = snapshot.life

    def told(self, news: News) -> None:
        """Take a change. Never waits."""
        if news.number <= self._number:
            return
        self._number = news.number
        if news.erased:
            self._registry.erase(news.row.call_sid)
            return
        record = self._apply(news.row)
        if record is not None and record.owner and news.event != b"null":
            self._announce(record, bytes(news.event))

    def refreshed(self, body: bytes) -> None:
        """Take what another node says of its live calls. Never waits."""
        try:
            rows = _rows.decode(body)
        except msgspec.DecodeError:
            return
        for row in rows:
            record = self._registry.known(row.call_sid)
            if record is not None and record.owner == row.owner and record.generation == row.generation and not record.loaded:
                self._apply(row)

    def _announce(self, record: Record, payload: bytes) -> None:
        try:
            event = decode(payload)
        except ValueError:
            return  # of a type that a newer version has
        if isinstance(event, Durable):
            self._registry.announce(record, event, payload)

    def _apply(self, row: Row) -> Record | None:
        """Make a call known as its row has it. Returns its record; None for a call that ended too long ago."""
        record = self._registry.known(row.call_sid)
        if row.owner == self._node_id:
            return record
        if record is not None and not record.owner:
            if row.generation <= record.generation:
                return record  # what another node said before this one took the call
            self._on_taken(record, row)
            record = self._registry.known(row.call_sid)
        if record is not None and row.generation < record.generation:
            return record
        summary = self._summary(row)
        if record is None and summary is None:
            return None  # claimed, and nothing has happened in it yet
        if record is None or record.topic.log.epoch != row.epoch:
            record = self._registry.learn(row.call_sid, row.owner, row.epoch, row.number)
        record.owner, record.generation = row.owner, row.generation
        if summary is not None and not record.loaded:
            self._registry.told(record, summary)
        return record

    def _summary(self, row: Row) -> CallSummary | None:
        try:
            return _summaries.decode(row.summary)
        except msgspec.DecodeError:
            log.warning("call=%s another node tells of this call in a form that this version cannot read", row.call_sid)
            return None
