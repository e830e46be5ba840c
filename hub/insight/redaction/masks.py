"""What stands in a text in place of what is masked. Pure."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from hub.events import Word

HIDDEN: Final = "…"
"""Stands in an interim for digits of which nobody knows yet whether more follow."""


class Mask(NamedTuple):
    """A part of a text that is masked, and with what."""

    start: int
    end: int
    label: str
    """What stands there instead, such as `[card]`."""


def label(kind: str) -> str:
    """Return what stands in a text for something of this kind."""
    return f"[{kind}]"


LABELS: Final = frozenset(map(label, ("card", "email", "iban", "number", "phone", "redacted")))
"""All that can stand in a text for something that is masked."""


def is_label(text: str) -> bool:
    """Return whether a word stands for something that is masked."""
    return text in LABELS


def merged(masks: Iterable[Mask]) -> list[Mask]:
    """Return masks in order, those that overlap as one. The label of the longer one stays."""
    made: list[Mask] = []
    for mask in sorted(masks):
        if made and mask.start < made[-1].end:
            last = made[-1]
            longer = max(last, mask, key=lambda each: each.end - each.start)
            made[-1] = Mask(last.start, max(last.end, mask.end), longer.label)
        else:
            made.append(mask)
    return made


def masked(text: str, masks: Iterable[Mask]) -> str:
    """Return a text with what is masked replaced."""
    parts: list[str] = []
    at = 0
    for mask in merged(masks):
        parts += text[at : mask.start], mask.label
        at = mask.end
    return "".join((*parts, text[at:])) if parts else text


def masked_words(text: str, words: list[Word], masks: Iterable[Mask]) -> list[Word]:
    """Return a text's words with all words of a masked part as one, which lasts as long as they do.

    Words are found in the text in their order. A provider may spell one differently there than in its text: `two` and `2`. Such a word
    lies between its neighbours, so it is masked if the text between them is masked at all.
    """
    hidden = merged(masks)
    if not hidden:
        return words
    made: list[Word] = []
    last: Mask | None = None
    for word, (start, end) in zip(words, _places(text, words), strict=True):
        mask = next((mask for mask in hidden if mask.start < end and start < mask.end), None)
        if mask is None:
            made.append(word)
        elif mask is last:
            made[-1] = Word(text=mask.label, start=made[-1].start, end=max(made[-1].end, word.end))
        else:
            made.append(Word(text=mask.label, start=word.start, end=word.end))
        last = mask
    return made


def _places(text: str, words: list[Word]) -> list[tuple[int, int]]:
    """Return from where to where each word stands in the text. Of one that is not found: from and to where it can only be."""
    lowered = text.lower()
    found: list[int] = []
    at = 0
    for word in words:
        place = lowered.find(word.text.lower(), at) if word.text else -1
        found.append(place)
        if place >= 0:
            at = place + len(word.text)
    places: list[tuple[int, int]] = []
    behind = 0
    for number, (word, place) in enumerate(zip(words, found, strict=True)):
        if place >= 0:
            behind = place + len(word.text)
            places.append((place, behind))
        else:
            places.append((behind, next((later for later in found[number + 1 :] if later >= 0), len(text))))
    return places
