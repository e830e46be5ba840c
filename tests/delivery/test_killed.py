"""A hub that is killed again and again, and a receiver that fails now and then: each stored event arrives, verifies, in order per call."""

import asyncio
import contextlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from hub.archive.archive import Archive
from hub.archive.opening import open_archive
from tests.delivery.program import SECRET, Program, serving
from tests.media import CONNECTED, media, start
from tests.test_serve import serving as hub_serving

LINES = [{"track": "inbound", "text": f"line {at}", "start": at / 10, "end": at / 10 + 0.05} for at in range(1, 40)]


class Moody(Program):
    """A program that does not take one message in thirty."""

    chance = random.Random(7)

    def _status(self, told: dict[str, Any]) -> int:
        return 500 if self.chance.random() < 0.03 else 200

    async def until_told(self, call_sid: str, more: int) -> None:
        """Wait for the first message of a call, and for so many more of whichever calls."""
        while all(told["data"]["event"]["callSid"] != call_sid for told in self.attempts):
            self.came.clear()
            await self.came.wait()
        await self.until_tried(len(self.attempts) + more)


async def speak(port: int, call_sid: str, stream: str) -> None:
    """Let a call come in, and bring its audio for as long as the hub is there."""
    with contextlib.suppress(aiohttp.ClientError, OSError):
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/twilio") as twilio:
            await twilio.send_str(CONNECTED)
            await twilio.send_str(start(call_sid, stream))
            for at_ms in range(0, 4000, 20):
                await twilio.send_str(media("inbound", at_ms, stream=stream))
                await asyncio.sleep(0.002)


def stored_logs(archive: Archive, sids: list[str]) -> dict[str, list[int]]:
    """Return the offsets that the archive has of each call."""
    logs = {call_sid: archive.log(call_sid) for call_sid in sids}
    return {
        call_sid: [msgspec.json.decode(payload)["offset"] for payload in log.payloads] for call_sid, log in logs.items() if log is not None
    }


async def until_delivered(place: str) -> None:
    """Wait until no call is live and nothing waits to be sent."""
    archive = open_archive(place, alone=False)
    try:
        while archive.live() or archive.undelivered.backlogs():
            await asyncio.sleep(0.1)
    finally:
        archive.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
async def test_each_event_arrives_in_order_however_often_the_hub_is_killed(kills: int, tmp_path: Path) -> None:
    chance = random.Random(11)
    place, script, hooks = str(tmp_path / "calls.db"), tmp_path / "script.json", tmp_path / "webhooks.toml"
    script.write_text(json.dumps(LINES))
    sids = [f"CA{at:032x}" for at in range(kills)]
    program = Moody()
    async with serving(program):
        hooks.write_text(
            f'[webhooks.crm]\nurl = "{program.url}"\nsecret = "{SECRET}"\nevents = ["*"]\nrecord = false\nnetworks = ["127.0.0.1"]\n'
        )
        settings = {"HUB_ARCHIVE": place, "HUB_WEBHOOKS": str(hooks), "HUB_DRAIN_SECONDS": "0"}
        for at, call_sid in enumerate(sids):
            async with hub_serving(script, **settings) as (process, port), asyncio.TaskGroup() as group:
                speaking = group.create_task(speak(port, call_sid, f"MZ{at:032x}"))
                await program.until_told(call_sid, 0)
                more = group.create_task(program.until_told(call_sid, chance.randrange(30)))
                await asyncio.wait([speaking, more], return_when="FIRST_COMPLETED")
                process.kill()
                await process.wait()
                more.cancel()
        async with hub_serving(script, **settings):
            await until_delivered(place)
        archive = open_archive(place)
        try:
            expected = stored_logs(archive, sids)
            assert archive.undelivered.dead_letters() == []
        finally:
            archive.close()
    assert program.forged == []
    assert len(expected) == kills
    assert {call_sid: program.offsets(call_sid) for call_sid in expected} == expected
    repeats = sum(count - 1 for count in program.repeats().values())
    print(f"{sum(map(len, expected.values()))} events of {kills} calls, {len(program.attempts)} attempts, {repeats} taken more than once")
