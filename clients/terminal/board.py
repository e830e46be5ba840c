"""The calls of a hub, as rows: who calls whom, how long, the last words, which transcriber, and what is wrong.

Knows what to keep of each call, and what to ask the hub for. Does not know how rows are shown.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from clients.follow import Position, Request, subscription
from hub import events
from hub.transcript.alerts import Alerts
from hub.transcript.attention import Attention, urgency, why

KEEP_SECONDS = 3600.0
"""How long an ended call stays on the board: as long as a hub keeps it in memory unless it is told otherwise."""

LATELY_SECONDS = 30.0
"""The last words of calls that ended so lately are requested when the board connects: they may be missing."""

RECENT_EVENTS = 20
"""How many events of a running call are replayed: enough for its last words and for a transcriber that is lost."""

MOST_FOLLOWED = 500
"""How many calls' words are followed: more than any screen shows. Starts and ends come from all calls."""


@dataclass(slots=True)
class Row:
    """What the board knows of one call."""

    call_sid: str
    from_: str | None = None
    to: str | None = None
    direction: str | None = None
    agent: str | None = None
    """The voice agent that answers, or the person whom the stream's parameters name. None if nobody is named."""
    queue: str | None = None
    attention: Attention = field(default_factory=Attention)
    """Why the call needs a person's attention."""
    alerts: Alerts = field(default_factory=Alerts)
    """What the watchwords found in it."""
    alerted: int = 0
    """Offset of the newest event that `alerts` has: the list of all calls and the call's own subscription bring the same ones."""
    listed: int = 0
    """Offset up to which `attention` is what the hub's list said."""
    began: float | None = None
    """Unix seconds on the hub's clock; None while unknown."""
    live: bool = True
    duration: float | None = None
    """Seconds of call time, once the call has ended."""
    ended: float | None = None
    """Unix seconds on the hub's clock; None while the call is live."""
    reason: str = ""
    """Why the call ended."""
    transcriber: str = ""
    trouble: str = ""
    """Why the provider does not transcribe now, or why another one does. Empty if all is well."""
    completeness: events.Completeness | None = None
    """How whole the record is, as the hub says. None while unknown."""
    told: str = "complete"
    """What a pipe was told of it last."""
    said: events.Interim | events.Final | None = None
    """The newest words, of either side."""
    statistics: events.CallStatistics | None = None
    """The newest figures, as the hub says. None before anybody has spoken."""
    followed: bool = False
    """Whether the call's words were requested on the present connection."""
    position: Position | None = None
    """Where to resume; None before the first event."""

    @property
    def numbers(self) -> str:
        """Who calls whom. Empty for a call without numbers."""
        return f"{self.from_ or '?'} → {self.to or '?'}" if self.from_ or self.to else ""

    @property
    def is_outbound(self) -> bool:
        """Whether our side has called. Twilio has several words for it."""
        return self.direction is not None and self.direction.startswith("outbound")

    @property
    def name(self) -> str:
        """The far party's number, or the callSid of a call without numbers."""
        number = (self.to or self.from_) if self.is_outbound else (self.from_ or self.to)
        return number or f"{self.call_sid[:6]}…{self.call_sid[-4:]}"

    @property
    def talk(self) -> str:
        """How much of the talk each side has in percent, as `67:33`. Empty before anybody has spoken."""
        shares = [side.talk_share for side in self.statistics.sides.values()] if self.statistics is not None else []
        return ":".join(f"{share * 100:.0f}" for share in shares if share is not None)

    @property
    def missing(self) -> str:
        """What is missing in the record, in the hub's words. Empty if nothing is."""
        return self.completeness.summary if self.completeness is not None and self.completeness.state != "complete" else ""

    @property
    def untranscribed(self) -> bool:
        """Whether the hub says that nobody transcribes the call, or did."""
        return self.completeness is not None and self.completeness.state == "not-transcribed"

    @property
    def urgency(self) -> int:
        """How much the call needs attention; see `hub.transcript.attention`. 0 if it needs nobody's."""
        return urgency(self.attention.reasons) if self.live else 0

    @property
    def why(self) -> str:
        """Why the call stands out, in the hub's words. Empty if all is well."""
        return why(self.attention.reasons, self.completeness) if self.live else why((), self.completeness, self.alerts.summary)


