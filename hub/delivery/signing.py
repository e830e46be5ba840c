"""Signs messages as Standard Webhooks lays down (https://github.com/standard-webhooks/standard-webhooks, the specification's "Signatures").

Pure. Knows keys and bytes. Does not know what a message says.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"

KEY_BYTES_LEAST, KEY_BYTES_MOST = 24, 64
"""The specification's bounds of a key."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def key_of(secret: str) -> bytes:
    """Return the key in a secret, which is `whsec_` and 24 to 64 bytes in base64. Raises: ValueError, which says what is wrong with it."""
    text = secret.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not KEY_BYTES_LEAST <= len(key) <= KEY_BYTES_MOST:
        raise ValueError(f"it must be {PREFIX} and {KEY_BYTES_LEAST} to {KEY_BYTES_MOST} random bytes in base64")
    return key


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(keys: Iterable[bytes], message_id: str, unix_seconds: float, body: bytes) -> dict[str, str]:
    """Return the three headers of a message: one signature for each key, with a space between them."""
    stamp = str(int(unix_seconds))
    signed = f"{message_id}.{stamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {ID: message_id, TIMESTAMP: stamp, SIGNATURE: " ".join(f"v1,{each}" for each in signatures)}
