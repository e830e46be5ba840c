"""How the terminal marks who speaks, and what is wrong with a call."""

from hub import events
from hub.audio.g711 import Track

COLOURS: dict[Track, str] = {"inbound": "cyan", "outbound": "green"}
"""The colours of the two sides."""

ALARMS = {"complete": "dim", "incomplete": "yellow", "not-transcribed": "bold red"}
"""How a sentence about a call looks, by the state of its record."""


def style(event: events.Event) -> str:
    """Return how the sentence of an event looks: what is missing in the record stands out, and so does an alert."""
    match event:
        case events.ConditionChanged(completeness=found) | events.CallEnded(completeness=found):
            return ALARMS[found.state]
        case events.Alert():
            return ALARMS["incomplete"]
        case _:
            return ALARMS["complete"]
