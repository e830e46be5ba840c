"""Two AssemblyAI sessions as one transcriber: a session takes one channel, so each track of a call has its own."""

import asyncio
import functools
from collections import deque

from hub.audio import g711
from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.transcribers.session import Endpoint, SessionContext
from hub.transcribers.transcriber import Lost, OnReport, Report, Restored
from hub.vendors.assemblyai.transcriber import AssemblyAI

LEAD_BLOCKS = 10
"""How many blocks before a track's first sound are sent, too, so that the recognizer hears the sound begin: a second."""

DIGITAL_SILENCE = bytes([g711.SILENCE_BYTE])
"""What the hub fills a track with that does not exist. A line with somebody on it is never so still."""


class TrackSession:
    """The session of one track. It is opened with the track's first sound: sessions are billed by time, also those of silence.

    A stream that carries one track only has the other one filled with silence, so it opens one session.
    """

    def __init__(self, endpoint: Endpoint, track: Track, context: SessionContext) -> None:
        self.session = AssemblyAI(endpoint, track, context)
        self._track: Track = track
        self._lead: deque[Block] | None = deque(maxlen=LEAD_BLOCKS)
        """The newest blocks, all silent; None once the track had sound."""
        self._decided = asyncio.Event()
        """Set with the first sound, or with the end of the audio."""

    def push(self, block: Block) -> None:
        """See Transcriber."""
        if self._lead is not None:
            self._lead.append(block)
            if not block.track(self._track).strip(DIGITAL_SILENCE):
                return
            lead, self._lead = self._lead, None
            for silent in list(lead)[:-1]:
                self.session.push(silent)
            self._decided.set()
        self.session.push(block)

    def finish(self) -> None:
        """See Transcriber."""
        self.session.finish()
        self._decided.set()

    async def run(self, report: OnReport) -> bool:
        """See Transcriber. Raises: ProviderError."""
        await self._decided.wait()
        return await self.session.run(report) if self._lead is None else True


class AssemblyAITracks:
    """A call's two tracks, each with its own session and its own bill. Implements `Transcriber`."""

    provider = AssemblyAI.provider

    def __init__(self, endpoint: Endpoint, context: SessionContext) -> None:
        self.model = endpoint.model
        self._tracks = [TrackSession(endpoint, track, context) for track in g711.TRACKS]

    @property
    def sessions(self) -> list[AssemblyAI]:
        """The sessions, whether they are open or not, the inbound track's first."""
        return [track.session for track in self._tracks]

    def push(self, block: Block) -> None:
        """See Transcriber."""
        for track in self._tracks:
            track.push(block)

    def finish(self) -> None:
        """See Transcriber."""
        for track in self._tracks:
            track.finish()

    async def run(self, report: OnReport) -> bool:
        """See Transcriber. Raises: ProviderError of the first session that no retry can help; then the other session is closed."""
        away: set[AssemblyAI] = set()

        def of_one(session: AssemblyAI, fact: Report) -> None:
            """Pass on a report of one session. Lost and Restored are reported once for both sessions."""
            match fact:
                case Lost():
                    away.add(session)
                    if len(away) > 1:
                        return
                case Restored():
                    away.discard(session)
                    if away:
                        return
                case _:
                    pass
            report(fact)

        try:
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(each.run(functools.partial(of_one, each.session))) for each in self._tracks]
        except BaseExceptionGroup as errors:
            for session in self.sessions:
                session.leave()
            raise errors.exceptions[0] from None
        return all(run.result() for run in runs)

    def unsettled(self) -> list[Block]:
        """See Transcriber. Both sessions have the same blocks, each settled on its own track."""
        left, right = ({block.start_ms: block for block in session.unsettled()} for session in self.sessions)
        both = []
        for start_ms in sorted(left.keys() | right.keys()):
            size = len((left.get(start_ms) or right[start_ms]).inbound)
            inbound = left[start_ms].inbound if start_ms in left else g711.silence(size)
            outbound = right[start_ms].outbound if start_ms in right else g711.silence(size)
            both.append(Block(start_ms, inbound, outbound))
        return both
