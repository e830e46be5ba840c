"""Settings: the environment over .env over defaults, and one sentence for what is wrong."""

from pathlib import Path

import pytest

from hub.config import Config, missing
from hub.errors import ConfigError
from hub.vendors.assemblyai.settings import AssemblyAISettings
from hub.vendors.deepgram.settings import DeepgramSettings
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
        ("HUB_KEEP_DAYS", "-1", "must be days from 0"),
        ("HUB_KEEP_DAYS", "30, 7", "must give one number of days"),
        ("HUB_KEEP_DAYS", "30", "set HUB_ARCHIVE too"),
        ("HUB_KEEP_RECORDING_DAYS", "sales=x", "must be days from 0"),
        ("HUB_KEEP_RECORDING_DAYS", "sales=7", "set HUB_ARCHIVE too"),
        ("HUB_HOST", "0.0.0.0", "HUB_OPEN=1"),
        ("HUB_PROT", "5000", "is no setting"),
        ("HUB_PUBLIC_URL", "https://[::1", "must be a URL like https://host"),
        ("HUB_PUBLIC_URL", "https://hub.example.com:99999", "must be a URL like https://host"),
        ("HUB_PUBLIC_URL", "https://hub.example.com:port", "must be a URL like https://host"),
        ("HUB_PUBLIC_URL", "https://hub.example.com/#desk", "must be a URL like https://host"),
        ("HUB_PUBLIC_URL", "https://hub example.com", "must be a URL like https://host"),
        ("TWILIO_API_URL", "https://[api.twilio.com", "must be a URL like https://host"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        load({name: value}, None)
    assert str(error.value).startswith(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("hub_secret", "write HUB_SECRET"),
        ("Hub_Secret", "write HUB_SECRET"),
        ("HUBSECRET", "write HUB_SECRET"),
        ("HUB-SECRET", "write HUB_SECRET"),
        ("HUB\u200b_SECRET", "write HUB_SECRET"),
        ("HUB_SECERT", "did you mean HUB_SECRET?"),
        ("HUB_ORIGIN", "did you mean HUB_ORIGINS?"),
        ("hub_sceret", "did you mean HUB_SECRET?"),
        ("twilio_auth_token", "write TWILIO_AUTH_TOKEN"),
        ("deepgram_api_key", "write DEEPGRAM_API_KEY"),
        ("$env:HUB_SECRET", "write HUB_SECRET"),
        ("environment.TWILIO_AUTH_TOKEN", "write TWILIO_AUTH_TOKEN"),
        ("HUB_COFFEE", "the settings are "),
    ],
)
def test_a_name_that_was_meant_to_be_a_setting_is_refused(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load({name: "abc"}, None)
    assert str(error.value).startswith(f"{name} is no setting of this hub")
    assert says in str(error.value)
    (tmp_path / ".env").write_text(f"{name}=abc\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is no setting"):
        load({}, tmp_path / ".env")


@pytest.mark.parametrize(
    "name", ["DOMAIN", "DEEPGRAM_PROJECT_ID", "TWILIO_API_KEY_2", "OPENAI_API_BASE", "HUBOT_TOKEN", "GITHUB_TOKEN", "HUB_TOKEN"]
)
def test_names_of_other_programs_are_none_of_the_hubs_business(name: str) -> None:
    assert load({name: "abc"}, None) == Config()


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConfigError, match="HUB_SECRET is not text in UTF-8"):
        load({"HUB_SECRET": b"Zo\xeb".decode("utf-8", "surrogateescape")}, None)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, ""),
        ({"HUB_PUBLIC_URL": "https://hub.example.com"}, "https://hub.example.com"),
        ({"HUB_PUBLIC_URL": "https://hub.example.com", "HUB_SECRET": "s" * 32}, ""),
        ({"HUB_HOST": "0.0.0.0", "HUB_OPEN": "1"}, "0.0.0.0 port 5000"),
        ({"HUB_HOST": "0.0.0.0", "HUB_SECRET": "s" * 32}, ""),
    ],
)
def test_a_hub_knows_where_strangers_can_read_calls(given: dict[str, str], where: str) -> None:
    assert load(given, None).exposed == where


def test_a_providers_section_is_what_was_given_or_its_defaults() -> None:
    config = load({"DEEPGRAM_API_KEY": "k", "DEEPGRAM_MODEL": " nova-2 "}, None)
    assert config.of(DeepgramSettings) == DeepgramSettings(key="k", model="nova-2")
    assert config.of(AssemblyAISettings) == AssemblyAISettings()
    assert config.sections == (DeepgramSettings(key="k", model="nova-2"),), "sections that are all default are left out"


def test_a_setting_that_is_given_as_its_default_is_as_if_it_were_not_given() -> None:
    assert load({"DEEPGRAM_MODEL": DeepgramSettings().model, "HUB_PORT": "5000"}, None) == Config()


def test_a_section_lacks_its_first_required_setting_until_that_is_set() -> None:
    assert missing(DeepgramSettings(model="nova-2")) == "DEEPGRAM_API_KEY"
    assert missing(DeepgramSettings(key="k")) == ""


