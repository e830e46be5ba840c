"""What was said in a call before an agent's stream begins: for an agent that answers a call which it, or somebody else, was in before.

A voice model's session knows nothing of the one before it. Without this, an agent whose stream broke would greet the caller as if the call
were new, and ask again for everything. Reads the call's log. Knows no model.
"""

import msgspec

from hub.events import CallStarted, Final
from hub.topics.record import Record

MOST_CHARACTERS = 8_000
"""The newest words of the call that are given to the model: about ten minutes."""

GOES_ON = (
    "[You have answered this call before, and it goes on. This was said so far:\n{words}\n"
    "Go on where the conversation stopped, and do not greet the caller again.]"
)
"""What a model is told whose agent was in this call before."""

WITH_OTHERS = "[The caller has spoken with others in this call. This was said so far:\n{words}]"
"""What a model is told whose agent is new to this call."""

_final = msgspec.json.Decoder(Final)
_started = msgspec.json.Decoder(CallStarted)


class Earlier:
    """The earlier part of a call."""

    def __init__(self, record: Record, agent: str) -> None:
        """To be made before the stream's own `call-started` is published."""
        self._words: list[str] = []
        """Newest first."""
        self._known = False
        """Whether this agent has answered the call before."""
        size, log = 0, record.topic.log
        for payload in reversed(log.after(log.first - 1)):
            if payload.startswith(b'{"type":"final"') and size < MOST_CHARACTERS:
                final = _final.decode(payload)
                if final.text and not final.unspoken:
                    self._words.append(f"{final.speaker}: {final.marked()}")
                    size += len(self._words[-1])
            elif payload.startswith(b'{"type":"call-started"'):
                self._known = self._known or _started.decode(payload).agent == agent

    @property
    def goes_on(self) -> bool:
        """Whether the agent goes on with a conversation of its own, so that it greets nobody."""
        return self._known and bool(self._words)

    @property
    def told(self) -> str:
        """What the model is told of it. Empty if nothing was said."""
        form = GOES_ON if self._known else WITH_OTHERS
        return form.format(words="\n".join(reversed(self._words))) if self._words else ""
