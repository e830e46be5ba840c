"""A caller's phone that calls an agent: sends what the caller says to the hub's /agent, and plays what the caller would hear.

Knows the bidirectional stream from Twilio's side. Does not know what the hub makes of the call.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from clients.audio.frames import FRAME_BYTES, FRAME_MS
from clients.devices.microphone import Microphone
from clients.pretend_twilio.media_socket import MediaStreamSocket, OutgoingCall
from clients.pretend_twilio.messages import FIRST_TIMESTAMP_MS, Frame, new_sid
from clients.pretend_twilio.playout import BadMessage, Playout
from hub.audio.g711 import BYTES_PER_MS

QUIET_SECONDS = 8.0
"""The caller hangs up once they have said everything and the agent has been silent for this long."""


class Phone:
    """One call to an agent: `async with Phone(url) as phone`, then `step()` for each 20 ms."""

    def __init__(
        self,
        url: str,
        *,
        call_sid: str | None = None,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` are sent with the upgrade, `X-Twilio-Signature` for example."""
        call = OutgoingCall(url, call_sid or new_sid("CA"), parameters=parameters or {}, headers=headers or {})
        self.said = bytearray()
        """All that the caller said, silence included, from the stream's start."""
        self.problem: BadMessage | None = None
        """The first message that Twilio would have warned about; None if there was none."""
        self.hung_up = False
        """Whether the caller ended the call."""
        self._chunk = 0
        """The number of the last media message sent."""
        self._socket = MediaStreamSocket(call, ["inbound"], self._receive)
        self.stream = self._socket.messages
        self.playout = Playout(call.stream_sid)
        self.over = self._socket.over
        """Set once either side has closed."""

    @property
    def close_code(self) -> int | None:
        """The hub's close code, once it has closed."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason that came with the close code."""
        return self._socket.close_reason

    async def __aenter__(self) -> "Phone":
        """Make the call. Raises: NotAnswered."""
        await self._socket.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        """Close the socket, unless `hang_up()` or the hub already has."""
        return await self._socket.__aexit__(*error)

    async def step(self, mulaw: bytes = b"") -> bytes:
        """Say 20 ms (or be silent) and return the 20 ms that the caller hears meanwhile."""
        payload = mulaw.ljust(FRAME_BYTES, b"\xff")
        self._chunk += 1
        timestamp_ms = FIRST_TIMESTAMP_MS + len(self.said) // BYTES_PER_MS
        self.said += payload
        await self._send(self.stream.media(Frame("inbound", self._chunk, timestamp_ms, payload)))
        heard = self.playout.play()
        await self.echo()
        return heard

    async def echo(self) -> None:
        """Send back the marks whose audio was played or cleared."""
        while self.playout.echoes:
            await self._send(self.stream.numbered("mark", {"name": self.playout.echoes.popleft()}))

    async def press(self, digit: str) -> None:
        """Press a key."""
        await self._send(self.stream.numbered("dtmf", {"track": "inbound_track", "digit": digit}))

    async def hang_up(self, *, politely: bool = True) -> None:
        """End the call: with `stop` and a close frame, or by cutting the socket off."""
        self.hung_up = True
        if politely:
            await self._send(self.stream.stop())
            await self._socket.close()
        else:
            self._socket.break_off()

    async def _send(self, message: bytes) -> None:
        with suppress(ConnectionClosed):
            await self._socket.send(message)

    async def _receive(self, message: str | bytes) -> None:
        try:
            self.playout.receive(message)
        except BadMessage as error:
            self.problem = self.problem or error
        await self.echo()


async def speak_to_agent(
    phone: Phone, mic: Microphone, *, hang_up_after_ms: int | None = None, play: Callable[[bytes], None] | None = None
) -> None:
    """Speak into the microphone until somebody hangs up, the time is up, or the device ends.

    `play` is called with each 20 ms that the caller hears. The microphone is the clock: each of its frames is one step of the call. Where
    frames were lost, the caller is silent for as long, so that the agent's time goes on, too.
    """
    at_ms = 0
    while not phone.over.is_set() and (hang_up_after_ms is None or at_ms < hang_up_after_ms) and (spoken := await mic.frame()) is not None:
        number, mulaw = spoken
        lost = number - at_ms // FRAME_MS
        for said in *(b"" for _ in range(lost)), mulaw:
            heard = await phone.step(said)
            if play is not None:
                play(heard)
        at_ms = (number + 1) * FRAME_MS
    if not phone.over.is_set():
        await phone.hang_up()


async def play_to_agent(
    phone: Phone, mulaw: bytes, *, hang_up_after_ms: int | None = None, speed: float = 1.0, quiet_seconds: float = QUIET_SECONDS
) -> None:
    """Play a recorded caller to the agent in real time, until the hub closes or the time is up.

    Without `hang_up_after_ms`, the caller hangs up once everything is said and the agent has been silent for `quiet_seconds`.
    """
    clock = asyncio.get_running_loop().time
    began, quiet_ms, frames = clock(), 0.0, 0
    while not phone.over.is_set():
        at_ms = frames * FRAME_MS
        if hang_up_after_ms is not None and at_ms >= hang_up_after_ms:
            break
        heard = await phone.step(mulaw[at_ms * BYTES_PER_MS : (at_ms + FRAME_MS) * BYTES_PER_MS])
        frames += 1
        talks = at_ms * BYTES_PER_MS < len(mulaw) or heard.strip(b"\xff")
        quiet_ms = 0.0 if talks else quiet_ms + FRAME_MS
        if hang_up_after_ms is None and quiet_ms >= quiet_seconds * 1000:
            break
        await asyncio.sleep(max(0.0, began + frames * FRAME_MS / 1000 / speed - clock()))
    if not phone.over.is_set():
        await phone.hang_up()
