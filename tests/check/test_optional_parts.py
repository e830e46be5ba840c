"""`transcript-hub check` looks at each part that a setting turns on: agents, the account, recordings, watchwords, webhooks, notes."""

import shutil

import pytest

from clients.commands.demo import free_port
from tests.check.setups import TOKEN, Setup
from tests.delivery.program import SECRET as WHSEC
from tests.delivery.program import Program, serving
from tests.providers import fake_chat
from tests.providers.fake_openai import FakeOpenAI
from tests.providers.fake_twilio import ACCOUNT, fake_twilio
from tests.providers.openai_script import Model
from tests.recordings.s3 import s3_server
from tests.recordings.shelf import in_bucket

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates for these tests")


async def test_an_agents_key_model_and_settings_are_tried_and_no_session_is_left(setup: Setup) -> None:
    (setup.folder / "agents.toml").write_text("[agents.day]\n[agents.night]\n")
    async with FakeOpenAI(key="canary-key") as fake:
        how = {"openai_key": "canary-key", "openai_url": fake.url, "agents": str(setup.folder / "agents.toml")}
        code, lines = await setup.check(**how)
        assert code == 0, lines
        assert list(lines)[-4:] == ["agent socket", "deepgram", "agent day", "agent night"]
        assert "the model gpt-realtime-2.1" in lines["agent day"]
        await fake.until(lambda: fake.open_sessions == 0)
        assert [talk.responses for talk in fake.talks] == [0, 0]


async def test_28_a_key_that_openai_does_not_take(setup: Setup) -> None:
    async with FakeOpenAI(key="canary-key") as fake:
        await setup.fails("agent agent", "refused the key (401", openai_key="canary-other", openai_url=fake.url)


async def test_29_settings_of_an_agent_that_openai_does_not_take(setup: Setup) -> None:
    async with FakeOpenAI(Model(error_on_update="Invalid voice."), key="canary-key") as fake:
        await setup.fails("agent agent", "refused the agent's settings: Invalid voice.", openai_key="canary-key", openai_url=fake.url)
        await fake.until(lambda: fake.open_sessions == 0)


async def test_30_an_agents_file_that_is_wrong(setup: Setup) -> None:
    (setup.folder / "agents.toml").write_text("[agents.day]\nvoices = 1\n")
    await setup.fails("agents", "is not an agents file", openai_key="canary-key", agents=str(setup.folder / "agents.toml"))


async def test_31_a_proxy_that_does_not_forward_the_agents_door(setup: Setup) -> None:
    async with FakeOpenAI(key="canary-key") as fake:
        how = {"openai_key": "canary-key", "openai_url": fake.url, "asked": elsewhere}
        await setup.fails("agent socket", "does not forward /agent (HTTP 404)", "31920", **how)


def elsewhere(head: bytes) -> bytes:
    return head.replace(b"GET /agent ", b"GET /nowhere ")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"twilio_key": "SK" + "1" * 32, "twilio_key_secret": "canary-of-the-key"}, "accepts TWILIO_API_KEY"),
        ({}, "accepts TWILIO_AUTH_TOKEN"),
        ({"twilio_key": "SK" + "2" * 32, "twilio_key_secret": "canary-of-another", "twilio_token": ""}, "says 401, error 20003"),
    ],
)
async def test_the_account_is_asked_with_the_key_or_the_token(setup: Setup, given: dict[str, str], says: str) -> None:
    async with fake_twilio((TOKEN,)) as twilio:
        twilio.keys["SK" + "1" * 32] = "canary-of-the-key"
        _, lines = await setup.check(twilio_account=ACCOUNT, twilio_url=twilio.url, **given)
        assert says in lines["twilio account"]
        assert lines["twilio account"].startswith("FAIL" if "401" in says else "ok")


async def test_32_a_directory_of_recordings_that_cannot_be_written_to(setup: Setup) -> None:
    (setup.folder / "file").touch()
    code, lines = await setup.check(archive=str(setup.folder / "calls.db"), recordings=str(setup.folder / "file"))
    assert code == 1
    assert "HUB_RECORDINGS" in lines["recordings"]
    assert "cannot be written to: File exists" in lines["recordings"]


async def test_33_recordings_that_can_be_stored(setup: Setup) -> None:
    code, lines = await setup.check(archive=str(setup.folder / "calls.db"), recordings=str(setup.folder / "sound"))
    assert (code, "calls are recorded into the directory" in lines["recordings"]) == (0, True)
    assert list((setup.folder / "sound").iterdir()) == [setup.folder / "sound" / ".spool"], "nothing is left of the probe"


async def test_34_a_bucket_that_does_not_know_the_key(setup: Setup) -> None:
    with s3_server(keys_are_checked=True) as server:
        code, lines = await setup.check(archive=str(setup.folder / "calls.db"), **in_bucket(server, setup.folder))
    assert code == 1
    assert "the bucket recordings does not know the key in AWS_ACCESS_KEY_ID" in lines["recordings"]


async def test_35_a_file_of_watchwords_that_is_wrong(setup: Setup) -> None:
    path = setup.folder / "watchwords.toml"
    path.write_text('[rules.x]\nphrases = ["(a"]\n')
    await setup.fails("watchwords", "line 2: the rule 'x' has the phrase '(a', which has a ( that is not closed", watchwords=str(path))
    path.write_text('[rules.x]\nphrases = ["a"]\n')
    _, lines = await setup.check(watchwords=str(path))
    assert lines["watchwords"].endswith(f"{path} has 1 rule")


async def test_webhooks_whose_receivers_answer_are_private_or_are_not_there(setup: Setup) -> None:
    file, archive = setup.folder / "webhooks.toml", str(setup.folder / "calls.db")
    async with serving(Program()) as program:
        nobody = f"http://127.0.0.1:{free_port(0)}/"
        entries = (("well", program.url, "127.0.0.1"), ("inside", program.url, "10.0.0.0/8"), ("away", nobody, "127.0.0.1"))
        file.write_text(
            "".join(f'[webhooks.{name}]\nurl = "{url}"\nsecret = "{WHSEC}"\nnetworks = ["{near}"]\n' for name, url, near in entries)
        )
        code, lines = await setup.check(archive=archive, webhooks=str(file))
    assert code == 1
    assert lines["webhook well"] == "ok    its receiver answers; `transcript-hub webhooks test well` sends it a message"
    assert lines["webhook inside"].startswith("FAIL  its receiver has a private address, which is not connected to")
    assert lines["webhook away"].startswith("FAIL  its receiver cannot be reached")
    assert program.attempts == []
    file.write_text("nonsense")
    await setup.fails("webhooks", f"HUB_WEBHOOKS {file} line 1: this is not TOML", archive=archive, webhooks=str(file))


async def test_the_model_that_writes_notes_writes_one_of_a_made_up_call(setup: Setup) -> None:
    async with fake_chat.serving(fake_chat.FakeChat(key="canary-chat")) as chat:
        settings = fake_chat.settings(chat, notes_key="canary-chat")
        code, lines = await setup.check(**settings)
        assert lines["notes"].startswith(f"ok    test-model at {chat.url} wrote a note of a made-up call in ")
        chat.answers = ["nonsense"]
        assert "had to be asked twice" in (await setup.check(**settings))[1]["notes"]
        chat.down = 401
        code, lines = await setup.check(**settings)
        assert code == 1
        assert lines["notes"] == (
            f"FAIL  test-model at {chat.url}: the model answered 401 (invalid_request_error, invalid_api_key): check HUB_NOTES_KEY"
        )
