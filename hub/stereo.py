"""Two tracks' chunks in, aligned stereo blocks out. Pure; knows media time only."""

from dataclasses import dataclass

from hub import audio

BLOCK_MS = 100
"""Providers ask for 50-250 ms a message (Deepgram about 100, AssemblyAI at least 50): fewer wake-ups than Twilio's 20 ms, little delay."""


@dataclass(frozen=True, slots=True)
class Block:
    """Both tracks between `start_ms` and `start_ms + len/8`, mu-law 8 kHz, always of one length.

    `start_ms` is call time. Blocks follow one another without a hole, except after a leap of the stream's own clock. The last one of a
    call may be shorter than BLOCK_MS.
    """

    start_ms: float
    inbound: bytes
    outbound: bytes

    @property
    def end_ms(self) -> float:
        """Call time at which this block ends."""
        return self.start_ms + audio.ms(len(self.inbound))

    def track(self, name: audio.Track) -> bytes:
        """Return one track's mu-law bytes."""
        return self.inbound if name == "inbound" else self.outbound

    def stereo(self) -> bytes:
        """Return both tracks interleaved, inbound left."""
        return audio.interleaved(self.inbound, self.outbound)
