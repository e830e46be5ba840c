"""Calls that are over and were read back, for as long as somebody reads them. Lists do not show them.

Knows how many are kept, and for how long. Does not know where they come from.
"""

from collections.abc import Callable, Iterator

from hub.topics.record import Record

RECALLED_SECONDS = 60.0
"""How long a call that was read back from the archive is kept once nobody reads it."""

RECALLED_CALLS, RECALLED_BYTES = 1000, 64 * 1024 * 1024
"""How many such calls are kept at most, and how much of them: who exports a year of calls reads hundreds in that time."""


class RecalledCalls:
    """The calls that were read back, in the order in which they came."""

    def __init__(self, must_keep: Callable[[Record], bool], let_go: Callable[[Record], None]) -> None:
        """`must_keep`: whether a call has something that is stored nowhere yet. `let_go` is called with each call that is forgotten."""
        self._must_keep = must_keep
        self._let_go = let_go
        self._records: dict[str, Record] = {}

    def put(self, record: Record) -> None:
        """Keep one more call. Where there are too many, the oldest go: not the newest, and none that is being replayed."""
        self._records[record.call_sid] = record
        size = sum(each.topic.log.kept_bytes for each in self._records.values())
        for each in list(self._records.values())[:-1]:
            if len(self._records) <= RECALLED_CALLS and size <= RECALLED_BYTES:
                return
            if not _is_replayed(each) and not self._must_keep(each):
                size -= each.topic.log.kept_bytes
                self._forget(each)

    def get(self, call_sid: str) -> Record | None:
        """Return a call, or None."""
        return self._records.get(call_sid)

    def pop(self, call_sid: str) -> Record | None:
        """Return a call, and keep it no longer. None if there is none."""
        return self._records.pop(call_sid, None)

    def expire(self, now: float) -> None:
        """Forget those that nobody has read for a while. `now`: the registry's clock."""
        for record in list(self._records.values()):
            if _is_replayed(record):
                record.ended_at = now
            elif record.ended_at <= now - RECALLED_SECONDS and not self._must_keep(record):
                self._forget(record)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def _forget(self, record: Record) -> None:
        self._let_go(self._records.pop(record.call_sid))


def _is_replayed(record: Record) -> bool:
    return any(not following.complete for following in record.topic.audience.followings)
