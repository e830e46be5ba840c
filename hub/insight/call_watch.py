"""Watches one live call for what the rules of the watchwords look for. Takes the call's events, returns the alerts to be published.

A phrase in a final is told at once. A phrase in an interim is told once it has been in every interim of its utterance for a second: words
that a provider takes back sooner are nobody's business. If the final does not have it, the alert is withdrawn.

Pure: time is an argument, and so are the call's statistics. Does not know how events are published, nor how talk is counted.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

from hub.audio.g711 import Track
from hub.events import Alert, AlertWithdrawn, CallStarted, Durable, Final, Interim
from hub.insight.rules import FoundPhrase, Rule, Watchwords, passage
from hub.insight.statistics import RunningStatistics
from hub.insight.watched import Watched

HELD_SECONDS = 1.0
"""For so long a phrase must be in the interims. Providers correct most of what they correct within half a second."""

LATE_SECONDS = 1.0
"""Words come so much later than they are said. A silence is told when it has lasted for its time and this: no word is on its way then."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A phrase that is in an utterance's interims."""

    since: float
    """When it was first there, on the caller's clock."""
    interim: Interim
    """The newest that has it."""
    found: FoundPhrase


class CallWatch:
    """One call. `apply` each durable event and `revise` each interim, in order, and `look` now and then."""

    __slots__ = ("_applying", "_held", "_speakers", "_watchwords", "watched")

    def __init__(self, watchwords: Watchwords, watched: Watched) -> None:
        """`watched`: what the log has so far."""
        self.watched = watched
        self._watchwords = watchwords
        self._held: dict[str, dict[int, _Held]] = {}
        """By utterance and rule."""
        self._applying: frozenset[int] = frozenset()
        """The rules that are for this call, as they stand among all."""
        self._speakers: dict[Track, str] = {}
        self._choose()

    @property
    def holds(self) -> bool:
        """Whether a phrase will be told a little later, if the interims keep it."""
        return bool(self._held)

    def apply(self, event: Durable, statistics: RunningStatistics) -> list[Durable]:
        """Take the next event of the log, which `statistics` have counted already.

        Returns what is to be published now; it comes back here like any other event.
        """
        self.watched.apply(event)
        if isinstance(event, Final):
            if self._held:
                self._held.pop(event.utterance, None)
            return self.due(statistics)
        if isinstance(event, CallStarted):
            self._choose()
        return []

    def due(self, statistics: RunningStatistics) -> list[Durable]:
        """Return what the log lacks: alerts of its last final, and withdrawals. Empty if all was told. `statistics`: of this log."""
        watched = self.watched
        due: list[Durable] = []
        if watched.silences:
            due += [self._withdrawn(alert, "over") for alert in watched.silences_over()]
        if (final := watched.last) is not None:
            found = self._find(final)
            if found or watched.told:
                due += self._phrases(final, found)
            if self._watchwords.shares:
                due += self._shares(final, statistics)
        return due

    def _phrases(self, final: Final, found: dict[int, FoundPhrase]) -> Iterator[Durable]:
        told = self.watched.told
        names = {self._rule(at).name for at in found}
        for name, alert in told.items():
            if name not in names and name in self._watchwords.known:
                yield self._withdrawn(alert, "wrong")
        for at, phrase in found.items():
            if self._rule(at).name not in told:
                yield self._phrase(self._rule(at), final, phrase)

    def _withdrawn(self, alert: Alert, reason: Literal["wrong", "over"]) -> AlertWithdrawn:
        return AlertWithdrawn(
            call_sid=alert.call_sid,
            alert=alert.offset,
            rule=alert.rule,
            reason=reason,
            left=max(0, self.watched.standing[alert.rule] - 1),
            track=alert.track,
            utterance=alert.utterance,
        )

    def revise(self, interim: Interim, now: float) -> list[Durable]:
        """Take the newest state of an open utterance. Return what is to be published now. `now`: seconds on a clock of the caller's."""
        self.watched.spoke(interim.track, interim.end)
        over: list[Durable] = []
        if self.watched.silences:
            over += [self._withdrawn(alert, "over") for alert in self.watched.silences_over()]
        found = self._find(interim)
        if not found:
            if self._held:
                self._held.pop(interim.utterance, None)
            return over
        before = self._held.get(interim.utterance, {})
        told = self.watched.open.get(interim.utterance, {})
        held = {
            at: _Held(before[at].since if at in before else now, interim, phrase)
            for at, phrase in found.items()
            if self._rule(at).name not in told
        }
        self._hold(interim.utterance, held)
        return [*over, *self._ripe(interim.utterance, now)]

    def look(self, now: float, call_seconds: float) -> list[Durable]:
        """Return what is to be published because time has passed. `now`: as for `revise`. `call_seconds`: call time."""
        if not self.watched.live:
            self._held.clear()
            return []
        due: list[Durable] = [alert for utterance in list(self._held) for alert in self._ripe(utterance, now)]
        if self._watchwords.timed:
            due += self._silent(call_seconds)
            due += self._lasting(call_seconds)
        return due

    def _choose(self) -> None:
        started = self.watched.started
        self._applying = frozenset(at for at, rule in enumerate(self._watchwords.rules) if rule.applies(started))
        self._speakers = started.speakers if started is not None else {}

    def _rule(self, at: int) -> Rule:
        return self._watchwords.rules[at]

    def _find(self, said: Final | Interim) -> dict[int, FoundPhrase]:
        """Return the rules of which a phrase was said, that are for this call and this side."""
        if not said.text or (isinstance(said, Final) and said.unspoken):
            return {}
        found = self._watchwords.find(said.text)
        if not found:
            return {}
        words = said.words if isinstance(said, Final) else ()
        return {
            at: passage(said.text, words, *place)
            for at, place in found.items()
            if at in self._applying and self._rule(at).side in {None, said.track}
        }

    def _hold(self, utterance: str, held: dict[int, _Held]) -> None:
        if held:
            self._held[utterance] = held
        else:
            self._held.pop(utterance, None)

    def _ripe(self, utterance: str, now: float) -> Iterator[Alert]:
        """Yield the alerts of an open utterance that are to be told now, and hold them no longer."""
        held = self._held.get(utterance, {})
        ripe = [at for at, each in held.items() if now - each.since >= HELD_SECONDS]
        if ripe:
            self._hold(utterance, {at: each for at, each in held.items() if at not in ripe})
        for at in ripe:
            yield self._phrase(self._rule(at), held[at].interim, held[at].found)

    def _phrase(self, rule: Rule, said: Final | Interim, found: FoundPhrase) -> Alert:
        return Alert(
            call_sid=said.call_sid,
            rule=rule.name,
            kind="phrase",
            summary=f"“{found.text}”",
            track=said.track,
            speaker=said.speaker,
            utterance=said.utterance,
            text=found.text,
            start=said.start if found.start is None else found.start,
            end=said.end if found.end is None else found.end,
            interim=isinstance(said, Interim),
        )

    def _silent(self, call_seconds: float) -> Iterator[Alert]:
        if self.watched.deaf:
            for track in self.watched.heard_until:
                self.watched.unheard(track, call_seconds)
            return
        for rule in self._timed(self._watchwords.silences, self.watched.silences):
            since = self.watched.silent_since(rule.side)
            assert rule.silence_seconds is not None
            if call_seconds - since >= rule.silence_seconds + LATE_SECONDS:
                who = "nobody speaks" if rule.side is None else f"{rule.side} is silent"
                yield self._whole(rule, f"{who} for {rule.silence_seconds:g} s", since, since + rule.silence_seconds)

    def _lasting(self, call_seconds: float) -> Iterator[Alert]:
        for rule in self._timed(self._watchwords.durations, self.watched.once):
            assert rule.call_seconds is not None
            if call_seconds >= rule.call_seconds:
                yield self._whole(rule, f"the call lasts longer than {rule.call_seconds:g} s", rule.call_seconds, rule.call_seconds)

    def _shares(self, final: Final, statistics: RunningStatistics) -> Iterator[Alert]:
        for rule in self._timed(self._watchwords.shares, self.watched.once):
            assert rule.talk_share_percent is not None
            assert rule.side is not None
            percent = 100 * (statistics.talk_share(rule.side) or 0.0)
            if statistics.talk_seconds >= rule.after_seconds and percent >= rule.talk_share_percent:
                yield self._whole(rule, f"{rule.side} has {percent:.0f} % of the talk", final.end, final.end)

    def _timed(self, places: list[int], told: Container[str]) -> Iterator[Rule]:
        """Yield the rules at these places that are for this call and were not told."""
        return (self._rule(at) for at in places if at in self._applying and self._rule(at).name not in told)

    def _whole(self, rule: Rule, summary: str, start: float, end: float) -> Alert:
        started = self.watched.started
        speaker = self._speakers.get(rule.side) if rule.side is not None else None
        return Alert(
            call_sid=started.call_sid if started is not None else "",
            rule=rule.name,
            kind=rule.kind,
            summary=summary,
            track=rule.side,
            speaker=speaker,
            start=round(start, 3),
            end=round(end, 3),
        )
