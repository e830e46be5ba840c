"""What the log of a call says that the rules of the watchwords have to know, whatever the rules are. A fold over the log; pure.

Alerts are in the log, too. So a process that goes on with a call reads here what was told already: it tells nothing twice. And what the
process before it may not have told any more, because it was killed, can only be about the last event of the log: an alert is published in
the same step as the event that caused it, before anything else.
"""

from collections import Counter

from hub.audio.g711 import TRACKS, Track
from hub.events import (
    LAST_REVISION,
    Alert,
    AlertWithdrawn,
    CallEnded,
    CallStarted,
    Durable,
    Final,
    Gap,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
)


class Watched:
    """One call, as far as rules look at it: `apply` each durable event, in order."""

    __slots__ = (
        "deaf",
        "heard_until",
        "last",
        "live",
        "once",
        "open",
        "silences",
        "spoken_until",
        "standing",
        "started",
        "told",
    )

    def __init__(self) -> None:
        self.started: CallStarted | None = None
        """The newest `call-started`. None before the first."""
        self.live = False
        """Whether the call has begun and not ended."""
        self.deaf = False
        """Whether nobody transcribes: what is not heard then is no silence."""
        self.spoken_until: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """Call time up to which each side has spoken."""
        self.heard_until: dict[Track, float] = dict.fromkeys(TRACKS, 0.0)
        """Call time up to which no silence is known: the side has spoken, or was not heard."""
        self.open: dict[str, dict[str, Alert]] = {}
        """Alerts that rest on an interim, by utterance and rule, while there is no final."""
        self.last: Final | None = None
        """The newest event that is not an alert, if it is a final."""
        self.told: dict[str, Alert] = {}
        """The alerts of that final that were not withdrawn, by rule."""
        self.once: set[str] = set()
        """Rules that fit a call once, and have."""
        self.silences: dict[str, Alert] = {}
        """What rules about silence have told, while that silence lasts."""
        self.standing: Counter[str] = Counter()
        """How many alerts of each rule there are that were not withdrawn."""

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        if isinstance(event, Final):  # most are
            self._said(event)
            return
        match event:
            case Alert():
                self._told(event)
                return
            case AlertWithdrawn():
                self._withdrawn(event)
                return
            case CallStarted():
                self.started, self.live, self.deaf = event, True, False
            case CallEnded():
                self.live = False
            case Gap(track=track, end=end):
                self.unheard(track, end)
            case TranscriberLost():
                self.deaf = True
            case TranscriberRestored() | TranscriberSwitched():
                self.deaf = False
            case _:
                pass
        self.last, self.told = None, {}

    def spoke(self, track: Track, until_seconds: float) -> None:
        """Take note that a side has spoken up to this call time."""
        if until_seconds > self.spoken_until[track]:
            self.spoken_until[track] = until_seconds
        if until_seconds > self.heard_until[track]:
            self.heard_until[track] = until_seconds

    def unheard(self, track: Track, until_seconds: float) -> None:
        """Take note that up to this call time nobody can say whether a side was silent."""
        if until_seconds > self.heard_until[track]:
            self.heard_until[track] = until_seconds

    def silent_since(self, track: Track | None) -> float:
        """Return since which call time a side is silent, or both are."""
        return max(self.heard_until.values()) if track is None else self.heard_until[track]

    def silences_over(self) -> list[Alert]:
        """Return the silences that were told, and after which somebody has spoken. What was said before their end does not count."""
        spoken, latest = self.spoken_until, max(self.spoken_until.values())
        return [told for told in self.silences.values() if (latest if told.track is None else spoken[told.track]) > told.end]

    def _told(self, alert: Alert) -> None:
        self.standing[alert.rule] += 1
        if alert.kind == "silence":
            self.silences[alert.rule] = alert
        elif alert.utterance is None:
            self.once.add(alert.rule)
        elif self.last is not None and alert.utterance == self.last.utterance:
            self.told[alert.rule] = alert
        else:
            self.open.setdefault(alert.utterance, {})[alert.rule] = alert

    def _withdrawn(self, event: AlertWithdrawn) -> None:
        self.standing[event.rule] -= 1
        if event.reason == "over":
            self.silences.pop(event.rule, None)
        elif event.utterance is not None:
            self.told.pop(event.rule, None)
            self.open.get(event.utterance, {}).pop(event.rule, None)

    def _said(self, final: Final) -> None:
        told = self.open.pop(final.utterance, None) or {}
        if final.revision == LAST_REVISION:  # what the interims said can be neither confirmed nor denied any more
            self.last, self.told = None, {}
            return
        self.last, self.told = final, told
        if final.text and not final.unspoken:
            self.spoke(final.track, final.end)
