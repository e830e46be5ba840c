"""Twilio's signature: made by the twilio package and by hand, held against every address and token that the hub may have."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


BY_GET = "AccountSid=AC1&CallSid=CA1&CallerCity=FORLI%27&From=sip%3Aann%40example.com%3A5060&To=%2B14155550100&ToState=Trezzo+Sull%27Adda"
"""A query as Twilio sends it: every character that can be escaped is."""


@pytest.mark.parametrize(
    ("signed_query", "arrives"),
    [
        (BY_GET, BY_GET),
        (BY_GET.replace("%3A", ":").replace("%40", "@"), BY_GET),
        (BY_GET.replace("%27", "'"), BY_GET),
        (BY_GET.replace("%3A", ":").replace("%40", "@").replace("%27", "'"), BY_GET),
        (BY_GET.replace("%3A", ":").replace("%40", "@").replace("%27", "'"), BY_GET.replace("%3A", "%3a").replace("%27", "%27")),
        (BY_GET, BY_GET.replace("%27", "'")),
        (BY_GET.replace("+", "%20").replace("%27", "'"), BY_GET),
        ("outboundTrackLabel=support&language=en", "language=en&outboundTrackLabel=support"),
        ("transcriber=local&language=en&agent=a&keyterms=x", "agent=a&keyterms=x&language=en&transcriber=local"),
        (f"transcriber=local&language=en&{BY_GET}", f"{BY_GET}&language=en&transcriber=local"),
        (
            f"language=en&{BY_GET}".replace("%3A", ":").replace("%40", "@").replace("%27", "'"),
            f"{BY_GET}&language=en",
        ),
    ],
)
@pytest.mark.parametrize("host", ["hub.example.com", "hub.example.com:443"])
def test_what_twilio_escapes_or_sorts_after_it_has_signed_is_accepted(signed_query: str, arrives: str, host: str) -> None:
    signature = sign(f"https://{host}/twiml?{signed_query}")
    assert signed(config(), addresses(PUBLIC, f"/twiml?{arrives}"), MultiDict(), signature)
    for forged in (arrives + "&a=1", arrives[:-1], "a=1&" + arrives, arrives.replace("=", "=x", 1), arrives.replace("a", "b", 1)):
        assert not signed(config(), addresses(PUBLIC, f"/twiml?{forged}"), MultiDict(), signature)
    assert not signed(config(), addresses(PUBLIC, f"/twilio/status?{arrives}"), MultiDict(), signature)
    assert not signed(config(), addresses(PUBLIC, f"/twiml?{arrives}"), MultiDict({"From": "+1"}), signature)


def test_a_form_beside_a_sorted_query_is_covered_too() -> None:
    form = {"CallSid": "CA1", "From": "sip:ann@example.com", "CallerName": "O'Hara"}
    signature = sign(f"{PUBLIC}/twiml?language=en&agent=desk", form)
    urls = tuple(addresses(PUBLIC, "/twiml?agent=desk&language=en"))
    assert signed(config(), urls, MultiDict(form), signature)
    assert not signed(config(), urls, MultiDict(form | {"From": "sip:eve@example.com"}), signature)


def test_another_order_of_a_name_that_comes_twice_is_not_accepted() -> None:
    """The first of them counts, so the other order means something else."""
    signature = sign(f"{PUBLIC}/twiml?agent=desk&agent=night")
    assert signed(config(), addresses(PUBLIC, "/twiml?agent=desk&agent=night"), MultiDict(), signature)
    assert not signed(config(), addresses(PUBLIC, "/twiml?agent=night&agent=desk"), MultiDict(), signature)


@pytest.mark.parametrize("query", ["&".join(f"a{number}=1" for number in range(900)), "a=" + "'%40" * 2000, "&" * 8000, "A=1&" * 2000])
def test_a_forged_request_costs_a_bounded_number_of_hashes(query: str) -> None:
    urls = tuple(addresses(PUBLIC, f"/twiml?{query}"))
    assert len(urls) <= 2 * (6 + 2 * 24)
    assert sum(map(len, urls)) < 500_000


@given(st.text(), st.text())
def test_every_accepted_address_has_the_parameters_that_arrived(name: str, value: str) -> None:
    arrived = urlencode({"From": value, name: value, "language": name})
    for url in addresses(PUBLIC, f"/twiml?{arrived}"):
        assert sorted(parse_qsl(urlsplit(url).query, keep_blank_values=True)) == sorted(parse_qsl(arrived, keep_blank_values=True))
