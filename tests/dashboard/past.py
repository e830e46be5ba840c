"""Calls of long ago in an archive, for a hub that is started on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from hub.archive.archive import Change, Facts, StoredEvent
from hub.archive.opening import open_archive
from hub.audio.g711 import Track
from hub.events import CallEnded, CallStarted, CallSummary, Completeness, Durable, Final, TranscriberName, Word, encode, stamped
from tests.archive.made import WHOLE, number_at, seal_all

Said: TypeAlias = tuple[Track, float, float, str]
"""An utterance: its track, its first and last second of call time, its text."""

SPEAKERS: dict[Track, str] = {"inbound": "caller", "outbound": "Maya (agent)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call that has ended, as a test writes it."""

    sid: str
    at: float
    """When it began, in Unix seconds."""
    said: Sequence[Said] = ()
    from_: str = "+14155550123"
    agent: str | None = None
    completeness: Completeness = WHOLE

    @property
    def seconds(self) -> float:
        """How long it was."""
        return max((end for _, _, end, _ in self.said), default=0.0) + 1.0

    def change(self) -> Change:
        """Return all of it for the archive."""
        began = CallStarted(
            call_sid=self.sid, from_=self.from_, to="+14155550100", direction="inbound", tracks=["inbound", "outbound"], speakers=SPEAKERS,
            parameters={}, stream_sid="MZ" + "1" * 32, transcriber=TranscriberName(provider="deepgram", model="nova-3"), agent=self.agent,
        )  # fmt: skip
        ended = CallEnded(call_sid=self.sid, reason="completed", duration=self.seconds, completeness=self.completeness, audio={})
        talk: list[Durable] = [began, *(self._final(at, *each) for at, each in enumerate(self.said)), ended]
        events = tuple(
            StoredEvent(offset, encode(msgspec.structs.replace(event, epoch="past", offset=offset, at=stamped(self.at + offset))))
            for offset, event in enumerate(talk, 1)
        )
        return Change(call_sid=self.sid, epoch="past", events=events, facts=self._facts(len(events)))

    def _final(self, at: int, track: Track, start: float, end: float, text: str) -> Final:
        spoken = text.split()
        step = (end - start) / max(1, len(spoken))
        words = [
            Word(text=word.strip(".,?!").lower(), start=start + n * step, end=start + (n + 0.9) * step, confidence=0.97)
            for n, word in enumerate(spoken)
        ]
        return Final(
            call_sid=self.sid, utterance=f"u{at}", revision=2, track=track, speaker=SPEAKERS[track], text=text, start=start, end=end,
            words=words,
        )  # fmt: skip

    def _facts(self, offset: int) -> Facts:
        ended_at = self.at + self.seconds
        summary = CallSummary(
            call_sid=self.sid, live=False, started_at=stamped(self.at), ended_at=stamped(ended_at), from_=self.from_, to="+14155550100",
            direction="inbound", speakers=SPEAKERS, transcriber=TranscriberName(provider="deepgram", model="nova-3"), agent=self.agent,
            utterances=len(self.said), reason="completed", duration=self.seconds, completeness=self.completeness, epoch="past",
            offset=offset,
        )  # fmt: skip
        more: dict[str, Any] = {"from_": self.from_, "to": "+14155550100", "agent": self.agent, "state": self.completeness.state}
        return Facts(number=number_at(self.at), started_at=self.at, ended_at=ended_at, summary=encode(summary), **more)


def keep(place: Path, calls: Sequence[PastCall]) -> str:
    """Put calls into the archive at a path, sealed and indexed as they are a little after their end. Return the path as a setting."""
    archive = open_archive(str(place))
    archive.write([call.change() for call in calls])
    seal_all(archive)
    archive.close()
    return str(place)
