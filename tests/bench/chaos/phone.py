"""Calls of a pretend Twilio that carry coded sound, over sockets that cost little, and that remember which node carried what."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from clients.audio.frames import FRAME_MS
from clients.pretend_twilio.messages import Frame, MediaStreamMessages, new_sid
from tests.bench.chaos.code import Script
from tests.bench.chaos.lean_socket import LeanSocket, Refused
from tests.bench.chaos.way import Way
from tests.providers.fake_twilio import FakeTwilio, LiveStream, PhoneCall

PHASES = 4
"""The streams' frames are spread over the 20 ms."""


@dataclass(eq=False)
class Carried:
    """What one stream carried."""

    stream: LiveStream
    node: str
    """Name of the node that got it."""
    first: int
    """The first frame of the call's sound."""
    began: float
    """Unix seconds."""
    socket: LeanSocket
    messages: MediaStreamMessages
    sent: int = 0
    """Frames."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to stop the stream in order."""
    ended: float | None = None
    """Unix seconds of its end. None while it lives."""
    hit: bool = False
    """Whether its node was killed or stopped meanwhile: what it carried may be lost to the transcript."""

    @property
    def last(self) -> int:
        return self.first + self.sent


@dataclass(eq=False)
class CodedCall(PhoneCall):
    """One call."""

    script: Script = field(default_factory=lambda: Script(0, 35))
    line: "Line | None" = None
    carried: list[Carried] = field(default_factory=list)
    """Its streams that were let in, in order."""

    @property
    def owner(self) -> str:
        """The name of the node that got its newest live stream. Empty if it has none."""
        return next((each.node for each in reversed(self.carried) if each.ended is None), "")

    async def hang_up(self) -> None:
        """See PhoneCall."""
        for each in self.carried:
            each.stopped.set()
        await super().hang_up()

    async def _talk(self, stream: LiveStream) -> None:
        """See PhoneCall. Any way in which the socket ends is told as Twilio does."""
        assert self.line is not None
        parts = urlsplit(self.twilio.reached(stream.url))
        headers = {"X-Twilio-Signature": self.twilio.sign(stream.url, {}), "Host": urlsplit(stream.url).netloc}
        try:
            socket = await LeanSocket.dial(parts.port or 80, parts.path, lambda _: None, headers)
        except Refused as refusal:
            stream.refused = refusal.status
            raise ConnectionRefusedError from None
        loop = asyncio.get_running_loop()
        messages = MediaStreamMessages(self.sid, stream.sid)
        messages.account_sid = self.twilio.account
        socket.send(messages.connected(), messages.start(stream.tracks, stream.parameters))
        first = round((loop.time() - self.began) * 1000 / FRAME_MS)
        carried = Carried(stream, self.line.way.chosen(socket.headers), first, time.time(), socket, messages)
        self.carried.append(carried)
        await self._tell(stream, "stream-started")
        try:
            await self.line.carry(self, carried)
        finally:
            carried.ended = time.time()
            stream.close_code = socket.close_code


class Line:
    """Sends the frames of many calls' streams, in real time."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self._carried: dict[Carried, CodedCall] = {}
        self.late_seconds = 0.0
        """How late a frame ever was."""

    async def carry(self, call: CodedCall, carried: Carried) -> None:
        """Send a stream's frames until it is stopped, or its socket is gone."""
        self._carried[carried] = call
        try:
            async with asyncio.TaskGroup() as group:
                waiting = [group.create_task(each.wait()) for each in (carried.stopped, carried.socket.gone)]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in waiting:
                    each.cancel()
            if not carried.socket.gone.is_set():
                carried.socket.send(carried.messages.stop())
        finally:
            del self._carried[carried]
            carried.socket.close()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        phase, due = 0, loop.time()
        while True:
            due += FRAME_MS / 1000 / PHASES
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.late_seconds = max(self.late_seconds, loop.time() - due)
            due = max(due, loop.time() - 1)
            phase = (phase + 1) % PHASES
            for carried, call in list(self._carried.items()):
                if call.script.call % PHASES == phase:
                    self._send(call, carried, round((loop.time() - call.began) * 1000 / FRAME_MS) - carried.first)

    @staticmethod
    def _send(call: CodedCall, carried: Carried, due: int) -> None:
        """Send the frames before a number."""
        if carried.stream.status != "in-progress":
            carried.stopped.set()
        if carried.stopped.is_set():
            return
        for number in range(carried.sent, due):
            carried.socket.send(*(
                carried.messages.media(Frame(track, number + 1, number * FRAME_MS, call.script.frame(track, carried.first + number)))
                for track in carried.stream.tracks
            ))  # fmt: skip
        carried.sent = max(carried.sent, due)


def rung(twilio: FakeTwilio, line: Line, number: int, chance: random.Random) -> CodedCall:
    """Begin a call. `number`: what its words are coded with."""
    script = Script(number, chance.randint(35, 65))
    call = CodedCall(twilio, new_sid("CA"), f"+1415555{number:04}", "+14155550100", {}, script=script, line=line)
    twilio.calls[call.sid] = call
    return call
