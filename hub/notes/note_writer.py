"""Has a model write the note of one call, in as many requests as that takes: one for most calls.

A call that is longer than what the model is given at once goes in portions, one after the other, and their notes are made one. An answer
that cannot be used is asked for once more. Knows what a note is made of. Does not know which call it is, nor what becomes of the note.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from hub.notes.chat_model import ModelFailed
from hub.notes.reply import BadReply, NoteDraft, read
from hub.notes.request import ModelMessage, again, of_drafts, of_portion
from hub.notes.said import CallWords


class TextModel(Protocol):
    """A model that is asked for text."""

    async def ask(self, messages: Sequence[ModelMessage]) -> str:
        """Return its answer. Raises: ModelFailed."""


async def written(model: TextModel, words: CallWords, tokens: int) -> tuple[NoteDraft, bool]:
    """Return the note of a call, and whether the model was given all of the call.

    `tokens`: how many of the call's it is given at once. Safe to cancel. Raises: ModelFailed.
    """
    portions, whole = await asyncio.to_thread(words.portions, tokens)
    drafts = [await _asked(model, await asyncio.to_thread(of_portion, each), each.offsets) for each in portions]
    if len(drafts) == 1:
        return drafts[0], whole
    return await _asked(model, of_drafts(drafts), frozenset[int]().union(*(each.offsets for each in drafts))), whole


async def _asked(model: TextModel, messages: list[ModelMessage], offsets: frozenset[int]) -> NoteDraft:
    answer = await model.ask(messages)
    try:
        return read(answer, offsets)
    except BadReply as error:
        messages = again(messages, answer, str(error))
    try:
        return read(await model.ask(messages), offsets, strict=False)
    except BadReply as error:
        raise ModelFailed(f"gave no answer that can be used: {error}", of_request=True) from error
