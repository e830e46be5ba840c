"""Twilio's signature: made by the twilio package and by hand, held against every address and token that the hub may have."""

from typing import Any

import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from hub.config import Config
from hub.twilio.signature import addresses, signed

TOKEN, PUBLIC = "12345", "https://hub.example.com"


def config(token: str = TOKEN, public_url: str = PUBLIC) -> Config:
    return Config(twilio_token=token, public_url=public_url)


def sign(url: str, parameters: Any = None, token: str = TOKEN, algorithm: str | None = None) -> str:
    return str(RequestValidator(token).compute_signature(url, parameters or {}, algorithm))


@pytest.mark.parametrize(
    ("url", "parameters", "algorithm", "signature"),
    [
        ("wss://hub.example.com/twilio", {}, "HMAC_SHA1", "eW2CXLmpcvJcGMeftBTrgiA5y1g="),
        ("wss://hub.example.com/twilio", {}, "HMAC_SHA256", "mMnDVlWPlmWh8khVam3koYcCozLdnwkhZcVsWOZvOKo="),
        (
            "https://mycompany.com/myapp.php?foo=1&bar=2",
            {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309", "To": "+18005551212"},
            "HMAC_SHA1",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        (
            "https://hub.example.com/hook?bodySHA256=015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862",
            {},
            "HMAC_SHA1",
            "J3KZNnjKlyoJPkQIFTHsjNE+g0o=",
        ),
    ],
)
def test_a_published_signature_fits_its_request_alone(url: str, parameters: dict[str, str], algorithm: str, signature: str) -> None:
    form = MultiDict(parameters)
    assert signed(config(), (url,), form, signature, algorithm)
    assert not signed(config("12346"), (url,), form, signature, algorithm)
    assert not signed(config(), (url + "/",), form, signature, algorithm)
    assert not signed(config(), (url.replace(".com", ".org"),), form, signature, algorithm)
    assert not signed(config(), (url,), MultiDict({**parameters, "More": "1"}), signature, algorithm)
    assert not signed(config(), (url,), form, signature.swapcase(), algorithm)
    assert not signed(config(), (url,), form, "\udcff", algorithm)


def test_the_old_and_the_new_token_both_fit_while_they_are_changed() -> None:
    url = "wss://hub.example.com/twilio"
    both = config("old, new")
    assert all(signed(both, (url,), MultiDict(), sign(url, token=token)) for token in ("old", "new"))
    assert not signed(both, (url,), MultiDict(), sign(url, token="old, new"))


def test_a_name_that_comes_twice_is_signed_with_both_values() -> None:
    form = MultiDict([("b", "2"), ("a", "x"), ("b", "1"), ("b", "2")])
    url = "https://hub.example.com/twiml"
    assert signed(config(), (url,), form, sign(f"{url}axb1b2"))


@pytest.mark.parametrize(
    ("public_url", "raw_path", "upgrade", "expected"),
    [
        ("https://h.example", "/twilio", True, {"wss://h.example/twilio", "wss://h.example:443/twilio"}),
        ("https://h.example/", "/twiml?a=%20b", False, {"https://h.example/twiml?a=%20b", "https://h.example:443/twiml?a=%20b"}),
        (
            "https://h.example:8443",
            "/twilio",
            True,
            {"wss://h.example:8443/twilio", "wss://h.example/twilio", "wss://h.example:443/twilio"},
        ),
        ("https://h.example/hub", "/twilio", True, {"wss://h.example/hub/twilio", "wss://h.example:443/hub/twilio"}),
        ("http://127.0.0.1:5000", "/twilio", True, {"ws://127.0.0.1:5000/twilio", "ws://127.0.0.1/twilio", "ws://127.0.0.1:80/twilio"}),
    ],
)
def test_an_address_is_the_public_one_with_and_without_its_port(public_url: str, raw_path: str, upgrade: bool, expected: set[str]) -> None:
    assert set(addresses(public_url, raw_path, upgrade=upgrade)) == expected
