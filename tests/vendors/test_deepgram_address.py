"""The address of a Deepgram session: what is asked for, and what is left out because Deepgram would refuse it."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError
from hub.vendors.deepgram import address


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def test_the_address_names_model_and_audio() -> None:
    url = address.listen_url("wss://api.deepgram.com", model="nova-3")
    assert url.startswith("wss://api.deepgram.com/v1/listen?model=nova-3&")
    query = asked(url)
    assert (query["encoding"], query["sample_rate"], query["channels"], query["multichannel"]) == (["mulaw"], ["8000"], ["2"], ["true"])
    assert (query["interim_results"], query["endpointing"], query["utterance_end_ms"]) == (["true"], ["300"], ["1000"])
    assert "language" not in query
    assert "keyterm" not in query


def test_a_base_may_end_in_a_slash_or_have_a_path() -> None:
    assert address.listen_url("ws://127.0.0.1:1/", model="m").startswith("ws://127.0.0.1:1/v1/listen?")
    assert address.listen_url("wss://proxy/deepgram", model="m").startswith("wss://proxy/deepgram/v1/listen?")


def test_language_and_keyterms_are_asked_for() -> None:
    query = asked(address.listen_url("wss://h", model="nova-3-medical", language="multi", keyterms=["Transcript Hub", "a&b"]))
    assert (query["language"], query["keyterm"]) == (["multi"], ["Transcript Hub", "a&b"])


def test_a_model_before_nova_3_is_given_keywords() -> None:
    query = asked(address.listen_url("wss://h", model="nova-2-phonecall", keyterms=["hub"]))
    assert query["keywords"] == ["hub"]
    assert "keyterm" not in query


def test_options_replace_add_repeat_and_remove_parameters() -> None:
    url = address.listen_url("wss://h", model="nova-3", options="?endpointing=500&keyterm=a&keyterm=b&utterance_end_ms=", keyterms=["c"])
    query = asked(url)
    assert (query["endpointing"], query["keyterm"]) == (["500"], ["a", "b"])
    assert "utterance_end_ms" not in query


@pytest.mark.parametrize("option", ["encoding=linear16", "sample_rate=16000", "channels=", "multichannel=false", "callback=https://x"])
def test_options_cannot_change_the_audio_or_send_the_words_away(option: str) -> None:
    with pytest.raises(ConfigError, match=r"^DEEPGRAM_OPTIONS cannot set \w+: the hub decides"):
        address.listen_url("wss://h", model="nova-3", options=option)


def test_options_cannot_name_the_model_because_a_setting_does() -> None:
    with pytest.raises(ConfigError, match="DEEPGRAM_MODEL"):
        address.listen_url("wss://h", model="nova-3", options="model=nova-2")


words = st.text(st.characters(categories=["L"]), min_size=1, max_size=20)


@given(st.text(), st.lists(words, max_size=20, unique=True))
def test_parameters_arrive_as_they_were_written(model: str, keyterms: list[str]) -> None:
    url = address.listen_url("wss://h", model="m" + model, keyterms=keyterms)
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    assert ("model", "m" + model) in pairs
    assert [value for name, value in pairs if name in {"keyterm", "keywords"}] == keyterms


@pytest.mark.parametrize(
    ("written", "language", "hints"),
    [
        ("en", ["en"], []),
        ("en_us", ["en-US"], []),
        ("EN-us", ["en-US"], []),
        ("PT_br", ["pt-BR"], []),
        ("de-DE", ["de"], []),
        ("ja-JP", ["ja"], []),
        ("es-419", ["es-419"], []),
        ("zh-hant-hk", ["zh-Hant"], []),
        ("nb-NO", ["no"], []),
        ("en-US, en-GB", ["en-US"], []),
        ("multi", ["multi"], []),
        ("en, es_MX", ["multi"], ["en", "es"]),
        ('["en","de"]', ["multi"], ["en", "de"]),
        ("multi, fr", ["multi"], ["fr"]),
        ("Klingon", [], []),
        (" , ", [], []),
    ],
)
def test_any_spelling_of_a_language_is_asked_for_as_deepgram_spells_it(written: str, language: list[str], hints: list[str]) -> None:
    query = asked(address.listen_url("wss://h", model="nova-3", language=written))
    assert (query.get("language", []), query.get("language_hint", [])) == (language, hints)
    options = asked(address.listen_url("wss://h", model="nova-3", options=f"language={written}"))
    assert (options.get("language", []), options.get("language_hint", [])) == (language, hints)


def test_a_model_before_nova_3_is_given_no_hints() -> None:
    query = asked(address.listen_url("wss://h", model="nova-2", language="en, es"))
    assert (query["language"], "language_hint" in query) == (["multi"], False)


@pytest.mark.parametrize(
    "model", ["nova-2", "nova-2-phonecall", "nova", "nova-phonecall", "enhanced", "enhanced-general", "base", "2-general"]
)
def test_models_before_nova_3_are_given_keywords(model: str) -> None:
    query = asked(address.listen_url("wss://h", model=model, keyterms=["hub"]))
    assert (query.get("keywords"), "keyterm" in query) == (["hub"], False)


@pytest.mark.parametrize(
    "model", ["nova-3", "nova-3-medical", "nova-4", "nova-10-general", "aurora", "4d4b12c6-2fa5-4b3e-9a1b-2f8a8a8a8a8a"]
)
def test_models_of_any_other_name_are_given_keyterms(model: str) -> None:
    query = asked(address.listen_url("wss://h", model=model, keyterms=["hub"]))
    assert (query.get("keyterm"), "keywords" in query) == (["hub"], False)


@pytest.mark.parametrize("model", ["flux-general-en", "flux-general-multi", "Flux-General-EN", "flux"])
def test_flux_is_refused_with_a_sentence(model: str) -> None:
    with pytest.raises(ConfigError, match=r"^DEEPGRAM_MODEL cannot be (?i:flux).*nova-3"):
        address.listen_url("wss://h", model=model)


def test_key_terms_are_cut_to_what_deepgram_takes_and_what_is_left_out_is_said() -> None:
    terms = [f"{number:099}" for number in range(9)]
    assert asked(address.listen_url("wss://h", model="nova-3", keyterms=terms))["keyterm"] == terms[:5]
    assert address.left_out("klingon, de", terms) == [
        "is not asked for 'klingon' in language: that is no code of a language",
        "is asked for 5 of 9 key terms: it takes 500 characters in all",
    ]
    assert address.left_out("en_US", ("Acme", "Dr. Okafor")) == []
