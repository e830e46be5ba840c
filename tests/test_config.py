"""Settings: the environment over .env over defaults, and one sentence for what is wrong."""

from pathlib import Path

import pytest

from hub.config import Config
from hub.errors import ConfigError
from hub.vendors.registered import REGISTERED

load = REGISTERED.load


def test_defaults_need_nothing() -> None:
    assert load({}, None) == Config()


def test_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("HUB_PORT=6000\nHUB_KEEP_MINUTES=5\nPATH_OF_OTHERS=x\n")
    config = load({"HUB_PORT": "7000"}, dotenv)
    assert (config.port, config.keep_minutes) == (7000, 5.0)


def test_an_empty_value_means_the_default() -> None:
    assert load({"HUB_PORT": ""}, None).port == 5000


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HUB_PORT", "five", "must be a number"),
        ("HUB_PORT", "70000", "between 0 and 65535"),
        ("HUB_OPEN", "maybe", "must be 1 or 0"),
        ("HUB_TRANSCRIBER", "siri", "one of auto, deepgram, assemblyai, local"),
        ("HUB_KEEP_MINUTES", "-1", "not be negative"),
        ("HUB_KEEP_MINUTES", "nan", "not be negative"),
        ("HUB_HOST", "0.0.0.0", "HUB_OPEN=1"),
        ("HUB_PROT", "5000", "is no setting"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        load({name: value}, None)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


SID = "AC" + "0" * 32


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"TWILIO_AUTH_TOKEN": "t"}, "HUB_PUBLIC_URL is not set, but TWILIO_AUTH_TOKEN is"),
        ({"TWILIO_ACCOUNT_SID": SID}, "TWILIO_ACCOUNT_SID is set, so its token is needed"),
        ({"TWILIO_ACCOUNT_SID": "12", "TWILIO_AUTH_TOKEN": "t", "HUB_PUBLIC_URL": "https://h"}, "TWILIO_ACCOUNT_SID must be AC"),
        ({"HUB_JOURNAL": "calls"}, "HUB_JOURNAL is set, but only Twilio can bring calls back"),
        ({"HUB_DIAL": "the desk"}, "HUB_DIAL must be a number"),
        ({"TWILIO_API_URL": "api.twilio.com"}, "TWILIO_API_URL must be a URL like https://host"),
    ],
)
def test_settings_that_need_one_another_say_so(given: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(given, None)


def test_old_and_new_token_are_both_taken_and_neither_is_shown() -> None:
    config = load({"TWILIO_AUTH_TOKEN": "old-one, new-one", "HUB_PUBLIC_URL": "https://hub.example.com"}, None)
    assert config.auth_tokens == ("old-one", "new-one")
    assert "-one" not in repr(config)


@pytest.mark.parametrize(
    ("given", "called"),
    [("+1 (415) 555-0100", "+14155550100"), ("14155550100", "+14155550100"), ("sip:desk@example.com", "sip:desk@example.com"), ("", "")],
)
def test_twilio_is_given_the_number_to_dial_in_its_own_form(given: str, called: str) -> None:
    assert load({"HUB_DIAL": given}, None).dial == called


def test_a_number_to_dial_that_lacks_its_country_code_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"HUB_DIAL must be a number with its country code, as \+14155550100"):
        load({"HUB_DIAL": "(415) 555-0100"}, None)


def test_a_public_address_is_served_when_asked_for() -> None:
    assert load({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "1"}, None).open


@pytest.mark.parametrize(
    ("settings", "starts"),
    [
        ({}, True),
        ({"HUB_HOST": "localhost"}, True),
        ({"HUB_HOST": "::1"}, True),
        ({"HUB_HOST": "127.0.0.2"}, True),
        ({"HUB_HOST": "0.0.0.0"}, False),
        ({"HUB_HOST": "::"}, False),
        ({"HUB_HOST": "10.0.0.1"}, False),
        ({"HUB_HOST": "hub.example.com"}, False),
        ({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "0"}, False),
        ({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "1"}, True),
        ({"HUB_HOST": "0.0.0.0", "HUB_SECRET": "s" * 32}, True),
    ],
)
def test_without_a_secret_the_hub_serves_this_machine_only(settings: dict[str, str], starts: bool) -> None:
    if starts:
        load(settings, None)
        return
    with pytest.raises(ConfigError, match=r"HUB_HOST .* can be reached by others.*HUB_SECRET.*HUB_OPEN=1"):
        load(settings, None)
