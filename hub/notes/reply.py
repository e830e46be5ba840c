"""What of a model's answer is believed: nothing but short sentences, each of which rests on utterances that the model was given.

Pure. Does not know who is asked.
"""

from collections.abc import Iterable

import msgspec

from hub.events import NoteSentence
from hub.text.foreign_text import line

SENTENCES_MOST = 12
"""A longer list is cut off: nobody reads it."""

SENTENCE_CHARACTERS = 400
"""A longer sentence is cut off."""

OFFSETS_MOST = 8
"""More of what a sentence rests on is cut off: a sentence that rests on everything rests on nothing."""

DROPPED_MOST = 1 / 3
"""An answer of which a larger part rests on nothing is refused, and not only those sentences: it was not made from the call."""


class BadReply(ValueError):
    """An answer cannot be used. The text says why, so that the model can do better. It has no words of the answer."""


class _ReplySentence(msgspec.Struct):
    text: str
    offsets: list[int] = []


class _Reply(msgspec.Struct):
    summary: list[_ReplySentence]
    next_steps: list[_ReplySentence] = []
    open_questions: list[_ReplySentence] = []


_decoder = msgspec.json.Decoder(_Reply)


class NoteDraft(msgspec.Struct, frozen=True):
    """A note before it is published."""

    summary: list[NoteSentence]
    next_steps: list[NoteSentence]
    open_questions: list[NoteSentence]

    @property
    def offsets(self) -> frozenset[int]:
        """Everything that it rests on."""
        sentences = (*self.summary, *self.next_steps, *self.open_questions)
        return frozenset(offset for each in sentences for offset in each.offsets)


def read(answer: str, offsets: frozenset[int], *, strict: bool = True) -> NoteDraft:
    """Return what of an answer can be used. `offsets`: those of the utterances that the model was given.

    A sentence that rests on none of them is dropped. `strict`: an answer is refused of which too much is dropped. Raises: BadReply.
    """
    reply = _decoded(answer)
    lists = [reply.summary, reply.next_steps, reply.open_questions]
    draft = NoteDraft(*(list(_sentences(each, offsets)) for each in lists))
    given = sum(min(len(each), SENTENCES_MOST) for each in lists)
    kept = sum(map(len, (draft.summary, draft.next_steps, draft.open_questions)))
    if not draft.summary:
        raise BadReply("no sentence of its summary rests on an utterance that you were given")
    if strict and given - kept > given * DROPPED_MOST:
        raise BadReply(f"{given - kept} of its {given} sentences rest on no utterance that you were given")
    return draft


def _decoded(answer: str) -> _Reply:
    """Decode an answer. Some models think aloud before it, or put it into a block of code: the object is what counts."""
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise BadReply("it has no JSON object")
    try:
        return _decoder.decode(answer[start : end + 1])
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise BadReply("it is not a JSON object of the form that was asked for") from error


def _sentences(given: list[_ReplySentence], offsets: frozenset[int]) -> Iterable[NoteSentence]:
    for each in given[:SENTENCES_MOST]:
        text = line(each.text)
        if len(text) > SENTENCE_CHARACTERS:
            text = f"{text[: SENTENCE_CHARACTERS - 1].rstrip()}…"
        rests_on = sorted(offsets.intersection(each.offsets))[:OFFSETS_MOST]
        if rests_on and any(map(str.isalnum, text)):
            yield NoteSentence(text=text, offsets=rests_on)
