"""Languages as people write them, in the one form that each vendor's adapter starts from. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

MULTI: Final = "multi"
"""What Deepgram and AssemblyAI call a conversation in several languages."""

_SEPARATORS: Final = re.compile(r"[\s,;|\[\]\"']+")
_TAG: Final = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,4}", re.ASCII)
_SAME: Final = {"nb": "no", "cmn": "zh", "iw": "he", "in": "id"}
"""Codes for which all vendors have another one: Bokmål, Mandarin, and the old codes of Hebrew and Indonesian."""


def tags(written: str | None) -> tuple[str, ...]:
    """Return the languages in a text as BCP 47 tags, in order, each once: `EN_us; pt-br` is `en-US` and `pt-BR`. `multi` stays `multi`.

    What cannot be a tag is left out: see `strange`.
    """
    return tuple(dict.fromkeys(tag for _, tag in _parts(written) if tag))


def strange(written: str | None) -> tuple[str, ...]:
    """Return the parts of a text that cannot be tags: a call is transcribed without them, as the provider's settings say."""
    return tuple(part for part, tag in _parts(written) if not tag)


def bare(wanted: Iterable[str]) -> tuple[str, ...]:
    """Return tags without what follows the language, each once: `en-US` and `en-GB` are `en`."""
    return tuple(dict.fromkeys(tag.partition("-")[0] for tag in wanted))


def _parts(written: str | None) -> Iterator[tuple[str, str]]:
    """Yield each part of a text with its tag, which is empty if the part cannot be one."""
    for part in filter(None, _SEPARATORS.split(written or "")):
        lower = re.split(r"[.@]", part)[0].replace("_", "-").lower()  # `en_US.UTF-8`, as a machine's own setting has it
        yield part, _tag(lower) if lower == MULTI or _TAG.fullmatch(lower) else ""


def _tag(lower: str) -> str:
    """Return a tag as RFC 5646 section 2.1.1 writes it: `en-US`, `zh-Hant`, `es-419`."""
    language, *rest = lower.split("-")
    parts = (part.upper() if len(part) == 2 else part.title() if len(part) == 4 else part for part in rest)
    return "-".join([_SAME.get(language, language), *parts])
