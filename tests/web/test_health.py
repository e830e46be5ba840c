"""`/healthz` and `/readyz`, as a container platform asks them."""

import asyncio
import shutil
from pathlib import Path

from hub.calls.journal import Entry
from tests.house import House, house
from tests.media import CALL
from tests.providers.fake_twilio import ACCOUNT, TOKEN


async def asked(home: House, path: str) -> tuple[int, str]:
    async with home.session.get(home.url(path)) as answer:
        return answer.status, await answer.text()


async def test_a_running_hub_is_healthy_and_ready() -> None:
    async with house() as home:
        assert await asked(home, "/healthz") == (200, "ok\n")
        assert await asked(home, "/readyz") == (200, "ready\n")


async def test_a_stopping_hub_is_healthy_but_takes_no_new_calls() -> None:
    async with house() as home:
        home.state.calls.draining = True
        assert await asked(home, "/healthz") == (200, "ok\n")
        assert await asked(home, "/readyz") == (503, "the hub is stopping\n")


async def test_neither_needs_a_token_or_a_known_host_name() -> None:
    async with house(secret="s" * 32) as home:
        for path in ("/healthz", "/readyz"):
            async with home.session.get(home.url(path), headers={"Host": "10.0.0.7.pods.example"}) as answer:
                assert answer.status == 200


async def test_a_journal_that_cannot_be_written_is_told_and_refuses_no_call(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    account = {"twilio_account": ACCOUNT, "twilio_token": TOKEN, "public_url": "https://hub.example.com"}
    async with house(journal=str(folder / "calls"), **account) as home:
        assert await asked(home, "/readyz") == (200, "ready\n")
        assert await unwritten(home) == 0
        shutil.rmtree(folder)
        assert home.state.journal is not None
        home.state.journal.keep(Entry(call_sid=CALL))
        while not home.state.journal.trouble:
            await asyncio.sleep(0.01)
        assert await asked(home, "/readyz") == (200, "ready\nthe journal cannot be written: No such file or directory\n")
        assert await unwritten(home) == 1
        folder.mkdir()
        while home.state.journal.unwritten:
            await asyncio.sleep(0.01)
        assert await asked(home, "/readyz") == (200, "ready\n")


async def unwritten(home: House) -> int:
    _, metrics = await asked(home, "/metrics")
    (line,) = [line for line in metrics.splitlines() if line.startswith("hub_journal_unwritten ")]
    return int(float(line.split()[1]))
