"""Watches the live calls of this node for what the rules of the watchwords look for, and publishes the alerts.

Each event and each interim that is published passes here (`hub.topics.annotator`), so an alert stands right behind what caused it. A clock
is looked at for what depends on time: phrases in interims that have to hold for a second, silences, and the length of a call.

Knows calls and their clocks. What fits a rule is decided in `hub.insight.call_watch`.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from hub.calls.call import Call
from hub.calls.publisher import Publisher
from hub.errors import ConfigError
from hub.events import Durable, Interim
from hub.insight.call_watch import CallWatch
from hub.insight.rule_file import RuleError, read_rules
from hub.insight.rules import Watchwords
from hub.ops.logs import CallLog
from hub.text.text_file import read_text
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.05
"""How often interims that hold a phrase are looked at: an alert is later by so much at most."""

LOOKS_PER_SECOND = round(1 / LOOK_SECONDS)
"""The length of a call, and silences, are looked at once per second."""


class LiveCalls(Protocol):
    """The calls that are live on this node."""

    def everyone(self) -> Sequence[Call]:
        """Return the newest Call of each callSid."""

    def call_ms(self, call_sid: str) -> float | None:
        """Return the call time of a live call. None where there is none."""


def read_watchwords(path: str) -> Watchwords:
    """Return the rules of the file that HUB_WATCHWORDS names. Raises: ConfigError, one sentence with the line and the reason."""
    try:
        return read_rules(read_text(Path(path)))
    except ConfigError as error:
        raise ConfigError("HUB_WATCHWORDS", f"{path} {error.problem}") from error
    except RuleError as error:
        raise ConfigError("HUB_WATCHWORDS", f"{path} {error}") from error


class WatchedCalls:
    """Watches all calls of this node. Implements `hub.topics.annotator.Annotator`."""

    def __init__(self, watchwords: Watchwords, registry: Registry) -> None:
        self._watchwords = watchwords
        self._registry = registry
        self._holding: dict[str, Record] = {}
        """Calls in whose interims there is a phrase that has still to hold, by callSid."""

    def published(self, record: Record, event: Durable) -> Iterable[Durable]:
        """See Annotator."""
        try:
            return self._watch(record).apply(event, record.ahead.statistics)
        except Exception:  # noqa: BLE001  a rule is a unit: the call goes on without its alert
            self._fail(record)
            return ()

    def revised(self, record: Record, interim: Interim) -> Iterable[Durable]:
        """See Annotator."""
        try:
            watch = self._watch(record)
            due = watch.revise(interim, self._registry.clock())
        except Exception:  # noqa: BLE001  as above
            self._fail(record)
            return ()
        if watch.holds:
            self._holding[record.call_sid] = record
        return due

    def owed(self, record: Record) -> Iterable[Durable]:
        """See Annotator."""
        try:
            return self._watch(record).due(record.ahead.statistics)
        except Exception:  # noqa: BLE001  as above
            self._fail(record)
            return ()

    async def run(self, calls: LiveCalls) -> None:
        """Look at the calls, until cancelled."""
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            self._look_at_holding(calls)
            if self._watchwords.timed and looks % LOOKS_PER_SECOND == 0:
                for call in calls.everyone():
                    self._look(call.record, call.call_ms)

    def _look_at_holding(self, calls: LiveCalls) -> None:
        for call_sid, record in list(self._holding.items()):
            self._look(record, calls.call_ms(call_sid) or 0.0)
            if record.owner or record.watch is None or not record.watch.holds:
                del self._holding[call_sid]

    def _look(self, record: Record, call_ms: float) -> None:
        if record.owner or record.held_back is not None:  # another node's, or still
            return
        try:
            due = self._watch(record).look(self._registry.clock(), call_ms / 1000)
        except Exception:  # noqa: BLE001  as above
            self._fail(record)
            return
        self._publish(record, due)

    def _publish(self, record: Record, due: Iterable[Durable]) -> None:
        publisher = Publisher(record, self._registry)
        for event in due:
            publisher.publish(event)

    def _watch(self, record: Record) -> CallWatch:
        if record.watch is None:
            record.watch = CallWatch(self._watchwords, record.watched)
        return record.watch

    def _fail(self, record: Record) -> None:
        CallLog(log, {"call": record.call_sid}).exception("the watchwords could not be looked for")
