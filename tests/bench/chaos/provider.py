"""A stand-in for Deepgram that recognizes coded calls. A program: `python -m tests.bench.chaos.provider PORT`.

As the real one it says words while they are spoken, says them for good after a pause of 300 ms, at Finalize and at CloseStream, and says
everything a little later than it hears it.
"""

import asyncio
import sys
from collections import deque
from contextlib import suppress

import msgspec
import uvloop
from aiohttp import WSMsgType, web

from hub.audio.g711 import BYTES_PER_MS
from tests.bench.chaos.code import Ear, Heard

PAUSE_BYTES = 300 * BYTES_PER_MS
DELAY_SECONDS = 0.15
"""How much later it says what it heard."""


def _seconds(size: int) -> float:
    return round(size / BYTES_PER_MS / 1000, 4)


class Channel:
    """One track of a session."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ear = Ear()
        self.words: list[Heard] = []
        """Those of the open utterance."""
        self.settled = 0
        """Up to which byte everything is said for good."""

    def feed(self, sound: bytes) -> list[str]:
        """Hear some audio. Returns what is to be said."""
        over = self.ear.feed(sound)
        self.words += over
        if self.words and self.ear.word is None and self.ear.size - self.words[-1].end >= PAUSE_BYTES:
            return [self._results(final=True)]
        return [self._results(final=False)] if over else []

    def end(self, *, from_finalize: bool = False) -> list[str]:
        """Say the rest for good."""
        self.words += self.ear.settle()
        return [self._results(final=True, from_finalize=from_finalize)] if self.words or from_finalize else []

    def _results(self, *, final: bool, from_finalize: bool = False) -> str:
        words = [
            {"word": word.text, "punctuated_word": word.text, "confidence": 0.98, "start": _seconds(word.start), "end": _seconds(word.end)}
            for word in self.words
        ]
        start, end = self.settled, self.ear.size
        if final:
            self.words, self.settled = [], end
        return msgspec.json.encode({
            "type": "Results", "channel_index": [self.number, 2], "start": _seconds(start), "duration": _seconds(end - start),
            "is_final": final, "speech_final": final, "from_finalize": from_finalize,
            "channel": {"alternatives": [{"transcript": " ".join(each["word"] for each in words), "confidence": 0.98, "words": words}]},
            "metadata": {"request_id": "r", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "u"},
        }).decode()  # fmt: skip


async def listen(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    loop, channels, due = asyncio.get_running_loop(), [Channel(0), Channel(1)], deque[tuple[float, str]]()
    there = asyncio.Event()

    async def say() -> None:
        while True:
            while not due:
                there.clear()
                await there.wait()
            at, message = due[0]
            await asyncio.sleep(at - loop.time())
            due.popleft()
            with suppress(ConnectionError):  # the hub that listened was killed
                await socket.send_str(message)
                if '"Metadata"' in message:
                    await socket.close()

    def put(*messages: str) -> None:
        due.extend((loop.time() + DELAY_SECONDS, each) for each in messages)
        there.set()

    async with asyncio.TaskGroup() as group:
        speaking = group.create_task(say())
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                for channel in channels:
                    put(*channel.feed(message.data[channel.number :: 2]))
            elif "Finalize" in message.data:
                for channel in channels:
                    put(*channel.end(from_finalize=True))
            elif "CloseStream" in message.data:
                for channel in channels:
                    put(*channel.end())
                put(msgspec.json.encode({
                    "type": "Metadata", "transaction_key": "deprecated", "request_id": "r", "sha256": "s",
                    "created": "2026-01-01T00:00:00Z", "duration": _seconds(channels[0].ear.size), "channels": 2,
                }).decode())  # fmt: skip
        speaking.cancel()
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]), backlog=1024).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
