"""A hub that is killed between the end of a call and its note: the next one has the note written, and the log has one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.media import CALL, CONNECTED, STREAM, media, start, stop
from tests.providers.fake_chat import FakeChat, serving
from tests.test_serve import serving as hub_serving

SCRIPT = [{"track": "inbound", "text": "good morning", "start": 0.1, "end": 0.4}]


async def events(port: int) -> list[Any]:
    """The call's events, as a file has them."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/calls/{CALL}/transcript.json") as answer:
        return (await answer.json())["events"] if answer.status == 200 else []


async def until(port: int, kind: str) -> list[str]:
    """Wait for an event of this kind, and return all kinds."""
    while kind not in (kinds := [event["type"] for event in await events(port)]):
        await asyncio.sleep(0.05)
    return kinds


@pytest.mark.one_python
async def test_a_hub_that_is_killed_before_the_note_leaves_it_to_the_next(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    async with serving(FakeChat(holds=asyncio.Event())) as chat:
        settings = {
            "HUB_ARCHIVE": str(tmp_path / "calls.db"), "HUB_NOTES_URL": chat.url, "HUB_NOTES_MODEL": chat.model, "HUB_NOTES_KEY": chat.key,
        }  # fmt: skip
        async with hub_serving(script, **settings) as (process, port):
            async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/twilio", compress=0) as twilio:
                await twilio.send_str(CONNECTED)
                await twilio.send_str(start(CALL, STREAM))
                for at_ms in range(0, 1000, 20):
                    await twilio.send_str(media("inbound", at_ms))
                await twilio.send_str(stop())
                await until(port, "call-ended")
            await chat.until(1)
            process.kill()
        async with hub_serving(script, **settings) as (process, port):
            await chat.until(2)
            process.kill()
        assert chat.holds is not None
        chat.holds.set()
        async with hub_serving(script, **settings) as (_, port):
            assert (await until(port, "note"))[-2:] == ["call-ended", "note"]
        requests = len(chat.requests)
        async with hub_serving(script, **settings) as (_, port):
            kinds = await until(port, "note")
        assert (kinds.count("note"), len(chat.requests)) == (1, requests)
