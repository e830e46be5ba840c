"""Reads a vendor's messages, and tells one of a kind that this hub does not know from one that is broken: vendors add kinds."""

from collections.abc import Set
from typing import TypeVar

import msgspec

from hub.errors import WireError

M = TypeVar("M")


class _Kind(msgspec.Struct, frozen=True):
    type: str


_kind = msgspec.json.Decoder(_Kind)


def read(decoder: "msgspec.json.Decoder[M]", text: str | bytes, known: Set[str], provider: str) -> M | None:
    """Read one text frame; None for a message whose `type` is none of the `known`.

    Raises: WireError when it is no JSON object with a `type`, or one that is known lacks a field.
    """
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        if _is_unknown(text, known):
            return None
        raise WireError(provider, f"sent a message that cannot be read: {exc}") from exc


def _is_unknown(text: str | bytes, known: Set[str]) -> bool:
    try:
        return _kind.decode(text).type not in known
    except (ValueError, RecursionError):
        return False