def test_secrets_of_the_hub_and_of_providers_are_known_and_shown_nowhere() -> None:
    config = load({"DEEPGRAM_API_KEY": "canary-a", "ASSEMBLYAI_API_KEY": "canary-b", "HUB_SECRET": "canary-c" * 4}, None)
    assert set(config.secrets) == {"canary-a", "canary-b", "canary-c" * 4}
    assert "canary" not in repr(config)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"DEEPGRAM_URL": "api.deepgram.com"}, "DEEPGRAM_URL must be a URL like wss://host, not 'api.deepgram.com'"),
        ({"DEEPGRAM_OPTIONS": "model=nova-2"}, "DEEPGRAM_OPTIONS cannot set model: name it in DEEPGRAM_MODEL"),
        ({"ASSEMBLYAI_URL": "https://streaming.assemblyai.com"}, "ASSEMBLYAI_URL must be a URL like wss://host"),
        ({"ASSEMBLYAI_OPTIONS": "token=t"}, "ASSEMBLYAI_OPTIONS cannot set token: a key belongs in ASSEMBLYAI_API_KEY"),
        ({"ASSEMBLYAI_CHANNELS": "both"}, "ASSEMBLYAI_CHANNELS must be one of separate, mixed, not 'both'"),
        ({"OPENAI_URL": "wss://api.openai.com/?a=b"}, "OPENAI_URL must be a URL like wss://host"),
        ({"OPENAI_TURN_DETECTION": "off"}, "OPENAI_TURN_DETECTION must be one of server_vad, semantic_vad, not 'off'"),
        ({"HUB_TRANSCRIBER": "deepgram"}, "HUB_TRANSCRIBER is deepgram, which needs its key in DEEPGRAM_API_KEY"),
        ({"HUB_FALLBACK": "assemblyai"}, "HUB_FALLBACK is assemblyai, which needs its key in ASSEMBLYAI_API_KEY"),
        ({"HUB_FALLBACK": "local"}, "HUB_FALLBACK is local, as the first one is: name another, or none"),
        ({"HUB_TRANSCRIBER": "openai"}, "HUB_TRANSCRIBER must be one of auto, deepgram, assemblyai, local, not 'openai'"),
    ],
)
def test_a_providers_wrong_setting_is_named_in_one_sentence(given: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(given, None)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, "local"),
        ({"ASSEMBLYAI_API_KEY": "k"}, "assemblyai"),
        ({"ASSEMBLYAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k"}, "deepgram"),
        ({"DEEPGRAM_API_KEY": "k", "HUB_TRANSCRIBER": "local"}, "local"),
        ({"OPENAI_API_KEY": "k"}, "local"),
    ],
)
def test_auto_is_the_first_provider_that_has_the_key_it_needs(given: dict[str, str], first: str) -> None:
    assert REGISTERED.resolved(load(given, None)).transcriber == first


def test_agents_need_a_voice_models_key() -> None:
    assert REGISTERED.agent_defaults(load({}, None)).missing_setting == "OPENAI_API_KEY"
    defaults = REGISTERED.agent_defaults(load({"OPENAI_API_KEY": "k", "OPENAI_VOICE": "cedar"}, None))
    assert (defaults.missing_setting, defaults.voice, defaults.model) == ("", "cedar", "gpt-realtime-2.1")


SID, KEY = "AC" + "0" * 32, "SK" + "0" * 32


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"TWILIO_AUTH_TOKEN": "t"}, "HUB_PUBLIC_URL is not set, but TWILIO_AUTH_TOKEN is"),
        ({"TWILIO_ACCOUNT_SID": SID}, "TWILIO_ACCOUNT_SID is set, so it needs TWILIO_API_KEY"),
        ({"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": "x"}, "TWILIO_ACCOUNT_SID is not set, but TWILIO_API_KEY is"),
        ({"TWILIO_ACCOUNT_SID": SID, "TWILIO_API_KEY": KEY}, "TWILIO_API_SECRET is not set"),
        ({"TWILIO_ACCOUNT_SID": SID, "TWILIO_API_SECRET": "x"}, "TWILIO_API_KEY is not set"),
        ({"TWILIO_ACCOUNT_SID": SID, "TWILIO_API_KEY": "secret"}, "TWILIO_API_KEY must be SK and 32"),
        ({"TWILIO_ACCOUNT_SID": "12", "TWILIO_AUTH_TOKEN": "t", "HUB_PUBLIC_URL": "https://h"}, "TWILIO_ACCOUNT_SID must be AC"),
        ({"HUB_JOURNAL": "calls"}, "HUB_JOURNAL is no setting any more: HUB_ARCHIVE=calls.db"),
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


def test_an_api_key_is_tried_before_the_token_proves_nothing_and_is_not_shown() -> None:
    given = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": "the-secret"}
    config = load(given, None)
    assert config.twilio_credentials == ((KEY, "the-secret"),)
    assert (config.proof, "the-secret" in config.secrets, "the-secret" in repr(config)) == ("none", True, False)
    both = load(given | {"TWILIO_AUTH_TOKEN": "old, new", "HUB_PUBLIC_URL": "https://h.example"}, None)
    assert both.twilio_credentials == ((KEY, "the-secret"), (SID, "old"), (SID, "new"))


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
