"""`transcript-hub webhooks`, as people type it, beside a hub that runs and without one."""

import asyncio
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from hub.archive.opening import open_archive
from tests.archive.made import change
from tests.delivery.desk import webhook
from tests.delivery.program import SECRET, Program, serving
from tests.media import CALL
from tests.upkeep.kept import ended, keeping, stored
from tests.upkeep.test_commands import Desk


def written(folder: Path, program: Program, more: str = "") -> Path:
    """Write a file with one webhook."""
    path = folder / "webhooks.toml"
    path.write_text(f'[webhooks.crm]\nurl = "{program.url}"\nsecret = "{SECRET}"\nnetworks = ["127.0.0.1"]\n{more}')
    return path


def give_up(archive_file: Path, program: Program, call_sid: str = "CA1") -> None:
    """Let an archive have two dead letters of a call, of three events."""
    archive = open_archive(str(archive_file))
    try:
        archive.undelivered.wanted = {"crm": webhook(program).events}
        archive.write([change(call_sid, "one", "two", "three", at=1.0, ended_at=2.0)])
        (queue,) = archive.undelivered.due("crm", 0.0, 9)
        first, second, third = archive.undelivered.pending(queue, None)
        archive.undelivered.set_aside(queue, first, 86400.0, "answered 500")
        archive.undelivered.set_aside(queue, second, 86401.0, "answered 500")
        archive.undelivered.delivered(queue, third)
        archive.undelivered.settle(queue)
    finally:
        archive.close()


async def test_dead_letters_are_listed_and_sent_again_beside_a_hub_that_runs(tmp_path: Path) -> None:
    async with serving(Program()) as program:
        path = written(tmp_path, program, 'events = ["*"]\n')
        give_up(tmp_path / "calls.db", program)
        desk = Desk(tmp_path, HUB_WEBHOOKS=str(path))
        async with keeping(tmp_path, webhooks=str(path)) as home:
            code, said, _ = await desk.run("webhooks", "list")
            assert code == 1
            assert said.splitlines()[0] == f"crm              {program.url}: nothing waits; 2 dead letters"
            assert "dead   1970-01-02T00:00:00.000Z  CA1  event 1, final: the receiver answered 500" in said
            assert await desk.run("webhooks", "resend", "crm", "--call", "CA2") == (
                0,
                "0 dead letters are sent again by the hub that runs, or by the next one that is started\n",
                "",
            )
            code, said, _ = await desk.run("webhooks", "resend", "crm")
            assert (code, said.split()[0]) == (0, "2")
            await program.until(2)
            code, said, _ = await desk.run("webhooks", "resend", "crm", "--call", "CA1", "--all")
            assert (code, said.split(" ")[0]) == (0, "everything")
            await program.until(5)
            assert home.state.past.archive is not None
            while home.state.past.archive.archive.undelivered.backlogs():
                await asyncio.sleep(0.01)
        assert program.offsets("CA1") == [1, 2, 3]
        code, said, _ = await desk.run("webhooks", "list", "crm")
        assert (code, said) == (0, f"crm              {program.url}: nothing waits\n")


async def test_a_hub_sends_the_end_of_a_call_with_its_record(tmp_path: Path) -> None:
    async with serving(Program()) as program, keeping(tmp_path, secret="", webhooks=str(written(tmp_path, program))) as home:
        await ended(home, CALL, "I want a refund")
        await stored(home)
        await program.until(1)
        async with home.session.get(home.url(f"/calls/{CALL}/transcript.json")) as answer:
            record = await answer.json()
        async with home.session.get(home.url("/metrics")) as answer:
            measured = await answer.text()
    ((_, told),) = program.taken
    assert told["type"] == "call-ended"
    assert told["data"]["record"] == record
    assert 'hub_webhook_messages_total{outcome="delivered",webhook="crm"} 1.0' in measured


async def test_a_receiver_is_tried_without_a_hub(tmp_path: Path) -> None:
    async with serving(Program()) as program:
        desk = Desk(tmp_path, HUB_WEBHOOKS=str(written(tmp_path, program)))
        code, said, _ = await desk.run("webhooks", "test", "crm")
        assert (code, len(program.taken)) == (0, 1)
        assert "crm: the receiver took msg_test_" in said
        program.down = 500
        assert await desk.run("webhooks", "test", "crm") == (1, "crm: the receiver answered 500\n", "")
        code, _, complained = await desk.run("webhooks", "test", "crn")
        assert (code, complained) == (1, "transcript-hub: there is no webhook 'crn'; there are crm\n")
    assert not (tmp_path / "calls.db").exists()


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "says"),
    [
        (["list"], {"HUB_WEBHOOKS": ""}, 2, "HUB_WEBHOOKS is not set, so there are no webhooks"),
        (["list"], {"HUB_ARCHIVE": ""}, 2, "HUB_WEBHOOKS is set, but what is to be delivered must survive a restart: set HUB_ARCHIVE too"),
        (["list"], {}, 1, "does not exist"),
        (["resend", "crm", "--all"], {}, 1, "--all needs --call"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], code: int, says: str
) -> None:
    program = Program(url="http://127.0.0.1:9/")
    desk = Desk(tmp_path, **({"HUB_WEBHOOKS": str(written(tmp_path, program))} | settings))
    found, said, complained = await desk.run("webhooks", *arguments)
    assert (found, said) == (code, "")
    assert says in complained
    assert len(complained.splitlines()) == 1


async def test_a_new_secret_is_one_that_the_file_takes(tmp_path: Path) -> None:
    code, said, _ = await Desk(tmp_path).run("webhooks", "secret")
    assert code == 0
    assert Webhook(said.strip())
    assert len(said.strip()) > 40
