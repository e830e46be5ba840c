"""Record a subscriber's session at /client: what `hub/web/session.txt` holds and the integrator's page shows.

    python -m tests.docs.session

A real hub on a real socket, a pretend Twilio, and a transcriber that says what it is told. The subscriber loses its connection once and
comes back with its position. Run this when an event gets a field; the test compares the shape of the file with a new recording.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from aiohttp import ClientWebSocketResponse

from hub.audio.g711 import Track
from hub.transcribers.utterances import Recognized, RecognizedWord
from tests.house import House, house
from tests.media import CALL, media, stop
from tests.scripted import ScriptedTranscriber

TOP = Path(__file__).parents[2]
FILE = TOP / "hub" / "web" / "session.txt"
PAGE = TOP / "hub" / "web" / "README.md"

PARAMETERS = {
    "from": "+14155550123", "to": "+14155550100", "direction": "inbound", "inboundTrackLabel": "caller", "outboundTrackLabel": "agent",
}  # fmt: skip


class Recorder:
    """One connection of the subscriber; its lines go into the session."""

    def __init__(self, socket: ClientWebSocketResponse, lines: list[str]) -> None:
        self._socket = socket
        self._lines = lines

    async def say(self, message: Any) -> None:
        text = json.dumps(message, separators=(",", ":"))
        self._lines.append("> " + text)
        await self._socket.send_str(text)

    async def hear(self) -> Any:
        text = await self._socket.receive_str()
        self._lines.append("< " + text)
        return json.loads(text)

    async def leave(self, why: str) -> None:
        self._lines.append("# " + why)
        await self._socket.close()


def said(track: Track, text: str, start: float, *, settled: bool) -> Recognized:
    """What a provider recognizes: half a second for each word."""
    words = tuple(
        RecognizedWord(word, start + 0.5 * number, start + 0.5 * number + 0.4, confidence=0.98) for number, word in enumerate(text.split())
    )
    end = words[-1].end
    return Recognized(track, start, end, text, settled=settled, closes=settled, confidence=0.98, words=words if settled else ())


async def _opened(home: House) -> tuple[ClientWebSocketResponse, ScriptedTranscriber]:
    twilio = await home.call(parameters=PARAMETERS)
    while not home.transcribers:
        await asyncio.sleep(0.01)
    script = home.transcribers[0]
    await script.started.wait()
    return twilio, script


async def record() -> list[str]:
    """Return a session's lines: `<` the hub's messages, `>` the subscriber's, `#` what happened."""
    lines: list[str] = []
    async with house() as home:
        twilio, script = await _opened(home)
        subscriber = Recorder(await home.open("/client"), lines)
        await subscriber.hear()
        await subscriber.say({"action": "subscribe", "callSid": CALL})
        await subscriber.hear()  # subscribed
        await subscriber.hear()  # call-started
        script.hear(said("inbound", "hello", 0.4, settled=False))
        await subscriber.hear()
        script.hear(said("inbound", "hello my booking", 0.4, settled=False))
        await subscriber.hear()
        script.hear(said("inbound", "Hello, my booking please.", 0.4, settled=True))
        final = await subscriber.hear()
        await subscriber.leave("the connection is lost; meanwhile the agent answers, and the subscriber comes back with its position")
        script.hear(said("outbound", "Of course.", 3.0, settled=True))
        subscriber = Recorder(await home.open("/client"), lines)
        await subscriber.hear()
        await subscriber.say({"action": "subscribe", "callSid": CALL, "after": {"epoch": final["epoch"], "offset": final["offset"]}})
        await subscriber.hear()  # subscribed
        await subscriber.hear()  # the final that was missed
        await subscriber.say({"action": "ping"})
        await subscriber.hear()
        await subscriber.say({"action": "subscribe", "callSid": "CA" + "9" * 32})
        await subscriber.hear()
        for at_ms in range(0, 9000, 20):
            for track in ("inbound", "outbound"):
                await twilio.send_str(media(track, at_ms))
        await twilio.send_str(stop())
        await subscriber.hear()  # statistics
        await subscriber.hear()  # call-ended
        await subscriber.leave("the subscriber leaves: it asked by JSON, so the hub keeps the socket open for other calls")
    return lines


def shape(line: str) -> Any:
    """Return what two recordings have in common: who speaks, and a message's fields, without the values that differ."""
    mark, _, text = line.partition(" ")
    return (mark, text) if mark == "#" else (mark, _shape(json.loads(text)))


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {name: each if name in {"type", "action", "code", "reason"} else _shape(each) for name, each in value.items()}
        case list():
            return [_shape(each) for each in value]
        case bool() | str() | None:
            return value if isinstance(value, bool) else type(value).__name__
        case _:
            return "number"


def main() -> None:
    """Write the file, and the block of the page that shows it."""
    text = "\n".join(asyncio.run(record())) + "\n"
    FILE.write_text(text, encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    shown, count = re.subn(r"^```session\n.*?^```\n", lambda _: f"```session\n{text}```\n", page, flags=re.DOTALL | re.MULTILINE)
    if count != 1:
        raise SystemExit(f"{PAGE} has {count} blocks of a session, not 1")
    PAGE.write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    main()
