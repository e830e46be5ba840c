"""The probe of the model that writes notes: it writes one of a made-up call, and the hub reads it as it reads every other.

Nothing of a real call is sent. Knows the settings.
"""

import time

from hub.check.public import Broken
from hub.config import Config
from hub.notes.chat_model import ChatModel, ModelFailed
from hub.notes.note_writer import written
from hub.notes.said import CallWords, SpokenLine
from hub.notes.settings import NotesSettings
from hub.ops.counters import NoteCounters

MADE_UP = (
    SpokenLine(2, "00:01.0", "caller", "Hello, the parcel that you sent me last week has not come."),
    SpokenLine(3, "00:05.0", "callee", "I am sorry. I will send you another one tomorrow."),
    SpokenLine(4, "00:09.0", "caller", "Thank you. Do I have to pay for it again?"),
)


async def tried(settings: Config) -> str:
    """Have a note written. Raises: Broken."""
    notes, counters = settings.of(NotesSettings), NoteCounters()
    began = time.monotonic()
    try:
        async with ChatModel(notes, counters) as model:
            draft, _ = await written(model, CallWords(list(MADE_UP)), notes.tokens)
    except ModelFailed as error:
        raise Broken(f"{notes.model} at {notes.url}: {error}") from error
    words = f"{notes.model} at {notes.url} wrote a note of a made-up call in {time.monotonic() - began:.1f} s"
    if counters.requests > 1:
        return f"note: {words}, and had to be asked twice: its first answer could not be used"
    return f"{words}: {draft.summary[0].text}"
