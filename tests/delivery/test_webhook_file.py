"""The file of webhooks: what may stand in it, and one sentence with the line for what may not."""

import ipaddress
from pathlib import Path

import pytest

from hub.delivery.webhook import KNOWN
from hub.delivery.webhook_file import load
from hub.errors import ConfigError
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
queues = ["billing"]
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
    assert (crm.agents, crm.queues, crm.numbers) == ({"support"}, {"billing"}, {"+14155550100"})
    assert (crm.events, crm.networks) == ({"final", "call-ended"}, (ipaddress.ip_network("10.0.0.0/8"),))
    assert (everything.events, len(everything.keys), everything.record) == (None, 2, True)
    assert SECRET[8:] not in repr(crm)
    assert b"secret" not in repr(crm).encode()


def test_the_file_on_the_page_is_one(tmp_path: Path) -> None:
    path = file(tmp_path, the_block("toml", "hub/delivery/README.md"))
    crm, quality = load(configured(archive="calls.db", webhooks=str(path)))
    assert (crm.name, quality.name, quality.timeout_seconds, quality.record) == ("crm", "quality", 5, False)


def test_a_webhook_gets_the_ends_of_calls_and_alerts_unless_it_says_otherwise(tmp_path: Path) -> None:
    (crm,) = load(configured(archive="calls.db", webhooks=str(file(tmp_path, ONE))))
    assert crm.events == {"call-ended", "alert", "alert-withdrawn"} < KNOWN


def test_without_an_archive_the_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HUB_WEBHOOKS is set, but what is to be delivered must survive a restart: set HUB_ARCHIVE too"):
        load(configured(webhooks=str(file(tmp_path, ONE))))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no webhook: each webhook is a table, such as [webhooks.crm]"),
        ("[webhooks]\n", "has no webhook"),
        ("[[webhooks]]\n", "has no webhook"),
        ("[webhooks.crm\n", "line 1: this is not TOML"),
        (f"{ONE}{ONE}", "line 4: this is not TOML"),
        ("[crm]\n", "line 1: 'crm' is not known here: each webhook is a table, such as [webhooks.crm]"),
        ("[webhooks]\ncrm = 3\n", "line 2: the webhook 'crm' must be a table: write [webhooks.crm]"),
        (f"{ONE}event = []\n", "line 4: the webhook 'crm' has event, which no webhook has: the fields are url, secret,"),
        (f'[webhooks.crm]\nsecret = "{SECRET}"\n', "line 1: the webhook 'crm' must have url"),
        ("[webhooks.crm]\nurl = 3\n", "line 2: the webhook 'crm' has a wrong url: expected str, got int"),
        (f'{ONE}events = "final"\n', "line 4: the webhook 'crm' has a wrong events: expected array, got str"),
        ('[webhooks.crm]\nurl = "https://h"\n', "line 1: the webhook 'crm' must have `secret`, or `secrets`"),
        (f'{ONE}secrets = ["{SECRET}"]\n', "line 3: the webhook 'crm' must have `secret`, or `secrets`"),
        (f'{ONE}secret = "{SECRET}"\n', "line 4: this is not TOML"),
        ('[webhooks.crm]\nurl = "https://h"\nsecret = "password"\n', "line 3: the webhook 'crm' has a wrong secret"),
        (f'[webhooks.crm]\nurl = "https://h"\nsecrets = {[SECRET] * 5}\n', "line 3: the webhook 'crm' has 5 secrets, and 4 are possible"),
        (f'[webhooks.crm]\nurl = "ftp://h"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://a..example"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://h/#here"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://h/?a b"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://h/\\u0007"\nsecret = "{SECRET}"\n', "line 2: the webhook 'crm' has a wrong url"),
        (f'[webhooks.crm]\nurl = "https://bücher.example"\nsecret = "{SECRET}"\n', "letters that are not ASCII"),
        (f'[webhooks.crm]\nurl = "https://h/{"a" * 2048}"\nsecret = "{SECRET}"\n', "2048 characters at most"),
        (
            f'[webhooks.crm]\nurl = "https://me:pass@h"\nsecret = "{SECRET}"\n',
            "line 2: the webhook 'crm' has a name or a password in its url",
        ),
        (f'[webhooks.crm]\nurl = "http://h"\nsecret = "{SECRET}"\n', "everybody on the way could read the calls: use https://"),
        (f'[webhooks."a b"]\nurl = "https://h"\nsecret = "{SECRET}"\n', "line 1: the webhook 'a b' must have a name of letters"),
        (
            f'{ONE}events = [\n  "final",\n  "finale",\n]\n',
            "line 6: the webhook 'crm' wants 'finale', which is no type of event; the types are",
        ),
        (f'{ONE}events = ["interim"]\n', "line 4: the webhook 'crm' wants interims"),
        (f'{ONE}events = ["*", "final"]\n', "line 4: the webhook 'crm' has more events beside \"*\""),
        (f"{ONE}events = []\n", "line 4: the webhook 'crm' names no event"),
        (f'{ONE}numbers = ["4155550100"]\n', "line 4: the webhook 'crm' has the number '4155550100'"),
        (f'{ONE}networks = ["10.0.0.1/8"]\n', "line 4: the webhook 'crm' has the network '10.0.0.1/8'"),
        (f"{ONE}timeout_seconds = 0\n", "line 4: the webhook 'crm' must have timeout_seconds above 0, 60 at most"),
        (f"{ONE}timeout_seconds = nan\n", "line 4: the webhook 'crm' must have timeout_seconds above 0, 60 at most"),
        (
            f'{ONE}[webhooks.b]\nurl = "https://h"\nsecret = "{SECRET}"\ntimeout_seconds = 61\n',
            "line 7: the webhook 'b' must have timeout_",
        ),
        (f"{ONE}events = {'[' * 5000}\n", "has too many brackets inside each other"),
        ("".join(ONE.replace("crm", f"w{at}") for at in range(101)), "has 101 webhooks, and 100 are possible"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(configured(archive="calls.db", webhooks=str(path)))
    assert str(raised.value).startswith(f"HUB_WEBHOOKS {path} ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "pass@" not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_file_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"HUB_WEBHOOKS nowhere\.toml cannot be read: No such file"):
        load(configured(archive="calls.db", webhooks="nowhere.toml"))
