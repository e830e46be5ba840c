"""Packs: the events of a sealed call, many of them compressed together.

The events of one call repeat the same names again and again, so that together they take a fifth of their bytes. A pack is zlib over each
event's length, in four bytes, and its payload. It holds about a megabyte, so that nobody needs the memory of a whole day's call at once.

Pure. Knows bytes, and not what they mean.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hub.archive.archive import StoredEvent

PACK_BYTES = 1024 * 1024
"""A pack is closed when its events have this many bytes. Compression gains nothing beyond: zlib looks back 32 KiB."""

_LENGTH = struct.Struct(">I")


class Pack(NamedTuple):
    """Events with consecutive offsets."""

    first: int
    """The offset of the first."""
    size: int
    """The bytes of their payloads."""
    packed: bytes


def pack(events: Iterable[StoredEvent]) -> Iterator[Pack]:
    """Pack events, which come in the order of their offsets."""
    waiting: list[StoredEvent] = []
    size = 0
    for event in events:
        if waiting and (size >= PACK_BYTES or event.offset != waiting[-1].offset + 1):
            yield _closed(waiting, size)
            waiting, size = [], 0
        waiting.append(event)
        size += len(event.payload)
    if waiting:
        yield _closed(waiting, size)


def unpack(first: int, packed: bytes) -> Iterator[StoredEvent]:
    """Return the events of a pack. Raises: ValueError where it is damaged."""
    try:
        raw = memoryview(zlib.decompress(packed))
        at, offset = 0, first
        while at < len(raw):
            (length,) = _LENGTH.unpack_from(raw, at)
            at += _LENGTH.size
            yield StoredEvent(offset, bytes(raw[at : at + length]))
            at, offset = at + length, offset + 1
    except (zlib.error, struct.error) as error:
        raise ValueError(f"a pack of events is damaged: {error}") from error


def _closed(events: list[StoredEvent], size: int) -> Pack:
    raw = b"".join(part for event in events for part in (_LENGTH.pack(len(event.payload)), event.payload))
    return Pack(events[0].offset, size, zlib.compress(raw, 6))
