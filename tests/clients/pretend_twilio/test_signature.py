"""Which address is signed, and with which token."""

from pathlib import Path

import pytest
from multidict import MultiDict

from clients.pretend_twilio.signature import CannotSign, address, settings, sign, usual_address
from hub.config import Config
from hub.web import proof as hub

PUBLIC = {"HUB_PUBLIC_URL": "https://hub.example.com"}


@pytest.mark.parametrize(
    ("url", "public_url", "expected"),
    [
        ("ws://127.0.0.1:5000/twilio", "https://hub.example.com", "wss://hub.example.com/twilio"),
        ("ws://127.0.0.1:5000/agent", "https://hub.example.com/", "wss://hub.example.com/agent"),
        ("ws://127.0.0.1:5000/twilio", "https://example.com:8443/hub", "wss://example.com:8443/hub/twilio"),
        ("wss://10.0.0.7/hub/twilio", "https://example.com/hub", "wss://example.com/hub/twilio"),
        ("ws://127.0.0.1:5000/twilio", "http://hub.local:5000", "ws://hub.local:5000/twilio"),
        ("ws://127.0.0.1:5000/twilio", "wss://hub.example.com/twilio", "wss://hub.example.com/twilio"),
        ("wss://hub.example.com/twilio", "", "wss://hub.example.com/twilio"),
        ("ws://127.0.0.1:5000", "https://hub.example.com", "wss://hub.example.com/"),
    ],
)
def test_the_address_is_the_public_one_and_the_door(url: str, public_url: str, expected: str) -> None:
    assert address(url, public_url) == expected


@pytest.mark.parametrize("public_url", ["hub.example.com", "ftp://hub.example.com", "https://"])
def test_an_address_that_is_none_is_one_sentence(public_url: str) -> None:
    with pytest.raises(CannotSign, match="it should look like"):
        address("ws://127.0.0.1:5000/twilio", public_url)


def test_a_wss_address_is_what_twilio_dials_and_of_a_ws_one_the_hubs_public_address_is() -> None:
    assert usual_address("wss://other.example.com/twilio", PUBLIC) == "wss://other.example.com/twilio"
    assert usual_address("ws://127.0.0.1:5000/twilio", PUBLIC) == "wss://hub.example.com/twilio"
    assert usual_address("ws://127.0.0.1:5000/twilio", {}) == "ws://127.0.0.1:5000/twilio"


def test_of_several_tokens_the_first_one_signs_and_the_hub_takes_it() -> None:
    url = "wss://hub.example.com/twilio"
    (signature,) = sign(url, {"TWILIO_AUTH_TOKEN": " new , old"}).values()
    for tokens, taken in (("new", True), ("older,new", True), ("old", False)):
        assert hub.signed(Config(twilio_token=tokens, public_url="https://hub.example.com"), (url,), MultiDict(), signature) is taken


@pytest.mark.parametrize("given", [{}, {"TWILIO_AUTH_TOKEN": " , "}])
def test_without_a_token_there_is_one_sentence(given: dict[str, str]) -> None:
    with pytest.raises(CannotSign, match=r"^There is nothing to sign with: put TWILIO_AUTH_TOKEN into the environment or into \.env"):
        sign("wss://hub.example.com/twilio", given)


def test_settings_are_read_as_the_hub_reads_them(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    assert settings({}, dotenv) == {}
    dotenv.write_text("TWILIO_AUTH_TOKEN=file\nHUB_PUBLIC_URL='https://file.example.com'\nOPENAI_API_KEY=other\n")
    assert settings({}, dotenv) == {"TWILIO_AUTH_TOKEN": "file", "HUB_PUBLIC_URL": "https://file.example.com"}
    assert settings({"TWILIO_AUTH_TOKEN": " environment ", "HUB_PUBLIC_URL": ""}, dotenv) == {"TWILIO_AUTH_TOKEN": "environment"}
    dotenv.write_bytes(b"TWILIO_AUTH_TOKEN=\xff\xfe\n")
    with pytest.raises(CannotSign, match=r"TWILIO_AUTH_TOKEN may be in .*\.env, and .*\.env cannot be read: line 1 is not text in UTF-8"):
        settings({}, dotenv)
