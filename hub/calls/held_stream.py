"""A Twilio stream whose call another node has yet to hand over: everything it brings is kept, in order, until it can join.

Knows messages. Does not know the other node.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.audio.alignment import place
from hub.audio.g711 import BYTES_PER_MS, TRACKS, Track, silence
from hub.audio.timeline import LEAP_MS
from hub.calls.call import Peer, Stream
from hub.twilio.media import StartBody

MOST_CHUNKS = 6000
"""Chunks that are kept: a minute of both tracks, 1 MB."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio of one track, at `at_ms` of the stream's own time."""

    track: Track
    at_ms: int
    payload: bytes


class HeldStream:
    """One stream, which joins its call later, or never. Implements `Stream`."""

    __slots__ = ("_chunks", "_later", "_stream", "at", "peer", "start")

    def __init__(self, start: StartBody, peer: Peer, at: float) -> None:
        """`at`: when the stream began, on the calls' clock."""
        self.start = start
        self.peer = peer
        self.at = at
        self._chunks: list[Chunk] = []
        self._later: list[Callable[[Stream], None]] = []
        """What else Twilio said, in order."""
        self._stream: Stream | None = None
        """The stream's part in its call. None before it has joined."""

    def chunk(self, track: Track, at_ms: int, payload: bytes) -> bool:
        """See Stream."""
        if self._stream is not None:
            return self._stream.chunk(track, at_ms, payload)
        self._chunks.append(Chunk(track, at_ms, payload))
        if len(self._chunks) > MOST_CHUNKS:
            self.close("this call's node takes too long")
        return False

    def mark(self, name: str) -> None:
        """See Stream."""
        self._say(lambda stream: stream.mark(name))

    def dtmf(self, digit: str, track: Track) -> None:
        """See Stream."""
        self._say(lambda stream: stream.dtmf(digit, track))

    def stop(self) -> None:
        """See Stream."""
        self._say(lambda stream: stream.stop())

    def lost(self) -> None:
        """See Stream."""
        self._say(lambda stream: stream.lost())

    def close(self, reason: str) -> None:
        """Close the socket: the stream does not join. Never waits."""
        self._chunks.clear()
        self.peer.close(reason)

    def place(self, base_ms: float, sample: dict[Track, bytes], cut_ms: float) -> int:
        """Return the call time at the stream's own zero so that the cut lies in its audio where it lies in the owner's.

        `base_ms`: the same by the clocks of both nodes, which may be wrong by tens of milliseconds.
        """
        audio = {track: self._audio(track, base_ms) for track in TRACKS}
        placed_ms = place(sample, {track: found for track, found in audio.items() if found is not None}, cut_ms)
        return round(base_ms if placed_ms is None else base_ms + cut_ms - placed_ms)

    def enter(self, stream: Stream, base_ms: int, from_ms: Mapping[Track, float]) -> None:
        """Join: the stream's part in its call takes what was kept, of each track from this call time on, and all that comes."""
        chunks, self._chunks = self._chunks, []
        self._stream = stream
        for chunk in chunks:
            early = max(0, round((from_ms[chunk.track] - base_ms - chunk.at_ms) * BYTES_PER_MS))
            if early < len(chunk.payload):
                stream.chunk(chunk.track, chunk.at_ms + -(-early // BYTES_PER_MS), chunk.payload[early:])
        for say in self._later:
            say(stream)
        self._later.clear()

    def _say(self, say: Callable[[Stream], None]) -> None:
        if self._stream is not None:
            say(self._stream)
        else:
            self._later.append(say)

    def _audio(self, track: Track, base_ms: float) -> tuple[float, bytes] | None:
        """Return what came of a track, and the call time at which it begins. Silence stands where frames are missing."""
        chunks = sorted((chunk for chunk in self._chunks if chunk.track == track and chunk.at_ms >= 0), key=lambda chunk: chunk.at_ms)
        if not chunks:
            return None
        audio = bytearray()
        for chunk in chunks:
            missing = (chunk.at_ms - chunks[0].at_ms) * BYTES_PER_MS - len(audio)
            if missing > LEAP_MS * BYTES_PER_MS:
                break  # a timestamp that cannot be true
            audio += silence(missing) + chunk.payload[max(0, -missing) :]
        return base_ms + chunks[0].at_ms, bytes(audio)
