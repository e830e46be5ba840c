"""Proves that a node of this cluster wrote something. Whoever may write to the server can write there what they like.

Each message, event, note and row carries a keyed BLAKE2b code of 16 bytes over its own bytes and its *place*: the topic it was sent to, or
the call, epoch and offset at which it stands. So nothing is believed that was written without HUB_SECRET, or moved to another place. What
is not found out is something genuine that is sent once more to where it was sent before: offsets and generations put that in order.
"""

import hmac
from hashlib import blake2b

CODE_BYTES = 16


class Signature:
    """The code of one cluster."""

    def __init__(self, secret: str) -> None:
        """Without a secret, everybody knows the key: an open hub believes whatever comes."""
        self._key = blake2b(secret.encode(), digest_size=32, person=b"hub broker").digest()

    def sign(self, place: str, body: bytes) -> bytes:
        """Return a body with its code before it."""
        return self._code(place, body) + body

    def proved(self, place: str, signed: bytes) -> bytes | None:
        """Return the body. None if no node of this cluster wrote it for this place."""
        body = signed[CODE_BYTES:]
        return body if hmac.compare_digest(self._code(place, body), signed[:CODE_BYTES]) else None

    def _code(self, place: str, body: bytes) -> bytes:
        code = blake2b(b"%d " % len(place), digest_size=CODE_BYTES, key=self._key)
        code.update(place.encode())
        code.update(body)
        return code.digest()
