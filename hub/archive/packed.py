"""Packs: the events of a sealed call, many of them compressed together.

The events of one call repeat the same names again and again, so that together they take a fifth of their bytes. A pack is zlib over each
event's length, in four bytes, and its payload. It holds about a megabyte, so that nobody needs the memory of a whole day's call at once.
Beside it stands what a search reads of these events: that is a tenth of it, and a page of a search reads it of a hundred calls.

Pure.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hub.archive.archive import StoredEvent
from hub.transcript.search import spoken

PACK_BYTES = 1024 * 1024
"""A pack is closed when its events have this many bytes. Compression gains nothing beyond: zlib looks back 32 KiB."""

_LENGTH = struct.Struct(">I")


class Pack(NamedTuple):
    """Events with consecutive offsets."""

    first: int
    """The offset of the first."""
    size: int
    """The bytes of their payloads."""
    spoken: bytes
    """What a search reads of them: see `hub.transcript.search.spoken`. Compressed, too."""
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


def unpack_spoken(packed: bytes) -> bytes:
    """Return what a search reads of the events of a pack. Raises: ValueError where it is damaged."""
    try:
        return zlib.decompress(packed)
    except zlib.error as error:
        raise ValueError(f"the words of a pack of events are damaged: {error}") from error


def _closed(events: list[StoredEvent], size: int) -> Pack:
    raw = b"".join(part for event in events for part in (_LENGTH.pack(len(event.payload)), event.payload))
    said = spoken(event.payload for event in events)
    return Pack(events[0].offset, size, zlib.compress(said, 6), zlib.compress(raw, 6))
