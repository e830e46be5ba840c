"""What a call's events say of the call as a whole: who, since when, by whom transcribed, how it ended. A fold over the log; pure."""

from typing import Literal

import msgspec

from hub.audio.g711 import Track
from hub.events import (
    SPEAKERS,
    Alert,
    AlertWithdrawn,
    CallEnded,
    CallStarted,
    CallStatistics,
    CallSummary,
    Completeness,
    ConditionChanged,
    Durable,
    Final,
    Note,
    RecordingErased,
    RecordingFailed,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
    RecordingSummary,
    Statistics,
    TranscriberName,
)
from hub.insight.statistics import RunningStatistics
from hub.text.foreign_text import name
from hub.transcript.alerts import Alerts
from hub.transcript.attention import Attention
from hub.transcript.completeness import Findings

LABEL_CHARACTERS = 80
"""More of the name of a queue or of a person would fit into no list."""

NOTE_CHARACTERS = 200
"""So much of a note is shown in lists: its first sentence, mostly."""


class Outline:
    """One call's outline: `apply` each durable event, in order."""

    __slots__ = (
        "alerts", "attention", "ended", "findings", "newest", "note", "noted", "paused", "person", "queue", "recording", "speakers",
        "started", "statistics", "utterances",
    )  # fmt: skip

    def __init__(self) -> None:
        self.started: CallStarted | None = None
        """The first `call-started`, with the numbers and the direction as they are known by now. None before it."""
        self.newest: CallStarted | None = None
        """The newest `call-started`: the stream that is there now. None before the first."""
        self.ended: CallEnded | None = None
        """The newest `call-ended`. None while the call is live."""
        self.speakers: dict[Track, str] = dict(SPEAKERS)
        """Who speaks on each track."""
        self.utterances = 0
        """How many utterances are over and have text."""
        self.recording: RecordingSummary | None = None
        """What there is of the recording. None where there is none."""
        self.paused = False
        """Whether the recording was paused and not resumed. It stays so where the call goes on after its end."""
        self.findings = Findings()
        """What is missing in the record."""
        self.attention = Attention()
        """Why the call needs a person's attention."""
        self.person: str | None = None
        """Who answers, as the newest stream whose `<Parameter>` `agent` names a person says. None where none does."""
        self.queue: str | None = None
        """The queue that the call came through, as the newest stream that names one says. None where none does."""
        self.alerts = Alerts()
        """What the watchwords found."""
        self.statistics = RunningStatistics()
        """Who spoke how much, and when."""
        self.note: str | None = None
        """The beginning of the newest note. None where there is none."""
        self.noted = 0
        """Offset of the `call-ended` that the newest note is about. 0 where there is none."""

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        self.findings.apply(event)
        self.attention.apply(event)
        self.statistics.apply(event)
        match event:
            case Final(text=text):
                self.utterances += bool(text)
            case CallStarted():
                known = self.started or event
                self.started = msgspec.structs.replace(known, from_=event.from_, to=event.to, direction=event.direction)
                self.newest, self.ended, self.speakers = event, None, event.speakers
                self._label(event)
            case CallEnded():
                self.ended = event
                if self.recording is not None and self.recording.state != "stored":
                    self.recording = _spool("spooled")
            case RecordingStarted():
                self.recording = _spool("recording")
            case RecordingPaused():
                self.recording, self.paused = _spool("paused"), True
            case RecordingResumed():
                self.recording, self.paused = _spool("recording"), False
            case RecordingFailed():
                self.recording = _spool("failed")
            case RecordingStored(media_type=media_type, seconds=seconds):
                self.recording = RecordingSummary(state="stored", media_type=media_type, seconds=seconds)
            case RecordingErased():
                self.recording = None
            case Alert() | AlertWithdrawn():
                self.alerts.apply(event)
            case Note(summary=summary, ended=ended):
                self.note, self.noted = beginning(" ".join(each.text for each in summary)), ended
            case _:
                pass

    def _label(self, event: CallStarted) -> None:
        labels = {key.lower(): label for key, value in event.parameters.items() if (label := name(value)[:LABEL_CHARACTERS])}
        self.queue = labels.get("queue", self.queue)
        if event.agent is None:  # otherwise the parameter has chosen that agent
            self.person = labels.get("agent", self.person)

    @property
    def live(self) -> bool:
        """Whether the call goes on, as far as the hub knows."""
        return self.ended is None

    @property
    def numbers(self) -> tuple[str | None, str | None]:
        """From and to, as far as they are known."""
        return (self.started.from_, self.started.to) if self.started is not None else (None, None)

    @property
    def agent(self) -> str | None:
        """The agent whose stream is the newest. None where people speak on both tracks."""
        return self.newest.agent if self.newest is not None else None

    @property
    def answered_by(self) -> str | None:
        """The agent, or the person who answers. None where nobody is named."""
        return self.agent or self.person

    @property
    def completeness(self) -> Completeness:
        """How whole the record is: for good if the call has ended, otherwise so far."""
        return self.ended.completeness if self.ended is not None else self.findings.completeness(ended=False)

    @property
    def figures(self) -> CallStatistics | None:
        """The call's statistics. None while it is live and nothing is told of it."""
        return None if self.live and self.statistics.is_empty else self.statistics.figures()

    def summary(self, call_sid: str, epoch: str, offset: int) -> CallSummary:
        """Return the call as lists show it; `offset` is that of the last event that was applied."""
        started, ended = self.started, self.ended
        return CallSummary(
            call_sid=call_sid,
            live=self.live,
            started_at=started.at if started else None,
            ended_at=ended.at if ended else None,
            from_=started.from_ if started else None,
            to=started.to if started else None,
            direction=started.direction if started else None,
            speakers=dict(self.speakers),
            agent=self.agent,
            person=self.person,
            queue=self.queue,
            transcriber=started.transcriber if started else None,
            utterances=self.utterances,
            reason=ended.reason if ended else None,
            duration=ended.duration if ended else None,
            completeness=self.completeness,
            attention=self.attention.reasons,
            recording=self.recording,
            alerts=self.alerts.summary,
            statistics=self.figures,
            note=self.note,
            epoch=epoch,
            offset=offset,
        )


