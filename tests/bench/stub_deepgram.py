"""A stand-in for Deepgram that costs little: takes stereo mu-law, answers an interim per 400 ms of it. Run as a program with a port.

With a second argument it also recognizes: after so many milliseconds of audio a word of one track is final, each track in its turn.
"""

import asyncio
import sys

import msgspec
import uvloop
from aiohttp import WSMsgType, web

WORDS = ["hello", "this", "is", "a", "test", "of", "the", "live", "transcript"]
INTERIM_BYTES = 400 * 16
FINAL_BYTES = web.AppKey("final_bytes", int)


def interim(start: float, channel: int) -> str:
    return result(start, channel, WORDS, 0.1, final=False)


def result(start: float, channel: int, said: list[str], each_seconds: float, *, final: bool) -> str:
    words = [
        {
            "word": word,
            "start": start + i * each_seconds,
            "end": start + (i + 0.8) * each_seconds,
            "confidence": 0.99,
            "punctuated_word": word,
        }
        for i, word in enumerate(said)
    ]
    return msgspec.json.encode({
        "type": "Results", "channel_index": [channel, 2], "duration": 1.0, "start": start, "is_final": final, "speech_final": final,
        "channel": {"alternatives": [{"transcript": " ".join(said), "confidence": 0.98, "words": words}]},
        "metadata": {"request_id": "r", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "u"},
        "from_finalize": False,
    }).decode()  # fmt: skip


def finals(heard: int, every: int) -> list[str]:
    """A word as an interim and as a final, of one track and then of the other."""
    number, seconds = heard // every, every / 16000
    return [result((number - 1) * seconds, number % 2, [f"word{number}"], seconds, final=final) for final in (False, True)]


async def listen(request: web.Request) -> web.WebSocketResponse:
    final_bytes: int = request.app[FINAL_BYTES]
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    heard = told = 0
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            heard += len(message.data)
            while heard - told >= (final_bytes or INTERIM_BYTES):
                told += final_bytes or INTERIM_BYTES
                answers = finals(told, final_bytes) if final_bytes else [interim(told / 16000, told // INTERIM_BYTES % 2)]
                for answer in answers:
                    await socket.send_str(answer)
        elif "CloseStream" in message.data:
            await socket.send_json({
                "type": "Metadata", "transaction_key": "deprecated", "request_id": "r", "sha256": "s", "created": "2026-01-01T00:00:00Z",
                "duration": heard / 16000, "channels": 2,
            })  # fmt: skip
            break
    return socket


async def main() -> None:
    app = web.Application()
    app[FINAL_BYTES] = int(sys.argv[2]) * 16 if len(sys.argv) > 2 else 0
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
