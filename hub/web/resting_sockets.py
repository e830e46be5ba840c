"""Resting sockets: Twilio sockets that the hub leaves unread for a moment after each block.

**What it saves.** Twilio sends each track's audio in messages of 20 ms, so a call with two tracks brings 100 messages per second. Reading
them one by one means 100 wake-ups of the event loop and 100 system calls per second and call, which cost more than parsing and placing the
audio. The transcriber gets blocks of 100 ms, so it gains nothing from that. While a socket rests, the kernel collects what arrives, about
10 messages or 4 KB, and one read brings all of it.

**Why it delays nothing.** A rest begins when a block has just left. The next block ends 100 ms of audio later, so its last message cannot
arrive sooner than about 100 ms from now. The rest is over after at most 95 ms, before that message arrives: the block leaves when it would
have left anyway. Only messages that are not audio can wait: a key press or Twilio's `stop` is read up to 95 ms late.

**Why only when one socket brings all of the call.** With one stream per track, a block leaves when the later of the two has brought its
part, or when the further one is 200 ms ahead. The message that just came does not tell which socket will bring the next one that counts. So
a rest could hold back the very track that the other one waits for, and the timeline would put silence in place of audio that lies unread
in the kernel. `Stream.chunk()` therefore allows a rest only while the call has a single stream. The socket of a call that an agent answers
never rests: an agent that gets the caller's words late answers late.

Knows sockets and the event loop's clock. Does not know calls or audio: `hub/web/doors/twilio.py` decides when a socket may rest.
"""

import asyncio

from aiohttp.base_protocol import BaseProtocol

from hub.web.sockets import FrameSocket

REST_SECONDS = 0.095
"""The longest rest: 5 ms less than a block, so that the socket is read again before the message that completes the next block."""

ROUND_SECONDS = 0.02
"""Sockets wake in rounds, this far apart: a loop that wakes for many sockets at once runs the same code with warm caches, and needs one
timer per round instead of one per socket. A rest lasts between 75 and 95 ms because of it."""


class RestingSockets:
    """The sockets that are not read at the moment, by the round in which they will be."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rounds: dict[int, list[BaseProtocol]] = {}
        """Connections that wake in a round, by the round's number: its time on the loop's clock divided by ROUND_SECONDS."""
        self._ended = False
        """Whether no socket rests any more, because the hub stops."""

    def __len__(self) -> int:
        return sum(map(len, self._rounds.values()))

    def rest(self, socket: FrameSocket) -> None:
        """Stop reading a socket for up to REST_SECONDS. Call it right after a block left, when nothing else waits for this socket."""
        request = socket._req
        if request is None or self._ended:
            return
        protocol = request.protocol
        number = int((self._loop.time() + REST_SECONDS) / ROUND_SECONDS)
        resting = self._rounds.get(number)
        if resting is None:
            resting = self._rounds[number] = []
            self._loop.call_at(number * ROUND_SECONDS, self._wake, number)
        protocol.pause_reading()
        resting.append(protocol)

    async def wake_all(self) -> None:
        """Let no socket rest any more; return when everything that had arrived at the resting ones has been read."""
        self._ended = True
        for number in list(self._rounds):
            self._wake(number)
        for _ in range(2):  # the loop polls its sockets between two turns: the first turn polls, the second one has read
            await asyncio.sleep(0)

    def _wake(self, number: int) -> None:
        for protocol in self._rounds.pop(number, ()):
            protocol.resume_reading()
