"""Which live calls need a person's attention, and why, in one vocabulary. A fold over the log; pure.

Every list, page and terminal puts these calls on top, in the order of `KINDS`, and shows the sentence that is made here:

    not transcribed: deepgram refused the key
    deepgram lost, trying again
    watchword: refund
    only one side was heard
    tool book_flight failed
    20 % of the audio was lost

A gap of the past needs nobody's attention, because nobody can mend it. It stays in the record: see `hub.transcript.completeness`. A reason
is gone as soon as what it says is over, and all are gone with the call. The dashboard's `attention.js` is the same fold.
`tests/transcript/attention_cases.json` holds both to the same answers.
"""

from collections.abc import Iterable, Sequence

from hub.events import (
    Alert,
    AlertSummary,
    AlertWithdrawn,
    AttentionKind,
    AttentionReason,
    CallEnded,
    CallStarted,
    Completeness,
    ConditionChanged,
    Durable,
    ToolReturned,
    TranscriberLost,
    TranscriberRestored,
    TranscriberSwitched,
)
from hub.text.foreign_text import line

KINDS: tuple[AttentionKind, ...] = ("not-transcribed", "provider-lost", "watchword", "one-sided", "tool-failed", "audio-lost")
"""The kinds of reasons, the most urgent first."""

_READ = frozenset(
    {
        Alert,
        AlertWithdrawn,
        CallEnded,
        CallStarted,
        ConditionChanged,
        ToolReturned,
        TranscriberLost,
        TranscriberRestored,
        TranscriberSwitched,
    }
)
"""The events that matter here. Most events are words: they cost one look-up."""

_FAILED = frozenset({"failed", "timeout"})

_Key = tuple[AttentionKind, str]


class Attention:
    """Why one call needs attention: `apply` each durable event, in order."""

    __slots__ = ("_reasons",)

    def __init__(self, reasons: Iterable[AttentionReason] = ()) -> None:
        """`reasons`: those of a call whose events so far are not here."""
        self._reasons: dict[_Key, AttentionReason] = {(each.kind, _part(each)): each for each in reasons}

    @property
    def reasons(self) -> tuple[AttentionReason, ...]:
        """The reasons, the most urgent first. Empty if the call needs nobody's attention."""
        if not self._reasons:
            return ()
        return tuple(sorted(self._reasons.values(), key=lambda each: KINDS.index(each.kind)))

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        if type(event) not in _READ:
            return
        match event:
            case Alert(rule=rule):
                self._add(AttentionReason(kind="watchword", about=rule, since=event.at))
            case AlertWithdrawn(rule=rule, left=left):
                if not left:
                    self._reasons.pop(("watchword", rule), None)
            case TranscriberLost(provider=provider, attempt=attempt):
                if attempt:  # otherwise the record's own condition says that nobody transcribes
                    self._add(AttentionReason(kind="provider-lost", about=provider, since=event.at))
            case TranscriberRestored() | TranscriberSwitched():
                self._drop("provider-lost")
            case ToolReturned(tool=tool, outcome=outcome):
                self._reasons.pop(("tool-failed", tool), None)
                if outcome in _FAILED:
                    self._add(AttentionReason(kind="tool-failed", about=tool, since=event.at))
            case ConditionChanged(completeness=found):
                self._condition(found, event.at)
            case CallStarted():
                self._drop("provider-lost")  # another stream of the call, and another connection to a provider
            case CallEnded():
                self._reasons.clear()
            case _:
                pass

    def _condition(self, found: Completeness, at: str) -> None:
        for kind, about in conditions(found):
            if about is None:
                self._drop(kind)
            else:
                self._add(AttentionReason(kind=kind, about=about, since=at))
        if found.state == "not-transcribed":
            self._drop("provider-lost")

    def _add(self, reason: AttentionReason) -> None:
        key = reason.kind, _part(reason)
        known = self._reasons.get(key)
        since = known.since if known is not None else reason.since  # it goes on: only how much of it there is may have changed
        self._reasons[key] = AttentionReason(kind=reason.kind, about=line(reason.about), since=since)

    def _drop(self, kind: AttentionKind) -> None:
        for key in [key for key in self._reasons if key[0] == kind]:
            del self._reasons[key]


def conditions(found: Completeness) -> list[tuple[AttentionKind, str | None]]:
    """Return what the condition of a live call's record says of each kind that it knows: what it is about, or None where all is well."""
    sentences = found.summary.split("; ")
    clause = next((each.removeprefix("not transcribed: ") for each in sentences if each.startswith("not transcribed: ")), None)
    one_sided = None if found.unheard is None else "silent" if "one side is silent" in sentences else "unheard"
    lost = next((each.split(" ", 1)[0] for each in sentences if each.endswith(" % of the audio was lost")), None)
    return [("not-transcribed", clause), ("one-sided", one_sided), ("audio-lost", lost)]


def reason_sentence(reason: AttentionReason) -> str:
    """Return a reason in words."""
    about = reason.about
    match reason.kind:
        case "not-transcribed":
            return f"not transcribed: {about}"
        case "provider-lost":
            return f"{about} lost, trying again"
        case "watchword":
            return f"watchword: {about}"
        case "one-sided":
            return "one side is silent" if about == "silent" else "only one side was heard"
        case "tool-failed":
            return f"tool {about} failed"
        case "audio-lost":
            return f"{about} % of the audio was lost"


def urgency(reasons: Sequence[AttentionReason]) -> int:
    """Return how urgent a live call is: 0 for one that needs nobody, then the more the more urgent its first reason is."""
    return len(KINDS) - KINDS.index(reasons[0].kind) + 1 if reasons else 0


def alerts_sentence(alerts: AlertSummary) -> str:
    """Return the alerts of a call that is over in words: how many, and what the newest found."""
    found = f"{alerts.rule} ({alerts.summary})"
    return line(f"watchword: {found}" if alerts.count == 1 else f"{alerts.count} watchwords, the last: {found}")


def why(reasons: Iterable[AttentionReason], completeness: Completeness | None, alerts: AlertSummary | None = None) -> str:
    """Return why a call stands out in a list. Empty if all is well.

    That is why it needs attention and what else is missing in its record. `alerts` are those of a call that is over: it needs nobody's
    attention, but who looks for it later wants to see that it did.
    """
    past = [alerts_sentence(alerts)] if alerts is not None else []
    short = completeness.summary.split("; ") if completeness is not None and completeness.state != "complete" else []
    return "; ".join(dict.fromkeys([*map(reason_sentence, reasons), *past, *short]))


def _part(reason: AttentionReason) -> str:
    """Return what tells a reason from another one of its kind: a call may have several tools that failed, and one provider that is lost."""
    return reason.about if reason.kind in {"tool-failed", "watchword"} else ""