class Board:
    """Folds the hub's messages into rows, and returns what to ask the hub for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, interims: bool = True) -> None:
        self.rows: dict[str, Row] = {}
        """By callSid, oldest call first."""
        self._interims = interims
        """Whether words are wanted before they are final."""
        self._clock = clock
        self._hub_ahead = time.time() - clock()
        """The hub's clock minus `clock`, so that durations are right on a machine whose time is wrong."""

    def now(self) -> float:
        """Return Unix seconds on the hub's clock."""
        return self._clock() + self._hub_ahead

    def receive(self, message: events.Message) -> Iterator[Request]:
        """Take one message of the hub. Yield the requests that it makes necessary."""
        match message:
            case events.CallList(calls=calls, at=at):
                self._hub_ahead = _moment(at) - self._clock()
                yield from self._list(calls)
            case events.Subscribed(call_sid=call_sid, epoch=epoch, offset=offset):
                self._row(call_sid).position = Position(epoch, offset)
            case events.Refusal(code="unknown-call" | "erased", call_sid=str() as call_sid):
                self.rows.pop(call_sid, None)
            case events.Interim():
                self._row(message.call_sid).said = message
            case events.Final():
                row = self._row(message.call_sid)
                row.position = Position(message.epoch, message.offset)
                if message.text:
                    row.said = message
                elif row.said is not None and row.said.utterance == message.utterance:
                    row.said = None  # the provider took its interims back
            case events.Statistics(offset=0):
                self._row(message.call_sid).statistics = message.figures
            case events.Durable():
                yield from self._change(message)

    def forget(self) -> None:
        """Drop the calls that ended more than KEEP_SECONDS ago."""
        before = self.now() - KEEP_SECONDS
        self.rows = {sid: row for sid, row in self.rows.items() if row.live or (row.ended is not None and row.ended > before)}

    def _list(self, calls: list[events.CallSummary]) -> Iterator[Request]:
        known, self.rows = self.rows, {}
        before = self.now() - KEEP_SECONDS
        for call in calls:
            ended = _moment(call.ended_at) if call.ended_at else None
            if ended is not None and ended <= before:
                continue
            row = self.rows[call.call_sid] = known.get(call.call_sid) or Row(call.call_sid)
            if row.position is not None and row.position.epoch != call.epoch:
                row.position = None
            row.from_, row.to, row.direction = call.from_, call.to, call.direction
            row.agent, row.queue = call.agent or call.person, call.queue
            row.attention, row.listed = Attention(call.attention), call.offset
            row.alerts, row.alerted = Alerts(call.alerts), call.offset
            row.began = _moment(call.started_at) if call.started_at else None
            row.live, row.ended, row.duration, row.reason = call.live, ended, call.duration, call.reason or ""
            row.completeness, row.statistics = call.completeness, call.statistics
            if call.transcriber is not None and not row.transcriber:
                row.transcriber = call.transcriber.provider
            row.position = row.position or Position(call.epoch, max(0, call.offset - RECENT_EVENTS))
            row.followed = False
        lately = self.now() - LATELY_SECONDS
        wanted = [row for row in self.rows.values() if row.live or (row.said is None and (row.ended or 0.0) > lately)]
        for row in wanted[-MOST_FOLLOWED:]:
            yield self._follow(row)

    def _follow(self, row: Row) -> Request:
        row.followed = True
        return subscription(row.call_sid, row.position, interims=self._interims)

    def _change(self, event: events.Durable) -> Iterator[Request]:
        row = self._row(event.call_sid)
        row.position = Position(event.epoch, event.offset)
        if event.offset > row.listed:  # a replay brings what the list has said already
            row.attention.apply(event)
        if isinstance(event, events.Alert | events.AlertWithdrawn) and event.offset > row.alerted:
            row.alerted = event.offset
            row.alerts.apply(event)
        match event:
            case events.ConditionChanged(completeness=completeness):
                row.completeness = completeness
            case events.Statistics(figures=figures):
                row.statistics = figures
            case events.CallStarted():
                if not row.live and row.untranscribed:
                    row.completeness = None  # another transcriber begins
                row.from_, row.to = row.from_ or event.from_, row.to or event.to
                row.direction = row.direction or event.direction
                self._label(row, event)
                row.began = row.began or _moment(event.at)
                row.transcriber, row.trouble = event.transcriber.provider, ""
                row.live, row.ended, row.duration, row.reason = True, None, None, ""
                if not row.followed:
                    yield self._follow(row)
            case events.CallEnded():
                row.live, row.ended, row.duration, row.reason = False, _moment(event.at), event.duration, event.reason
                row.completeness = event.completeness
                if row.followed:
                    row.followed = False
                    yield {"action": "unsubscribe", "callSid": event.call_sid}
            case events.TranscriberLost(provider=provider, reason=reason):
                row.transcriber, row.trouble = provider, f"lost: {reason}"
            case events.TranscriberRestored(provider=provider):
                row.transcriber, row.trouble = provider, ""
            case events.TranscriberSwitched(provider=provider, reason=reason):
                row.transcriber, row.trouble = provider, f"took over: {reason}"

    def _label(self, row: Row, event: events.CallStarted) -> None:
        labels = {key.lower(): value for key, value in event.parameters.items() if value}
        row.agent = event.agent or labels.get("agent") or row.agent
        row.queue = labels.get("queue") or row.queue

    def _row(self, call_sid: str) -> Row:
        return self.rows.setdefault(call_sid, Row(call_sid))


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
