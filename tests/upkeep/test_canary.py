"""A canary in a call, and every byte that a hub leaves anywhere: after an erasure the canary is in none of them."""

import asyncio
import json
from pathlib import Path

import aiohttp

from clients.commands.demo import free_port
from hub.delivery.signing import new_secret
from hub.tokens import mint
from tests.media import CALL, CONNECTED, STREAM, media, start, stop
from tests.test_serve import serving
from tests.upkeep.kept import everything
from tests.web.watchers import OTHER, SECRET, until

WORD, NUMBER, FRIEND = "quetzalcanary", "+14155559876", "+4930123456"
OTHER_STREAM = "MZ" + "2" * 32
FORMS = [NUMBER.removeprefix("+").encode(), NUMBER.removeprefix("+1").encode(), WORD.encode(), WORD.upper().encode()]


async def call(session: aiohttp.ClientSession, url: str, call_sid: str, stream: str, from_: str) -> None:
    """Let a call happen in which the script's words are said."""
    async with session.ws_connect(f"{url}/twilio") as twilio:
        await twilio.send_str(CONNECTED)
        await twilio.send_str(start(call_sid, stream, parameters={"from": from_, "to": "+14155550100"}))
        for at_ms in range(0, 3000, 20):
            for track in ("inbound", "outbound"):
                await twilio.send_str(media(track, at_ms, stream=stream))
        await twilio.send_str(stop(call_sid, stream))
        await twilio.receive()


def webhooks_to_nobody(folder: Path) -> Path:
    """Write a file with a webhook whose receiver is away, so that everything waits."""
    path = folder / "webhooks.toml"
    url = f"http://127.0.0.1:{free_port(0)}/"
    path.write_text(f'[webhooks.crm]\nurl = "{url}"\nsecret = "{new_secret()}"\nevents = ["*"]\nnetworks = ["127.0.0.1"]\n')
    return path


def holding(folder: Path) -> list[str]:
    """Return the files that have any form of the canary."""
    return [str(path.relative_to(folder)) for path, content in everything(folder).items() if any(form in content for form in FORMS)]


async def test_after_an_erasure_the_canary_is_in_no_byte_of_any_file_or_log(tmp_path: Path) -> None:
    script, kept = tmp_path / "script.json", tmp_path / "kept"
    kept.mkdir()
    lines = [{"track": "inbound", "text": f"my name is {WORD} call me at {NUMBER}", "start": 0.2, "end": 1.2}]
    script.write_text(json.dumps(lines))
    settings = {
        "HUB_ARCHIVE": str(kept / "calls.db"),
        "HUB_SECRET": SECRET,
        "HUB_LOG_LEVEL": "debug",
        "HUB_RECORDINGS": str(kept / "sound"),
        "HUB_WEBHOOKS": str(webhooks_to_nobody(tmp_path)),
    }
    token = mint(SECRET, ["*"], 600, rights=["archive", "audio", "erase", "audit"], subject="alice")
    async with (
        serving(script, **settings) as (process, port),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
    ):
        url = f"http://127.0.0.1:{port}"
        await call(session, url, CALL, STREAM, NUMBER)
        async with session.ws_connect(f"{url}/client") as socket:
            await socket.send_json({"action": "subscribe", "callSid": CALL})
            assert WORD in (await until(socket, "final"))["text"]
            await until(socket, "call-ended")
        for path in (f"/calls?q={WORD}", f"/calls?number=%2B{NUMBER[1:]}", f"/calls/{CALL}", f"/calls/{CALL}/transcript.json"):
            async with session.get(url + path) as answer:
                assert answer.status == 200
                assert CALL in await answer.text()
        while not holding(kept) or not [path for path in everything(kept) if CALL in str(path)]:
            await asyncio.sleep(0.05)
        async with session.delete(f"{url}/calls?number=%2B{NUMBER[1:]}") as answer:
            assert (await answer.json())["erased"] == [CALL]
        assert holding(kept) == []
        script.write_text("[]")
        async with session.get(f"{url}/audit") as answer:
            audited = await answer.text()
        async with session.get(f"{url}/metrics") as answer:
            measured = await answer.text()
        process.terminate()
        _, log = await process.communicate()
    for told in (log, audited.encode(), measured.encode()):
        assert not any(form in told for form in FORMS)
    assert CALL.encode() in log
    assert holding(kept) == []
    assert not [path for path in everything(kept) if CALL in str(path)]


async def test_other_calls_stay_and_a_killed_hub_leaves_nothing_either(tmp_path: Path) -> None:
    script, kept = tmp_path / "script.json", tmp_path / "kept"
    kept.mkdir()
    script.write_text(json.dumps([{"track": "inbound", "text": "hello there", "start": 0.2, "end": 1.2}]))
    settings = {"HUB_ARCHIVE": str(kept / "calls.db")}
    async with serving(script, **settings) as (process, port), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}"
        await call(session, url, CALL, STREAM, NUMBER)
        await call(session, url, OTHER, OTHER_STREAM, FRIEND)
        async with session.delete(f"{url}/calls/{CALL}") as answer:
            assert (await answer.json()).get("erased") == [CALL], await answer.text()
        async with session.get(f"{url}/calls/{OTHER}") as answer:
            assert answer.status == 200
        process.kill()
        await process.wait()
    assert holding(kept) == []
    assert any(FRIEND.removeprefix("+").encode() in content for content in everything(kept).values())
