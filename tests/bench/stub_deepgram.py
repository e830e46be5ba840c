"""A stand-in for Deepgram that costs little: takes stereo mu-law, answers an interim per 400 ms of it. Run as a program with a port."""

import asyncio
import sys

import msgspec
import uvloop
from aiohttp import WSMsgType, web

WORDS = ["hello", "this", "is", "a", "test", "of", "the", "live", "transcript"]
INTERIM_BYTES = 400 * 16


def interim(start: float, channel: int) -> str:
    words = [
        {"word": word, "start": start + i / 10, "end": start + i / 10 + 0.08, "confidence": 0.99, "punctuated_word": word}
        for i, word in enumerate(WORDS)
    ]
    return msgspec.json.encode({
        "type": "Results", "channel_index": [channel, 2], "duration": 1.0, "start": start, "is_final": False, "speech_final": False,
        "channel": {"alternatives": [{"transcript": " ".join(WORDS), "confidence": 0.98, "words": words}]},
        "metadata": {"request_id": "r", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "u"},
        "from_finalize": False,
    }).decode()  # fmt: skip


async def listen(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    heard = told = 0
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            heard += len(message.data)
            while heard - told >= INTERIM_BYTES:
                told += INTERIM_BYTES
                await socket.send_str(interim(told / 16000, told // INTERIM_BYTES % 2))
        elif "CloseStream" in message.data:
            await socket.send_json({
                "type": "Metadata", "transaction_key": "deprecated", "request_id": "r", "sha256": "s", "created": "2026-01-01T00:00:00Z",
                "duration": heard / 16000, "channels": 2,
            })  # fmt: skip
            break
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
