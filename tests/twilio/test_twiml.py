"""TwiML: what the hub composes, what `transcript-hub twiml` prints, and that the pages show the same."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import tokens
from hub.__main__ import main
from hub.config import Config
from hub.twilio.twiml import answer, bin_text, bin_text_by_agent, invite, labels
from tests.docs.pages import blocks, the_block

PUBLIC, SECRET, CALL = "https://hub.example.com", "s" * 32, "CA" + "1" * 32


def test_the_bin_on_the_operators_page_is_the_one_that_is_printed() -> None:
    shown = the_block("xml", "hub/deploy/README.md").rstrip("\n")
    config = Config(public_url=PUBLIC, secret=SECRET, twilio_token="t", twilio_account="AC" + "0" * 32, dial="+14155550100")
    assert bin_text(config, 60) == shown


def test_the_bin_on_the_agents_page_is_the_one_that_is_printed() -> None:
    shown = the_block("xml", "hub/agents/README.md").rstrip("\n")
    config = Config(public_url=PUBLIC, twilio_token="t", twilio_account="AC" + "0" * 32, dial="+14155550100")
    assert bin_text_by_agent(config, 60, {}, config.apology, config.dial) == shown


def test_no_page_shows_other_twiml() -> None:
    assert [block.page for block in blocks("xml")] == ["hub/agents/README.md", "hub/deploy/README.md"]


def test_the_command_prints_a_bin_for_an_agent_that_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agents.toml").write_text('[agents.day]\n[agents.night]\napology = "We sleep."\n')
    settings = {"HUB_PUBLIC_URL": PUBLIC, "OPENAI_API_KEY": "k", "HUB_AGENTS": "agents.toml"}
    assert run(monkeypatch, tmp_path, "--agent", "night", **settings) == 0
    connect, say, hangup = ElementTree.fromstring(capsys.readouterr().out.encode())
    assert (say.text, hangup.tag) == ("We sleep.", "Hangup")
    assert connect[0][0].attrib == {"name": "agent", "value": "night"}
    assert run(monkeypatch, tmp_path, "--agent", "noon", **settings) == 2
    assert "--agent must name an agent of HUB_AGENTS" in capsys.readouterr().err


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *options: str, **settings: str) -> int:
    monkeypatch.chdir(tmp_path)  # where there is no .env
    for name in ("HUB_PUBLIC_URL", "HUB_SECRET", "HUB_DIAL", "HUB_GREETING", "TWILIO_AUTH_TOKEN", "TWILIO_ACCOUNT_SID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return main(["twiml", *options])


def test_the_command_prints_a_bin_whose_token_lets_any_call_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, "--days", "2", HUB_PUBLIC_URL=PUBLIC, HUB_SECRET=SECRET) == 0
    printed = capsys.readouterr()
    element = ElementTree.fromstring(printed.out)
    parameters = {each.attrib["name"]: each.attrib["value"] for each in element.iterfind("Start/Stream/Parameter")}
    tokens.verify_stream(SECRET, parameters["token"], CALL)
    assert element.find("Start/Stream[@statusCallback]") is None, "a hub without an auth token could not believe it"
    assert "2 days" in printed.err
    assert parameters["token"] not in printed.err


@pytest.mark.parametrize(
    ("options", "settings", "says"),
    [
        ((), {}, "HUB_PUBLIC_URL is not set"),
        (("--days", "0"), {"HUB_PUBLIC_URL": PUBLIC}, "--days must be more than 0"),
        ((), {"HUB_PUBLIC_URL": PUBLIC, "HUB_DIAL": "the desk"}, "HUB_DIAL must be a number"),
    ],
)
def test_a_missing_setting_is_one_sentence(
    options: tuple[str, ...],
    settings: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, tmp_path, *options, **settings) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.strip().splitlines()) == 1


def test_the_address_of_a_stream_has_no_query_and_is_wss() -> None:
    for public_url in (PUBLIC, PUBLIC + "/"):
        invitation = invite(Config(public_url=public_url), CALL, {})
        assert (invitation.url, invitation.status_url) == ("wss://hub.example.com/twilio", "https://hub.example.com/twilio/status")
    assert invite(Config(public_url="https://example.com:8443/hub"), CALL, {}).url == "wss://example.com:8443/hub/twilio"


def test_parameters_are_escaped_and_too_long_ones_left_out(caplog: pytest.LogCaptureFixture) -> None:
    config = Config(public_url=PUBLIC)
    name = '"><Dial>+1900</Dial>'
    element = ElementTree.fromstring(answer(config, invite(config, CALL, {"from": name})))
    assert element.find("Start/Stream/Parameter").attrib["value"] == name  # type: ignore[union-attr]
    assert element.find(".//Dial") is None
    assert invite(config, CALL, {"k": "x" * 498}).parameters == {"k": "x" * 498}
    assert caplog.text == ""
    assert invite(config, CALL, {"k": "x" * 499, "to": "+1"}).parameters == {"to": "+1"}
    assert "without its <Parameter> k:" in caplog.text
    assert "xxx" not in caplog.text


def test_the_far_end_is_the_caller_or_the_person_whom_twilio_called() -> None:
    assert labels("inbound") == labels("") == {"inboundTrackLabel": "caller", "outboundTrackLabel": "agent"}
    for direction in ("outbound-api", "outbound-dial"):
        assert labels(direction) == {"inboundTrackLabel": "callee", "outboundTrackLabel": "agent"}


def test_a_parameter_named_token_is_not_passed_on() -> None:
    assert "token" not in invite(Config(public_url=PUBLIC), CALL, {"token": "theirs"}).parameters


@given(st.dictionaries(st.sampled_from(["from", "to", "keyterms"]), st.text(max_size=50)))
def test_any_callers_name_gives_well_formed_xml(parameters: dict[str, str]) -> None:
    config = Config(public_url=PUBLIC)
    ElementTree.fromstring(answer(config, invite(config, CALL, parameters)))