class ToldOutline(Outline):
    """A call's outline as its owner, another node, has told it: the events are not here, or not the oldest of them."""

    __slots__ = ("_completeness", "_figures", "_summary")

    def __init__(self, summary: CallSummary) -> None:
        super().__init__()
        self._summary: CallSummary | None = summary
        """What was told. None once events behind it were applied."""
        self._completeness, self._figures = summary.completeness, summary.statistics
        self.speakers, self.utterances, self.recording = dict(summary.speakers), summary.utterances, summary.recording
        self.person, self.queue, self.attention = summary.person, summary.queue, Attention(summary.attention)
        self.alerts, self.note = Alerts(summary.alerts), summary.note
        if summary.started_at is not None:
            self.started = self.newest = CallStarted(
                call_sid=summary.call_sid,
                at=summary.started_at,
                from_=summary.from_,
                to=summary.to,
                direction=summary.direction,
                tracks=list(summary.speakers),
                speakers=summary.speakers,
                parameters={},
                stream_sid="",
                transcriber=summary.transcriber or TranscriberName(provider="", model=""),
                agent=summary.agent,
            )
        if summary.ended_at is not None:
            self.ended = CallEnded(
                call_sid=summary.call_sid, at=summary.ended_at, reason=summary.reason or "", duration=summary.duration or 0.0,
                completeness=summary.completeness, audio={},
            )  # fmt: skip

    def apply(self, event: Durable) -> None:
        """See Outline."""
        super().apply(event)
        self._summary = None
        if isinstance(event, ConditionChanged):
            self._completeness = event.completeness
        elif isinstance(event, Statistics):
            self._figures = event.figures

    @property
    def completeness(self) -> Completeness:
        """See Outline. Between two events that say it, what is told is a little old."""
        return self.ended.completeness if self.ended is not None else self._completeness

    @property
    def figures(self) -> CallStatistics | None:
        """See Outline. While the call lives, they begin with the events that are here; at its end, they are what its owner has counted."""
        return self._figures if self.statistics.is_empty or not self.live else super().figures

    def summary(self, call_sid: str, epoch: str, offset: int) -> CallSummary:
        """See Outline. Where nothing was applied, the position is the owner's."""
        return self._summary or super().summary(call_sid, epoch, offset)


def beginning(text: str) -> str:
    """Return as much of a note as lists show."""
    return text if len(text) <= NOTE_CHARACTERS else f"{text[: NOTE_CHARACTERS - 1].rstrip()}…"


def _spool(state: Literal["recording", "paused", "failed", "spooled"]) -> RecordingSummary:
    """Return what there is of a recording that is not stored: what was said so far, as it lies on the hub's disk."""
    return RecordingSummary(state=state, media_type="audio/wav", seconds=None)
