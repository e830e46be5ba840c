"""How long a caller has been left waiting, and which waits are too long. Pure; media time only.

Each moment of a conversation somebody has the word: the caller, the agent, or a tool. Whoever has it may lose it without a sound: a model
that never begins, begins and says nothing, or does not notice that the caller has finished. The caller hears the same each time: nothing.
So what is waited for is one thing, the next sound, and the clock of it runs on through every further try.
"""

from dataclasses import dataclass

from hub.agents.turns import LATE_MS

LOOK_MS = 200
"""How often the waits are looked at: a caller does not notice less, and there are 50 frames a second."""

_QUIET = bytes(range(0x60, 0x80)) + bytes(range(0xE0, 0x100))
"""Mu-law of a magnitude below 372 of 32,124 (-39 dBFS): a line's hiss stays within it, and a voice does not (G.711, table 2a)."""

_LOUD_SHARE = 10
"""A frame is loud if more than one of so many samples is: a click is not a voice."""


def is_loud(mulaw: bytes) -> bool:
    """Return whether somebody may be speaking in a frame."""
    return len(mulaw.translate(None, _QUIET)) * _LOUD_SHARE > len(mulaw)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPatience:
    """How long what is waited for, in ms of call time."""

    open_ms: float = 25_000.0
    """For the session: two tries to connect and the answer to its settings take 16 s at most."""
    answer_ms: float = 15_000.0
    """For the next sound, once it is the agent's turn: a second or two is normal. At half of it the model is asked once more."""
    busy_ms: float = 30_000.0
    """For the same while the model says that it is at work: long arguments of a tool take their time."""
    silent_turn_ms: float = 6_000.0
    """For the model to notice that a caller who is silent has finished. A turn has pauses of 4 s at most (semantic_vad, eagerness auto)."""
    turn_ms: float = 60_000.0
    """For the end of a turn in which the line is never silent: a radio in the room is a turn without end for the model."""
    waited_turn_ms: float = 20_000.0
    """The same while something waits to be said, as a tool's output."""
    late_ms: float = LATE_MS
    """For the text of a turn after the turn's end."""


class Waiting:
    """How long one call's caller has waited. Times are ms of call time."""

    def __init__(self, patience: ModelPatience, now_ms: float) -> None:
        self.patience = patience
        self._sound_ms = now_ms
        """When something was last heard, or the agent's turn began."""
        self._alive_ms = now_ms
        """When an event of the model last came."""
        self._turn_ms = now_ms
        """When the caller's turn began. Only meaningful while the caller speaks."""
        self._loud_ms = now_ms
        """When the caller was last loud. Only meaningful while the caller speaks."""

    def sounded(self, now_ms: float) -> None:
        """Something was heard, or the agent's turn begins only now: the wait begins anew."""
        self._sound_ms = now_ms

    def alive(self, now_ms: float) -> None:
        """The model said something."""
        self._alive_ms = now_ms

    def turn_began(self, now_ms: float) -> None:
        """The caller began to speak."""
        self._turn_ms = self._loud_ms = now_ms

    def listen(self, mulaw: bytes, now_ms: float) -> None:
        """Take a frame of the caller, while the caller speaks."""
        if is_loud(mulaw):
            self._loud_ms = now_ms

    def leap(self, by_ms: float) -> None:
        """Go on after the stream's clock jumped: nobody has waited in the time that it jumped over."""
        self._sound_ms += by_ms
        self._alive_ms += by_ms
        self._turn_ms += by_ms
        self._loud_ms += by_ms

    def turn_overdue(self, now_ms: float, *, wanted: bool) -> bool:
        """Return whether the caller's turn must be over. `wanted`: something waits to be said."""
        patience = self.patience
        most_ms = patience.waited_turn_ms if wanted else patience.turn_ms
        return now_ms - self._loud_ms >= patience.silent_turn_ms or now_ms - self._turn_ms >= most_ms

    def mute_ms(self, now_ms: float) -> float:
        """Return how long nothing was heard and the model said nothing at all."""
        return now_ms - max(self._sound_ms, self._alive_ms)

    def silent_ms(self, now_ms: float) -> float:
        """Return how long nothing was heard."""
        return now_ms - self._sound_ms
