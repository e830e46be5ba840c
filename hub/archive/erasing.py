"""What becomes of calls that are to be erased: gone, or kept, with the reason in a sentence.

Used in the archive's threads by a running hub, and by commands where no hub runs. Knows rows. Does not know memory or recordings.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hub.archive.archive import Access, Archive, Tombstone

BATCH = 100
"""Calls erased in one transaction, so that what live calls say can be stored in between."""

ON_REQUEST = "on request"
"""Why a call was erased that somebody wanted to be erased. Otherwise its time was over, and the reason says how long that was."""

LIVE = "it is live: it can be erased once it has ended"
HELD = "it is under a legal hold: release that first"
UNKNOWN = "no such call"


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, and what was not."""

    call_sids: list[str] = field(default_factory=list)
    """Those that are gone."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Those that are still there, and why: a sentence for each."""
    recordings: Mapping[str, str] = field(default_factory=dict)
    """Those of the calls that are gone whose recordings could not be deleted yet, and why. A hub tries again until they are."""


def erase(archive: Archive, call_sids: Iterable[str], reason: str, note: Access) -> Erased:
    """Erase what can be erased of these calls. `note`: what the audit log says of each. Blocks. Raises: ArchiveError."""
    wanted = list(dict.fromkeys(call_sids))
    gone: list[str] = []
    for start in range(0, len(wanted), BATCH):
        gone += archive.erase(wanted[start : start + BATCH], reason, note.at, note)
    left = set(wanted).difference(gone)
    return Erased(gone, {call_sid: _why_kept(archive, call_sid) for call_sid in wanted if call_sid in left})


def _why_kept(archive: Archive, call_sid: str) -> str:
    found = archive.find(call_sid)
    if found is None:
        return UNKNOWN
    if isinstance(found, Tombstone):
        return f"it was erased before: {found.reason}"
    return HELD if found.held else LIVE
