"""`/healthz` and `/readyz`, as a container platform asks them."""

import asyncio
import json
import shutil
from pathlib import Path

from tests.house import House, house
from tests.publishing import ScriptedCall


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
        status, said = await asked(home, "/readyz")
        assert (status, json.loads(said)) == (503, {"error": {"code": "not-ready", "message": "the hub is stopping"}})


async def test_neither_needs_a_token_or_a_known_host_name() -> None:
    async with house(secret="s" * 32) as home:
        for path in ("/healthz", "/readyz"):
            async with home.session.get(home.url(path), headers={"Host": "10.0.0.7.pods.example"}) as answer:
                assert answer.status == 200


async def test_an_archive_that_cannot_be_written_is_told_and_refuses_no_call(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    async with house(archive=str(folder / "calls.db")) as home:
        assert await asked(home, "/readyz") == (200, "ready\n")
        assert (await metric(home, "hub_archive_unstored"), await metric(home, "hub_archive_behind")) == (0, 0)
        shutil.rmtree(folder)
        keeper = home.state.past.keeper
        assert keeper is not None
        call = ScriptedCall(home.state)
        while not (keeper.trouble and keeper.behind):
            await asyncio.sleep(0.01)
        said = f"ready\nthe archive cannot be written: the folder of {folder}/calls.db does not exist\n"
        assert await asked(home, "/readyz") == (200, said)
        assert (await metric(home, "hub_archive_unstored"), await metric(home, "hub_archive_behind")) == (1, 1)
        assert call.record.topic.log.offset == 1, "it is told all the same"
        folder.mkdir()
        while keeper.unstored:
            await asyncio.sleep(0.01)
        assert await asked(home, "/readyz") == (200, "ready\n")
        assert await metric(home, "hub_archive_behind") == 0


async def metric(home: House, name: str) -> int:
    _, metrics = await asked(home, "/metrics")
    (line,) = [line for line in metrics.splitlines() if line.startswith(f"{name} ")]
    return int(float(line.split()[1]))
