"""The file of webhooks: what may stand in it, and one sentence for what may not."""

import ipaddress
from pathlib import Path

import pytest

from hub.delivery.webhook import KNOWN, load
from hub.errors import ConfigError
from tests.archive.made import facts
from tests.delivery.program import SECRET
from tests.docs.pages import the_block
from tests.settings import configured

ONE = f'[webhooks.crm]\nurl = "https://crm.example.com/calls?key=1"\nsecret = "{SECRET}"\n'


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "webhooks.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_there_is_no_webhook() -> None:
    assert load(configured()) == []


def test_a_file_says_whom_to_send_what(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        f"""{ONE}
events = ["final", "call-ended"]
agents = ["support"]
numbers = ["+1 415 555-0100"]
networks = ["10.0.0.0/8"]
record = false
timeout_seconds = 5

[webhooks.all]
url = "http://[fd00::1]:8080"
secrets = ["{SECRET}", "{SECRET}"]
events = ["*"]
networks = ["fd00::/8"]
""",
    )
    crm, everything = load(configured(archive="calls.db", webhooks=str(path)))
    assert (crm.name, crm.url, len(crm.keys)) == ("crm", "https://crm.example.com/calls?key=1", 1)
    assert (crm.record, crm.timeout_seconds) == (False, 5)
    assert (crm.events, crm.networks) == ({"final", "call-ended"}, (ipaddress.ip_network("10.0.0.0/8"),))
    assert (everything.events, len(everything.keys), everything.record) == (None, 2, True)
    assert SECRET[8:] not in repr(crm)
    assert b"secret" not in repr(crm).encode()
    assert everything.wants(facts("CA1", 1.0))
    assert crm.wants(facts("CA1", 1.0, from_="+14155550100", agent="support"))
    assert not crm.wants(facts("CA1", 1.0, from_="+14155550100", agent="sales"))
    assert not crm.wants(facts("CA1", 1.0, to="+14155550199", agent="support"))


def test_the_file_on_the_page_is_one(tmp_path: Path) -> None:
    path = file(tmp_path, the_block("toml", "hub/delivery/README.md"))
    crm, quality = load(configured(archive="calls.db", webhooks=str(path)))
    assert (crm.name, quality.name, quality.timeout_seconds, quality.record) == ("crm", "quality", 5, False)


def test_a_webhook_gets_the_ends_of_calls_unless_it_says_otherwise(tmp_path: Path) -> None:
    (crm,) = load(configured(archive="calls.db", webhooks=str(file(tmp_path, ONE))))
    assert crm.events is not None
    assert "call-ended" in crm.events <= KNOWN
    assert "final" not in crm.events


def test_without_an_archive_the_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HUB_WEBHOOKS is set, but what is to be delivered must survive a restart: set HUB_ARCHIVE too"):
        load(configured(webhooks=str(file(tmp_path, ONE))))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a file of webhooks: Object missing required field `webhooks`"),
        ("[webhooks]\n", "names no webhook"),
        ("[webhooks.crm\n", "is not TOML"),
        (f"{ONE}colour = 1\n", "unknown field `colour`"),
        ('[webhooks.crm]\nurl = "https://h"\n', "must have `secret` for crm, or `secrets`"),
        (f'{ONE}secrets = ["{SECRET}"]\n', "must have `secret` for crm, or `secrets`"),
        ('[webhooks.crm]\nurl = "https://h"\nsecret = "password"\n', "has a wrong secret for crm"),
        (f'[webhooks.crm]\nurl = "ftp://h"\nsecret = "{SECRET}"\n', "has a wrong url for crm"),
        (f'[webhooks.crm]\nurl = "https://"\nsecret = "{SECRET}"\n', "has a wrong url for crm"),
        (f'[webhooks.crm]\nurl = "https://h/#here"\nsecret = "{SECRET}"\n', "has a wrong url for crm"),
        (f'[webhooks.crm]\nurl = "https://h/?a b"\nsecret = "{SECRET}"\n', "has a wrong url for crm"),
        (f'[webhooks.crm]\nurl = "https://me:pass@h"\nsecret = "{SECRET}"\n', "has a name or a password in the url"),
        (f'[webhooks.crm]\nurl = "http://h"\nsecret = "{SECRET}"\n', "everybody on the way could read the calls: use https://"),
        (f'[webhooks."a b"]\nurl = "https://h"\nsecret = "{SECRET}"\n', "calls a webhook 'a b'"),
        (f'{ONE}events = ["finale"]\n', "wants 'finale' for crm, which is no type of event; the types are agent-interrupted"),
        (f'{ONE}events = ["interim"]\n', "wants interims for crm"),
        (f"{ONE}events = []\n", "names no event for crm"),
        (f'{ONE}numbers = ["4155550100"]\n', "has a wrong number '4155550100' for crm"),
        (f'{ONE}networks = ["ten"]\n', "has a wrong network 'ten' for crm"),
        (f"{ONE}timeout_seconds = 0\n", "has a wrong timeout_seconds for crm"),
        (f"{ONE}timeout_seconds = 61\n", "has a wrong timeout_seconds for crm"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(configured(archive="calls.db", webhooks=str(path)))
    assert str(raised.value).startswith(f"HUB_WEBHOOKS {path} ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "pass@" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"HUB_WEBHOOKS nowhere\.toml cannot be read: No such file"):
        load(configured(archive="calls.db", webhooks="nowhere.toml"))
