"""Key terms: names and words to listen for, cut to what a provider takes. Pure."""

from collections.abc import Iterable


def within(terms: Iterable[str], *, most: int, most_chars: int) -> list[str]:
    """Return terms, each once, as far as a provider takes them: so many, each of so many characters.

    Providers refuse a session with one term too many, and then the whole call has no transcript.
    """
    wanted = dict.fromkeys(filter(None, (" ".join(term.split()) for term in terms)))
    return [_cut(term, most_chars) for term in list(wanted)[:most]]


def _cut(term: str, most_chars: int) -> str:
    """Return a term of at most so many characters, whole words if it has any."""
    if len(term) <= most_chars:
        return term
    return term[: most_chars + 1].rpartition(" ")[0] or term[:most_chars]
