"""Reads vendors' JSON messages. An unknown type is not an error, because vendors add types; a broken message is one."""

from collections.abc import Set
from typing import TypeVar

import msgspec

from hub.errors import WireError

M = TypeVar("M")


class _MessageType(msgspec.Struct, frozen=True):
    type: str


_type = msgspec.json.Decoder(_MessageType)


def read(decoder: "msgspec.json.Decoder[M]", text: str | bytes, known: Set[str], provider: str) -> M | None:
    """Read one text frame; None for a message whose `type` is not among the `known` ones.

    Raises: WireError if it is not a JSON object with a `type`, or if a known type lacks a field.
    """
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        if _is_unknown(text, known):
            return None
        raise WireError(provider, f"sent a message that cannot be read: {exc}") from exc


def _is_unknown(text: str | bytes, known: Set[str]) -> bool:
    try:
        return _type.decode(text).type not in known
    except (ValueError, RecursionError):
        return False
