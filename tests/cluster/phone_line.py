"""One phone call in real time, whose sound several streams carry to several nodes, as Twilio's do."""

import asyncio
import random
from dataclasses import dataclass, field

import aiohttp

from hub.audio.g711 import TRACKS, Track, silence
from tests.house import House
from tests.media import CALL, CONNECTED, media, start, stop

FRAME_MS = 20


def speech(pattern: str, seed: int) -> bytes:
    """Return mu-law of 100 ms a letter: `x` is loud and never twice the same, anything else is silence."""
    chance = random.Random(seed)
    return b"".join(bytes(chance.choices(range(128), k=800)) if letter == "x" else silence(800) for letter in pattern)


@dataclass
class Leg:
    """One stream."""

    sid: str
    socket: aiohttp.ClientWebSocketResponse
    tracks: tuple[Track, ...]
    first: int
    """The number of the first frame that it carries."""
    closed: bool = False
    """Whether the hub has closed it."""

    async def send(self, message: str) -> None:
        """Send a message, unless the hub has closed the stream."""
        try:
            if not self.closed:
                await self.socket.send_str(message)
        except ConnectionError:
            self.closed = True


@dataclass
class PhoneLine:
    """A call; `talk` in a task."""

    sound: dict[Track, bytes]
    call: str = CALL
    legs: list[Leg] = field(default_factory=list)
    at: int = 0
    """The number of the next frame."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, home: House, number: int, tracks: tuple[Track, ...] = TRACKS, door: str = "/twilio") -> Leg:
        """Begin another stream, to a node."""
        sid = "MZ" + str(number) * 32
        socket = await home.open(door)
        await socket.send_str(CONNECTED)
        await socket.send_str(start(self.call, sid, tracks=list(tracks)))
        leg = Leg(sid, socket, tracks, self.at)
        self.legs.append(leg)
        return leg

    async def until(self, at_ms: float) -> None:
        """Wait until so much was said."""
        while self.at * FRAME_MS < at_ms:
            await asyncio.sleep(0.005)

    async def talk(self) -> None:
        """Say everything at the pace of speech, and hang up."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        frames = len(self.sound["inbound"]) // (8 * FRAME_MS)
        while self.at < frames:
            for leg in self.legs:
                for track in leg.tracks:
                    payload = self.sound[track][self.at * 8 * FRAME_MS :][: 8 * FRAME_MS]
                    await leg.send(media(track, (self.at - leg.first) * FRAME_MS, payload, leg.sid))
            self.at += 1
            await asyncio.sleep(max(0.0, began + self.at * FRAME_MS / 1000 - loop.time()))
        for leg in self.legs:
            await leg.send(stop(self.call, leg.sid))
        self.over.set()
