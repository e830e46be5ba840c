"""No log, at any level, holds secrets, tokens, phone numbers or spoken words."""

import json
import signal

import aiohttp
import pytest

from hub.tokens import mint
from tests.media import CALL, CONNECTED, media, start, stop
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import said, spoken
from tests.test_serve import serving
from tests.web.watchers import ALL, turned_away

CANARY_SECRET = "canary-secret-canary-secret-canary"
CANARY_KEY = "canarykey0123456789"
CANARY_NUMBERS = {"from": "+15550001111", "to": "+15550002222"}
CANARIES = (CANARY_SECRET, CANARY_KEY, *CANARY_NUMBERS.values(), "canaryone", "canarytwo", "canarylabel", "canaryparameter", "eyJ")


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_no_secret_number_or_word_is_in_any_log(level: str) -> None:
    shown, wrong = mint(CANARY_SECRET, ["*"], 60), mint("x" * 32, ["*"], 60)
    words = [*said("canaryone canarytwo hello there", 0.2), *said("canaryone again canarytwo", 2.2)]
    async with (
        FakeDeepgram(key=CANARY_KEY) as deepgram,
        serving(
            HUB_SECRET=CANARY_SECRET, HUB_TRANSCRIBER="deepgram", DEEPGRAM_API_KEY=CANARY_KEY, DEEPGRAM_URL=deepgram.url,
            HUB_LOG_LEVEL=level, HUB_DRAIN_SECONDS="0",
        ) as (process, port),
        aiohttp.ClientSession() as session,
    ):  # fmt: skip
        base = f"http://127.0.0.1:{port}"
        twilio = await session.ws_connect(base + "/twilio?token=" + wrong)
        await twilio.send_str(CONNECTED)
        await twilio.send_str(
            start(parameters=CANARY_NUMBERS | {"inboundTrackLabel": "canarylabel", "token": shown, "note": "canaryparameter"})
        )
        for bad in ("/client?token=" + wrong, "/client?token=" + shown + "x"):
            socket = await session.ws_connect(base + bad, headers={"Sec-WebSocket-Protocol": "eyJhbGciOi.canary"})
            assert (await turned_away(socket))[2] == 4501
        watcher = await session.ws_connect(base + "/client?token=" + shown)
        await watcher.receive()
        for request in (shown, "canaryone not json", json.dumps({"action": "authenticate", "token": 5, "x": shown}), json.dumps(ALL), CALL):
            await watcher.send_str(request)
        await watcher.send_json({"action": "subscribe", "number": CANARY_NUMBERS["to"]})
        for path in ("/calls", f"/calls/{CALL}", f"/calls/{shown}", f"/calls/{CALL}/transcript.txt", "/nothing?token=" + shown):
            for how in ({"Authorization": "Bearer " + shown}, {"Authorization": "Bearer " + wrong}, {}):
                await (await session.get(base + path, headers=how)).read()
        audio = spoken(words, 5.0)
        for at_ms in range(0, 5000, 20):
            payload = audio[at_ms * 8 : at_ms * 8 + 160]
            for track in ("inbound", "outbound"):
                await twilio.send_str(media(track, at_ms, payload))
        await twilio.send_str(stop())
        heard = ""
        while "call-ended" not in heard:
            heard += await watcher.receive_str()
        assert "canaryone" in heard, "the words were spoken and heard"
        broken = await session.ws_connect(base + "/twilio")
        await broken.send_str("canaryone")
        await broken.receive()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = (await process.stderr.read()).decode()
        await process.wait()
    assert CALL in log, "this is the log"
    assert [canary for canary in CANARIES if canary in log] == []
    assert shown not in log
    assert "Traceback" not in log
