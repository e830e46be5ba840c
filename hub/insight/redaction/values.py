"""Redacts values as programs exchange them: JSON of any shape. Pure."""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

OnText: TypeAlias = Callable[[str], str]
"""Takes a text and returns it without what is secret."""


def redacted_value(value: Any, plain: OnText) -> Any:
    """Return a value of JSON without what is secret in it: in its texts, numbers, keys, and in lists of single digits."""
    match value:
        case str():
            return plain(value)
        case bool() | None:
            return value
        case int() | float():
            text = plain(_written(value))
            return value if text == _written(value) else text
        case list():
            return _redacted_list(value, plain)
        case dict():
            return {plain(str(key)): redacted_value(each, plain) for key, each in value.items()}
        case _:
            return plain(str(value))


def redacted_json(text: str, plain: OnText) -> str:
    """Return a text without what is secret. If it is JSON, its values are looked at one by one, and its form stays."""
    if text[:1] in {"{", "["}:
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return plain(text)
        redacted = redacted_value(value, plain)
        return text if redacted == value else msgspec.json.encode(redacted).decode()
    return plain(text)


def _redacted_list(values: list[Any], plain: OnText) -> list[Any]:
    """Return a list without what is secret, also where a number is spread over it: `["4111", "1111"]`, `[4, 1, 1, 1, 1]`."""
    if len(values) > 1 and all(isinstance(each, str | int) and not isinstance(each, bool) for each in values):
        together = " ".join(map(str, values))
        if any(each.isdecimal() for each in together.split()) and (text := plain(together)) != together:
            return [text]
    return [redacted_value(each, plain) for each in values]


def _written(value: float) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
