"""What a model writes about a call that has ended. It comes after `call-ended`, and is durable, too."""

from hub.events.parts import Durable, Part


class NoteSentence(Part, frozen=True, kw_only=True):
    """One sentence of a note. `offsets`: those of the finals that it rests on, in order; at least one."""

    text: str
    offsets: list[int]


class Note(Durable, frozen=True, kw_only=True, tag="note"):
    """A model's note of a call. It comes after `call-ended`; a call that goes on after its end and ends again gets another one.

    A model can be wrong: each sentence names what it rests on, and that it follows from it nobody has checked. `model`: who wrote it.
    `ended`: offset of the `call-ended` up to which the note tells. `summary`, `next_steps` (what was agreed) and `open_questions`: the
    latter two may be empty. `whole` is false if the call was too long for the model to be given all of it.
    """

    model: str
    ended: int
    summary: list[NoteSentence]
    next_steps: list[NoteSentence]
    open_questions: list[NoteSentence]
    whole: bool = True
