"""What the full-text index keeps of a call: its words, and its facts as words, so that one look-up answers both.

**Facts as words.** "Calls of the agent `sales` with the word `refund`" is slow when the database takes all calls with the word and looks at
each one's agent, or the other way round: both can be many, and those with both few. So an agent, a state, a number and a callSid are words
too, and the index intersects them. Such a word begins with a character that nobody types, and is a hash, so it has no spaces.

The index gives candidates. What is asked for exactly is compared with the row, and the words by whoever asked.

Pure.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from hub.archive.archive import Facts
from hub.transcript.terms import TOKEN_CHARACTERS

_NO_SPACES = dict.fromkeys([*range(33), 127])
"""ASCII's space and control characters, which divide words in SQLite's index. No word should have any."""

_FACT = "\ue000"
"""From Unicode's private use area."""

UNBOUNDED = f"{_FACT}u"
"""The word of a call whose words do not all fit into the index: a candidate for any search."""

Kind = Literal["agent", "call", "number", "queue", "state"]


def fact(kind: Kind, value: str) -> str:
    """Return a fact as a word."""
    return f"{_FACT}{kind[0]}{hashlib.blake2b(storable(value).encode(), digest_size=10).hexdigest()}"


def facts_of(call_sid: str, facts: Facts) -> set[str]:
    """Return the facts of a call as words."""
    words = {fact("call", call_sid), fact("state", facts.state)}
    words.update(fact("number", number) for number in (facts.from_, facts.to) if number is not None)
    if facts.agent is not None:
        words.add(fact("agent", facts.agent))
    if facts.queue is not None:
        words.add(fact("queue", facts.queue))
    return words


def facts_among(words: Iterable[str]) -> set[str]:
    """Return those of a call's words that are facts."""
    return {word for word in words if word.startswith(_FACT)}


def indexable(words: Iterable[str]) -> set[str]:
    """Return words in the form in which the index has them, and is asked for them."""
    shortened = {storable(word).translate(_NO_SPACES)[:TOKEN_CHARACTERS] for word in words}
    return shortened - {""}


def storable(text: str) -> str:
    """Return text that a database takes: PostgreSQL refuses NUL, and both refuse half of a surrogate pair."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def storable_or_none(text: str | None) -> str | None:
    """Return text that a database takes, or None."""
    return None if text is None else storable(text)
