"""Server-Sent Events from the hub to a peer, as bytes: the blocks of https://html.spec.whatwg.org/multipage/server-sent-events.html.

A block has a message in `data`, and in `id` the position behind it, which the peer brings back as `Last-Event-ID`. What has no position, an
interim for example, has no `id`, so that the peer keeps the position that it has. No block names its `event`: a page gets all of them by
`onmessage`, also those of types that it does not know. Each is a chunk of an answer of HTTP/1.1 (RFC 9112 section 7.1).
"""

import msgspec

COMMENT = b":\n\n"
"""A block that says nothing: the stream is alive."""


class Stamp(msgspec.Struct, frozen=True):
    """What a message says of its place in a log, and when it was made. Empty where it says nothing."""

    epoch: str = ""
    offset: int = 0
    at: str = ""
    type: str = ""
    whole: bool = True
    """False in a `subscribed` whose reader lacks something."""


_stamps = msgspec.json.Decoder(Stamp)


def stamp_of(payload: bytes) -> Stamp:
    """Return where a message has its place."""
    return _stamps.decode(payload)


def block(payload: bytes, position: str = "") -> bytes:
    """Return a message as a block. `payload` is one line of JSON. `position`: behind it; empty where it has none."""
    if position:
        return b"id: %b\ndata: %b\n\n" % (position.encode(), payload)
    return b"data: %b\n\n" % payload


def chunk(data: bytes) -> bytes:
    """Return a chunk of an answer in HTTP/1.1."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def call_block(payload: bytes) -> bytes:
    """Return a message about one call as a block, with the position in that call: what a peer of HTTP/1.0 gets."""
    stamp = stamp_of(payload)
    return block(payload, f"{stamp.epoch}:{stamp.offset}" if stamp.epoch else "")


def call_chunk(payload: bytes) -> bytes:
    """Return a message about one call as a chunk."""
    return chunk(call_block(payload))
