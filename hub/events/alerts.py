"""What the rules of the watchwords file find in a call. These events are durable, too."""

from typing import Literal

from hub.audio.g711 import Track
from hub.events.parts import Durable


class Alert(Durable, frozen=True, kw_only=True, tag="alert"):
    """A rule of the hub's watchwords file fits the call. Published once per rule and utterance, or once per silence or call.

    `rule`: its name. `kind`: what it looks for. `summary`: what was found, in words for people. `track` and `speaker`: the side that it is
    about; none where it is about the call as a whole. `utterance` and `text`: of a phrase, the utterance and the words that were found in
    it. `start` and `end`: where that is, in seconds of call time. `interim`: the words were not final yet. Then `alert-withdrawn` follows
    if the final does not have them.
    """

    rule: str
    kind: Literal["phrase", "silence", "talk-share", "duration"]
    summary: str
    track: Track | None = None
    speaker: str | None = None
    utterance: str | None = None
    text: str | None = None
    start: float
    end: float
    interim: bool = False


class AlertWithdrawn(Durable, frozen=True, kw_only=True, tag="alert-withdrawn"):
    """An alert stands no longer. `alert`: its offset. `left`: how many alerts of the same rule still stand in this call.

    `reason`: it was `wrong`, since it rested on an interim and the final has other words, or what it tells is `over`, since somebody speaks
    after a silence.
    """

    alert: int
    rule: str
    reason: Literal["wrong", "over"]
    left: int
    track: Track | None = None
    utterance: str | None = None
