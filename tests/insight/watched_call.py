"""A call that a test publishes by hand, with what the rules make of it: a log without a hub."""

from typing import Any

from msgspec.structs import replace

from hub.audio.g711 import Track
from hub.events import Alert, AlertWithdrawn, CallEnded, CallStarted, Completeness, Durable, Final, Interim, TranscriberName, Word
from hub.insight.call_watch import CallWatch
from hub.insight.rule_file import read_rules
from hub.insight.statistics import RunningStatistics
from hub.insight.watched import Watched

SID = "CA" + "1" * 32
COMPLETE = Completeness(
    state="complete", summary="complete", untranscribed_seconds=0, lost_percent=0, unheard=None, words_missing=False, reason=None
)


class WatchedCall:
    """Publishes what it is told to, and what the rules add to it."""

    def __init__(self, rules: str, log: list[Durable] | None = None, **started: Any) -> None:
        """`log`: what an earlier process has published."""
        self.log: list[Durable] = []
        self.statistics = RunningStatistics()
        watched = Watched()
        for event in log or ():
            watched.apply(event)
            self.statistics.apply(event)
            self.log.append(event)
        self.watch = CallWatch(read_rules(rules), watched)
        self.now = 100.0
        if log is None:
            self.start(**started)

    def start(self, **fields: Any) -> None:
        known: dict[str, Any] = {
            "tracks": ["inbound", "outbound"], "speakers": {"inbound": "caller", "outbound": "desk"}, "parameters": {}, "stream_sid": "MZ1",
            "transcriber": TranscriberName(provider="scripted", model="test"),
        }  # fmt: skip
        self.publish(CallStarted(call_sid=SID, **(known | fields)))

    def publish(self, event: Durable) -> None:
        event = replace(event, offset=len(self.log) + 1)
        self.log.append(event)
        self.statistics.apply(event)
        self._add(self.watch.apply(event, self.statistics))

    def interim(self, text: str, utterance: str = "inbound-1", *, after: float = 0.0, start: float = 0.0, end: float = 1.0) -> None:
        self.now += after
        self._add(self.watch.revise(Interim(call_sid=SID, revision=1, **self._said(text, utterance, start, end)), self.now))

    def final(self, text: str, utterance: str = "inbound-1", *, start: float = 0.0, end: float = 1.0, **more: Any) -> None:
        words = [Word(text=word, start=at, end=at + 0.5) for at, word in enumerate(text.split())]
        known = {"revision": 2, "words": words} | self._said(text, utterance, start, end)
        self.publish(Final(call_sid=SID, **(known | more)))

    def end(self, duration: float = 60.0) -> None:
        self.publish(CallEnded(call_sid=SID, reason="completed", duration=duration, completeness=COMPLETE, audio={}))

    def look(self, *, after: float = 0.0, call_seconds: float = 0.0) -> None:
        self.now += after
        self._add(self.watch.look(self.now, call_seconds))

    def go_on(self) -> None:
        """As a process does that has taken the call up."""
        self._add(self.watch.due(self.statistics))

    @property
    def alerts(self) -> list[Alert]:
        return [event for event in self.log if isinstance(event, Alert)]

    @property
    def withdrawn(self) -> list[AlertWithdrawn]:
        return [event for event in self.log if isinstance(event, AlertWithdrawn)]

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(alert.rule, alert.summary) for alert in self.alerts]

    def _add(self, due: list[Durable]) -> None:
        for event in due:
            self.publish(event)

    @staticmethod
    def _said(text: str, utterance: str, start: float, end: float) -> dict[str, Any]:
        track: Track = "inbound" if utterance.startswith("inbound") else "outbound"
        return {
            "utterance": utterance, "track": track, "speaker": {"inbound": "caller", "outbound": "desk"}[track], "text": text,
            "start": start, "end": end,
        }  # fmt: skip
