"""The calls that have ended and are still to get a note: a list beside the calls themselves.

A call is listed in the transaction that stores its end, and taken from the list in the one that stores its note. So no call is forgotten,
whoever is killed when. Whatever erases a call erases its place in the list.

Every method blocks, and raises ArchiveError. Knows events as bytes. Does not know how a note is written.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

ENDED, NOTE = b'{"type":"call-ended"', b'{"type":"note"'
"""How the payloads of an end and of a note begin: the encoder writes the tag first."""


class UnnotedCall(NamedTuple):
    """A call that has ended and has no note yet."""

    call_sid: str
    ended_at: float
    """Unix seconds."""


class Unnoted(Protocol):
    """The list."""

    wanted: bool
    """Whether calls that end are listed. Set before the first call."""

    def due(self, limit: int, beside: Collection[str] = ()) -> tuple[list[UnnotedCall], int]:
        """Return calls of the list, the one that began first at the beginning, without those `beside`; and how many are listed in all.

        A call that goes on is not returned.
        """

    def drop(self, call_sid: str) -> None:
        """Take a call from the list: it gets no note, or has one."""


def listed(payloads: Iterable[bytes]) -> bool | None:
    """Return whether these new events of a call put it on the list, or take it away. None: neither."""
    found = None
    for payload in payloads:
        if payload.startswith(ENDED):
            found = True
        elif payload.startswith(NOTE):
            found = False
    return found
