"""The utterances of a call, read back from the payloads of its log. Pure."""

from collections.abc import Iterable

import msgspec

from hub.events import Final

_decoder = msgspec.json.Decoder(Final)
_BEGINNING = b'{"type":"final"'
"""How the payload of a final begins: the encoder writes the tag first. So the others need not be decoded."""


def finals(payloads: Iterable[bytes]) -> list[Final]:
    """Return the utterances among these events that have text, in the order in which they ended."""
    return [final for payload in payloads if payload.startswith(_BEGINNING) and (final := _decoder.decode(payload)).text]
