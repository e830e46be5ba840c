"""Speaks into the hub's /twilio: the microphone is the call's inbound track, at the pace of the device.

Knows how frames of a microphone become messages of a stream. Does not know devices or terminals.
"""

from collections.abc import Callable

from clients.audio.frames import FRAME_MS
from clients.audio.wav import WavRecorder
from clients.devices.microphone import Microphone
from clients.pretend_twilio.media_socket import CallResult, MediaStreamSocket, OutgoingCall
from clients.pretend_twilio.messages import FIRST_TIMESTAMP_MS, Frame


async def speak(
    call: OutgoingCall,
    mic: Microphone,
    *,
    hang_up_after_ms: int | None = None,
    recorder: WavRecorder | None = None,
    sent: Callable[[float, bytes], None] | None = None,
) -> CallResult:
    """Make a call and speak into it until somebody hangs up, the time is up, or the device ends; then send `stop` and close.

    `sent` is called with each frame that was sent, and with the call's length in seconds including it. Safe to cancel: `stop` is sent then,
    too. Raises: NotAnswered.
    """
    count, seconds = 0, 0.0
    async with MediaStreamSocket(call, ["inbound"]) as socket:
        while (hang_up_after_ms is None or seconds * 1000 < hang_up_after_ms) and (spoken := await mic.frame()) is not None:
            number, mulaw = spoken
            at_ms = number * FRAME_MS
            await socket.send(socket.messages.media(Frame("inbound", number + 1, FIRST_TIMESTAMP_MS + at_ms, mulaw)))
            count, seconds = count + 1, (at_ms + FRAME_MS) / 1000
            if recorder is not None:
                recorder.add(number, mulaw)
            if sent is not None:
                sent(seconds, mulaw)
        await socket.send(socket.messages.stop())
    return socket.result({"inbound": count}, mic.lost, seconds)
