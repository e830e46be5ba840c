"""Tells a message of a kind that this hub does not know from one that is broken: vendors add kinds, and no call may suffer from that."""

from collections.abc import Set

import msgspec


class _Kind(msgspec.Struct, frozen=True):
    type: str


_kind = msgspec.json.Decoder(_Kind)


def is_unknown(text: str | bytes, known: Set[str]) -> bool:
    """Return whether a text that could not be read is a message all the same, with a `type` that is none of these."""
    try:
        return _kind.decode(text).type not in known
    except (ValueError, RecursionError):
        return False
