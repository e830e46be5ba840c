"""The settings that say which model writes notes."""

import pytest

from hub.errors import ConfigError
from hub.notes.settings import NotesSettings
from hub.vendors.registered import REGISTERED


def test_notes_are_off_unless_an_address_is_set() -> None:
    assert NotesSettings().url == ""
    NotesSettings().check()


@pytest.mark.parametrize(
    "url",
    ["https://api.openai.com/v1", "http://127.0.0.1:11434/v1/", "http://[::1]:8000/v1", "http://ollama:11434/v1", "http://10.1.2.3/v1",
     "http://vllm.models.svc.cluster.local/v1"],
)  # fmt: skip
def test_an_api_may_be_reached_by_tls_or_within_the_operators_network(url: str) -> None:
    NotesSettings(url=url, model="m").check()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "m"}, "HUB_NOTES_MODEL is set, but HUB_NOTES_URL is not: name the address of the API, too"),
        ({"key": "k"}, "HUB_NOTES_KEY is set, but HUB_NOTES_URL is not: name the address of the API, too"),
        ({"url": "https://api.example.com/v1"}, "HUB_NOTES_MODEL is not set, but HUB_NOTES_URL is: name the model that writes the notes"),
        ({"url": "ftp://host", "model": "m"}, "HUB_NOTES_URL must be a URL like https://host, not 'ftp://host'"),
        (
            {"url": "https://u:p@host/v1", "model": "m"},
            "HUB_NOTES_URL must not contain a name or a password: the key goes into HUB_NOTES_KEY",
        ),
        (
            {"url": "http://api.example.com/v1", "model": "m"},
            "HUB_NOTES_URL begins with http://, so everybody on the way could read the calls: use https://",
        ),
        ({"url": "http://8.8.8.8/v1", "model": "m"}, "HUB_NOTES_URL begins with http://, so everybody"),
        (
            {"url": "https://host/v1/chat/completions", "model": "m"},
            "HUB_NOTES_URL must be the address of the API as a whole, such as https://host/v1, without /chat/completions",
        ),
        ({"url": "https://host", "model": "m", "key": "a\nb"}, "HUB_NOTES_KEY has characters that no key has"),
        ({"url": "https://host", "model": "m", "tokens": 10}, "HUB_NOTES_TOKENS must be between 1000 and 200000, not 10"),
        ({"url": "https://host", "model": "m", "at_once": 0}, "HUB_NOTES_AT_ONCE must be between 1 and 64, not 0"),
        ({"url": "https://host", "model": "m", "seconds": float("nan")}, "HUB_NOTES_SECONDS must be between 1 and 3600, not nan"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(settings: dict, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        NotesSettings(**settings).check()
    assert str(raised.value).startswith(sentence)


def test_the_settings_are_read_with_the_hubs_and_the_key_is_a_secret() -> None:
    given = {
        "HUB_NOTES_URL": "https://host/v1",
        "HUB_NOTES_MODEL": "m",
        "HUB_NOTES_KEY": "sk-1",
        "HUB_NOTES_FORM": "json",
        "DEEPGRAM_API_KEY": "k",
    }
    config = REGISTERED.load(given, None)
    assert config.of(NotesSettings) == NotesSettings(url="https://host/v1", model="m", key="sk-1", form="json")
    assert "sk-1" in config.secrets
    assert "sk-1" not in repr(config)
    with pytest.raises(ConfigError, match="HUB_NOTES_FORM must be one of schema, json, text, not 'xml'"):
        REGISTERED.load(given | {"HUB_NOTES_FORM": "xml"}, None)
