"""How soon is somebody alerted? From the end of a phrase, as it is said, to the alert at a subscriber.

    python -m tests.bench.alerts --calls 10 --seconds 60

Calls whose audio carries its own words are played in real time into a hub in a process of its own. A stand-in for the provider hears a word
the moment it is complete, so what is measured is the hub's part: a real provider's own time comes on top. Each call says a phrase in the
middle of a long sentence, which is found in interims, and at the end of a short one, which is found in the final. Prints a line of JSON for
each: how many phrases were said, how many alerts came, and how long they took.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import uvloop

from tests.media import CONNECTED, media, start
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Word, said, spoken
from tests.test_serve import serving

PHRASE = "cancel my account"
LONG = f"well I want to {PHRASE} because it is slow and nobody has ever been able to mend it"
SHORT = f"so please {PHRASE}"
PAUSE_SECONDS = 1.5
FRAME_SECONDS = 0.02
RULES = f'[rules.cancel]\nphrases = ["{PHRASE}"]\n'


def script(seconds: float) -> tuple[list[Word], list[tuple[str, float]]]:
    """Return the words of a call, and of each sentence: where its alert comes from, and when its phrase has been said."""
    words: list[Word] = []
    phrases: list[tuple[str, float]] = []
    at = 1.0
    while at < seconds - 10:
        for kind, sentence in (("interim", LONG), ("final", SHORT)):
            told = said(sentence, at)
            words += told
            phrases.append((kind, told[sentence.split().index("account")].end))
            at = told[-1].end + PAUSE_SECONDS
    return words, phrases


async def play(session: aiohttp.ClientSession, port: int, number: int, audio: bytes, began: dict[str, float]) -> None:
    """Play one call in real time."""
    call, stream = f"CA{number:032d}", f"MZ{number:032d}"
    async with session.ws_connect(f"http://127.0.0.1:{port}/twilio", compress=0) as socket:
        await socket.send_str(CONNECTED)
        await socket.send_str(start(call, stream))
        began[call] = time.monotonic()
        for frame in range(len(audio) // 160):
            due = began[call] + (frame + 1) * FRAME_SECONDS  # a frame is sent when it has been said
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            await socket.send_str(media("inbound", frame * 20, audio[frame * 160 : frame * 160 + 160], stream))
            await socket.send_str(media("outbound", frame * 20, b"\xff" * 160, stream))


async def watch(session: aiohttp.ClientSession, port: int, came: dict[tuple[str, int], list[tuple[float, bool]]]) -> None:
    """Note when alerts come, by call and number of the utterance."""
    async with session.ws_connect(f"http://127.0.0.1:{port}/client", compress=0) as socket:
        await socket.send_json({"action": "subscribe", "calls": "all"})
        async for message in socket:
            told = json.loads(message.data)
            if isinstance(told, dict) and told["type"] == "alert":
                number = int(told["utterance"].rpartition("-")[2])
                came.setdefault((told["callSid"], number), []).append((time.monotonic(), told.get("interim", False)))


async def measure(calls: int, seconds: float) -> None:
    """Print what was measured."""
    words, phrases = script(seconds)
    audio = spoken(words, seconds)
    began: dict[str, float] = {}
    came: dict[tuple[str, int], list[tuple[float, bool]]] = {}
    with TemporaryDirectory() as folder:
        rules = Path(folder, "watchwords.toml")
        rules.write_text(RULES)
        async with FakeDeepgram() as deepgram:
            settings = {"DEEPGRAM_API_KEY": "k", "DEEPGRAM_URL": deepgram.url, "HUB_WATCHWORDS": str(rules), "HUB_DRAIN_SECONDS": "0"}
            async with serving(**settings) as (_, port), aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
                watching = group.create_task(watch(session, port, came))
                async with asyncio.TaskGroup() as playing:
                    for number in range(calls):
                        playing.create_task(play(session, port, number, audio, began))
                        await asyncio.sleep(0.3)
                watching.cancel()
    for kind in ("interim", "final"):
        wanted = [(call, number, end) for call in began for number, (of, end) in enumerate(phrases, 1) if of == kind]
        alerts = [came.get((call, number), []) for call, number, _ in wanted]
        told = [(call, end, *found[0]) for (call, _, end), found in zip(wanted, alerts, strict=True) if found]
        late = sorted(at - began[call] - end for call, end, at, interim in told if interim == (kind == "interim"))
        print(json.dumps({
            "from": kind, "phrases": len(wanted), "alerts": len(late), "twice": sum(len(found) > 1 for found in alerts),
            "p50_ms": round(late[len(late) // 2] * 1000), "p99_ms": round(late[int(len(late) * 0.99)] * 1000),
            "most_ms": round(late[-1] * 1000),
        }))  # fmt: skip


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    uvloop.run(measure(options.calls, options.seconds))


if __name__ == "__main__":
    main()
