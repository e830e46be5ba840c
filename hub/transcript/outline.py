"""What a call's events say of the call as a whole: who, since when, by whom transcribed, how it ended. A fold over the log; pure."""

import msgspec

from hub.audio.g711 import Track
from hub.events import SPEAKERS, CallEnded, CallStarted, CallSummary, Completeness, Durable, Final
from hub.transcript.completeness import Findings


class Outline:
    """One call's outline: `apply` each durable event, in order."""

    __slots__ = ("ended", "findings", "newest", "speakers", "started", "utterances")

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
        self.findings = Findings()
        """What is missing in the record."""

    def apply(self, event: Durable) -> None:
        """Take the next event of the log."""
        self.findings.apply(event)
        match event:
            case Final(text=text):
                self.utterances += bool(text)
            case CallStarted():
                known = self.started or event
                self.started = msgspec.structs.replace(known, from_=event.from_, to=event.to, direction=event.direction)
                self.newest, self.ended, self.speakers = event, None, event.speakers
            case CallEnded():
                self.ended = event
            case _:
                pass

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
    def completeness(self) -> Completeness:
        """How whole the record is: for good if the call has ended, otherwise so far."""
        return self.ended.completeness if self.ended is not None else self.findings.completeness(ended=False)

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
            transcriber=started.transcriber if started else None,
            utterances=self.utterances,
            reason=ended.reason if ended else None,
            duration=ended.duration if ended else None,
            completeness=self.completeness,
            epoch=epoch,
            offset=offset,
        )
