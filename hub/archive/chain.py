"""The chain that holds the rows of the audit log together: a row that is changed, taken out or moved no longer fits.

Each row has a digest of itself and of the digest before it. What a chain cannot show by itself is that rows were cut off at its end: what
is left is a good chain. So whoever wants to know notes the newest digest elsewhere, now and then, and looks for it later.

Knows rows and digests. Does not know where they are stored.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from hub.archive.archive import Access, AuditRow

FIRST = ""
"""What stands for the digest before the first row."""


def digest_of(id_: int, access: Access, previous: str) -> str:
    """Return the digest of a row: SHA-256, in hexadecimal, of a JSON list with everything in it and the digest before it."""
    told = [id_, access.at, access.subject, access.action, access.call_sid, access.detail, previous]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def linked(accesses: Iterable[Access], last: AuditRow | None) -> list[AuditRow]:
    """Return rows that go on behind `last`. None begins a chain."""
    rows: list[AuditRow] = []
    for access in accesses:
        id_, previous = (last.id + 1, last.digest) if last is not None else (1, FIRST)
        last = AuditRow(id=id_, access=access, previous=previous, digest=digest_of(id_, access, previous))
        rows.append(last)
    return rows


@dataclass(slots=True)
class Verification:
    """What was found in the rows of a chain so far, read from its beginning."""

    rows: int = 0
    head: str = FIRST
    """The digest of the newest row."""
    last_id: int = 0
    """The id of the newest row."""
    problem: str = ""
    """What is wrong with the first row that does not fit, for people. Empty while all do. Nothing is read after it."""

    def read(self, rows: Iterable[AuditRow]) -> bool:
        """Read the rows that follow, in the order of their ids. Return whether they fit."""
        for row in rows:
            if self.problem:
                break
            if row.id != self.last_id + 1 or row.previous != self.head:
                self.problem = f"before row {row.id}, one or more rows were taken out, put in or moved"
            elif row.digest != digest_of(row.id, row.access, row.previous):
                self.problem = f"row {row.id} was changed"
            else:
                self.rows, self.head, self.last_id = self.rows + 1, row.digest, row.id
        return not self.problem
