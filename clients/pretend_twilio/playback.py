"""Plays a recorded call into the hub's /twilio, frame by frame and at the pace of Twilio's media streams.

Knows when each frame of a recording is sent, and which faults can be made on the way. Does not know what the hub makes of the call.
"""

import asyncio
import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clients.audio.files import RecordedCall
from clients.audio.frames import FRAME_BYTES, FRAME_MS
from clients.pretend_twilio.media_socket import CallResult, MediaStreamSocket, OutgoingCall
from clients.pretend_twilio.messages import FIRST_TIMESTAMP_MS, Frame
from hub.audio.g711 import BYTES_PER_MS, SILENCE_BYTE, Track


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on the way. The same faults with the same `seed` send the same frames in the same order.

    A frame that is lost, late or repeated keeps its true timestamp and chunk number. `sequenceNumber` counts the messages really sent.
    """

    late_outbound_ms: int = 0  # the outbound track starts this late, as while it rings; its earlier audio is never sent
    lose: float = 0.0  # this share of the frames, 0-1, is never sent
    jitter_ms: int = 0  # each frame is sent up to this much too late, and so out of order
    duplicate: int = 0  # every nth frame of a track is sent twice, as the very same message; 0: none
    one_sided: bool = False  # only the inbound track is sent, although start announces both
    no_stop: bool = False  # no stop and no close frame: the socket is cut off
    hang_up_after_ms: int | None = None  # the call ends here, with a stop (unless no_stop); None: the whole recording is played
    seed: int = 0


NO_FAULTS = Faults()


def frames(recording: RecordedCall, faults: Faults = NO_FAULTS) -> Iterator[Frame]:
    """Yield the call's frames in the order in which they are sent, each 160 bytes. The last one is filled up with silence."""
    waiting: list[tuple[float, int, Frame]] = []  # delayed by jitter; the number keeps frames of one moment in order
    for number, frame in enumerate(_recorded(recording, faults)):
        heapq.heappush(waiting, (frame.at_ms, number, frame))
        while waiting and waiting[0][0] <= frame.timestamp_ms - FIRST_TIMESTAMP_MS:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _recorded(recording: RecordedCall, faults: Faults) -> Iterator[Frame]:
    chance = random.Random(faults.seed)
    tracks: dict[Track, bytes] = {"inbound": recording.inbound}
    if recording.outbound is not None and not faults.one_sided:
        tracks["outbound"] = recording.outbound
    chunks = dict.fromkeys(tracks, 0)
    for position_ms in range(0, math.ceil(length_ms(recording, faults)), FRAME_MS):
        for track, mulaw in tracks.items():
            if track == "outbound" and position_ms < faults.late_outbound_ms:
                continue
            chunks[track] += 1
            piece = mulaw[position_ms * BYTES_PER_MS : (position_ms + FRAME_MS) * BYTES_PER_MS]
            copies = 2 if faults.duplicate and chunks[track] % faults.duplicate == 0 else 1
            yield Frame(
                at_ms=position_ms + chance.uniform(0, faults.jitter_ms),
                track=track,
                chunk=chunks[track],
                timestamp_ms=FIRST_TIMESTAMP_MS + position_ms,
                payload=piece.ljust(FRAME_BYTES, bytes([SILENCE_BYTE])),
                copies=0 if chance.random() < faults.lose else copies,
            )


def length_ms(recording: RecordedCall, faults: Faults) -> float:
    """Return how much of the recording is played."""
    whole_ms = recording.seconds * 1000
    return whole_ms if faults.hang_up_after_ms is None else min(whole_ms, faults.hang_up_after_ms)


async def play(
    call: OutgoingCall,
    recording: RecordedCall,
    *,
    speed: float = 1.0,
    faults: Faults = NO_FAULTS,
    progress: Callable[[float], None] | None = None,
) -> CallResult:
    """Make a call, play a recording into it, and hang up. `speed` 2 is twice as fast, 0 as fast as the socket takes it.

    `progress` is called with the seconds of audio sent so far. Safe to cancel: `stop` is sent then, too. Raises: NotAnswered.
    """
    sent: dict[Track, int] = {"inbound": 0} if recording.outbound is None else {"inbound": 0, "outbound": 0}
    lost, seconds = 0, 0.0
    clock = asyncio.get_running_loop().time
    async with MediaStreamSocket(call, list(sent)) as socket:
        began = clock()
        for frame in frames(recording, faults):
            await _until(began + frame.at_ms / 1000 / speed if speed else 0.0, clock)
            message = socket.messages.media(frame) if frame.copies else b""
            for _copy in range(frame.copies):
                await socket.send(message)
            sent[frame.track] += frame.copies
            lost += frame.copies == 0
            seconds = max(seconds, (frame.timestamp_ms - FIRST_TIMESTAMP_MS + FRAME_MS) / 1000)
            if progress is not None:
                progress(seconds)
        await _until(began + length_ms(recording, faults) / 1000 / speed if speed else 0.0, clock)
        if faults.no_stop:
            socket.break_off()
        else:
            await socket.send(socket.messages.stop())
    return socket.result(sent, lost, seconds)


async def _until(deadline: float, clock: Callable[[], float]) -> None:
    """Wait for a moment of the loop's clock. Deadlines are absolute, so that one late frame does not make all later ones late."""
    await asyncio.sleep(max(0.0, deadline - clock()))
