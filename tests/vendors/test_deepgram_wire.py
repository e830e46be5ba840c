"""Deepgram's wire: what its messages decode to, and what its refusals say."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ProviderError, WireError
from hub.vendors.deepgram import wire as deepgram

# The message examples of the vendor's reference, as protocols.md quotes them.
RESULTS: dict[str, Any] = {
    "type": "Results", "channel_index": [0, 1], "duration": 1.02, "start": 0.0, "is_final": False, "speech_final": False,
    "channel": {"alternatives": [{
        "transcript": "hello", "confidence": 0.98,
        "words": [{"word": "hello", "start": 0.08, "end": 0.4, "confidence": 0.98, "punctuated_word": "Hello", "speaker": 0}],
        "languages": ["en"],
    }]},
    "metadata": {
        "request_id": "uuid", "model_uuid": "uuid",
        "model_info": {"name": "general-nova-3", "version": "2025-01-01", "arch": "nova-3"},
    },
    "from_finalize": False,
}  # fmt: skip
UTTERANCE_END = {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.1}
SPEECH_STARTED = {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 1.3}
METADATA = {
    "type": "Metadata", "transaction_key": "deprecated", "request_id": "uuid", "sha256": "incomplete",
    "created": "2026-11-21T10:00:00Z", "duration": 12.3, "channels": 1, "models": ["uuid"],
}  # fmt: skip
ERROR = {"type": "Error", "variant": "SchemaError", "description": "could not parse", "message": "{}", "code": "x"}

texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def read(message: object) -> deepgram.Message | None:
    return deepgram.decode(json.dumps(message))


def results(message: object) -> deepgram.Results:
    told = read(message)
    assert isinstance(told, deepgram.Results)
    return told


def test_results_have_channel_window_and_words() -> None:
    heard = results(RESULTS | {"channel_index": [1, 2], "start": 3.5})
    assert (heard.channel, heard.start, heard.end) == (1, 3.5, 4.52)
    assert (heard.transcript, heard.confidence, heard.languages) == ("hello", 0.98, ("en",))
    assert [(word.text, word.start, word.end) for word in heard.words] == [("Hello", 0.08, 0.4)]
    assert (heard.is_final, heard.speech_final, heard.from_finalize) == (False, False, False)


def test_a_word_without_punctuation_is_shown_as_it_was_recognized() -> None:
    assert deepgram.DeepgramWord("hello", 0.0, 0.4).text == "hello"


@pytest.mark.parametrize("flag", ["is_final", "speech_final", "from_finalize"])
def test_each_kind_of_end_of_a_window_is_read(flag: str) -> None:
    heard = results(RESULTS | {flag: True})
    assert [name for name in ("is_final", "speech_final", "from_finalize") if getattr(heard, name)] == [flag]


def test_results_need_no_flags_and_may_hold_nulls() -> None:
    alternative = {"transcript": "", "confidence": None, "words": [], "languages": None}
    message = {key: RESULTS[key] for key in ("type", "channel_index", "duration", "start")}
    heard = results(message | {"is_final": None, "channel": {"alternatives": [alternative]}})
    assert (heard.transcript, heard.words, heard.languages, heard.is_final) == ("", (), (), None)


@pytest.mark.parametrize(
    "words", [[{"word": "hi"}], [None], [{"word": "hi", "start": None, "end": 5}], 7, [{"word": "hi", "start": 1, "end": "x"}]]
)
def test_a_result_whose_words_cannot_be_read_has_its_text(words: object) -> None:
    alternative = {"transcript": "hello", "confidence": 0.9, "words": words}
    heard = results(RESULTS | {"is_final": True, "channel": {"alternatives": [alternative]}})
    assert (heard.transcript, heard.words, heard.is_final, heard.end) == ("hello", (), True, 1.02)


def test_words_may_be_null() -> None:
    heard = results(RESULTS | {"channel": {"alternatives": [{"transcript": " hello ", "words": None}]}})
    assert (heard.transcript, heard.words) == ("hello", ())


def test_results_without_an_alternative_are_silence() -> None:
    heard = results(RESULTS | {"channel": {"alternatives": []}})
    assert (heard.transcript, heard.words, heard.confidence) == ("", (), None)


def test_the_other_messages_decode() -> None:
    assert read(UTTERANCE_END) == deepgram.UtteranceEnd((0, 1), 2.1)
    assert read(SPEECH_STARTED) == deepgram.DeepgramSpeechStarted((0, 1), 1.3)
    assert read(METADATA) == deepgram.Metadata("uuid", 12.3)
    assert read(ERROR) == deepgram.DeepgramError("could not parse", "SchemaError", "x")
    assert read({"type": "Warning", "code": "C", "description": "d"}) == deepgram.DeepgramWarning("d", "C")


def test_an_utterance_end_before_any_word_says_minus_one() -> None:
    told = read(UTTERANCE_END | {"last_word_end": -1, "channel": [1, 2]})
    assert isinstance(told, deepgram.UtteranceEnd)
    assert (told.channel, told.last_word_end) == (1, -1)


def test_fields_that_are_new_are_skipped() -> None:
    assert results(RESULTS | {"weather": {"sky": ["blue"]}}) == results(RESULTS)


def test_a_type_that_is_new_is_nothing() -> None:
    assert read({"type": "ConfigureSuccess", "request_id": "r", "keyterms": []}) is None
    assert read({"type": "Weather", "channel": "blue"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '"Results"', "{}", '{"type":5}', '{"type":"Results"}', '{"type":"Weather",', '{"type":"Results"} {}',
        json.dumps(RESULTS | {"start": "0"}), json.dumps(RESULTS | {"channel_index": []}), json.dumps(RESULTS | {"channel_index": [-1, 2]}),
        json.dumps(RESULTS | {"channel": None}), json.dumps(UTTERANCE_END | {"channel": None}), "\ud800",
        json.dumps(RESULTS | {"start": None}), json.dumps(RESULTS).replace("1.02", "NaN"), json.dumps(RESULTS).replace("1.02", "1e999"),
        '{"type":"Results","x":' + "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_malformed_is_a_wire_error_that_names_deepgram(text: str) -> None:
    with pytest.raises(WireError, match=r"^Deepgram sent a message that cannot be read: "):
        deepgram.decode(text)


def test_no_spoken_word_reaches_an_error() -> None:
    with pytest.raises(WireError) as caught:
        deepgram.decode(json.dumps({"type": "Results", "start": "my secret"}))
    assert "secret" not in str(caught.value)


def says_something_or_nothing(text: str | bytes) -> None:
    try:
        told = deepgram.decode(text)
    except WireError:
        return
    assert told is None or isinstance(told, deepgram.Message)


@given(st.text() | st.binary())
def test_any_text_is_a_message_nothing_or_a_wire_error(text: str | bytes) -> None:
    says_something_or_nothing(text)


@given(st.sampled_from([RESULTS, UTTERANCE_END, SPEECH_STARTED, METADATA, ERROR]), st.data())
def test_any_damaged_message_is_a_message_nothing_or_a_wire_error(message: dict[str, Any], data: st.DataObject) -> None:
    damaged = message | {data.draw(st.sampled_from(list(message))): data.draw(texts)}
    says_something_or_nothing(json.dumps(damaged))


def test_the_key_travels_as_a_token_in_a_header_only() -> None:
    assert deepgram.headers("secret") == {"Authorization": "Token secret"}


def test_the_hubs_own_messages_are_json_of_one_type() -> None:
    said = [deepgram.KEEP_ALIVE, deepgram.FINALIZE, deepgram.CLOSE_STREAM]
    assert [msgspec.json.decode(text) for text in said] == [{"type": "KeepAlive"}, {"type": "Finalize"}, {"type": "CloseStream"}]


@pytest.mark.parametrize(
    ("status", "code", "message", "sentence", "retryable"),
    [
        (400, "Bad Request", "no such encoding",
         "Deepgram refused the request (400 Bad Request): no such encoding; check DEEPGRAM_MODEL and DEEPGRAM_OPTIONS", False),
        (401, "INVALID_AUTH", "Invalid credentials.", "Deepgram refused the key (401 INVALID_AUTH): check DEEPGRAM_API_KEY", False),
        (401, "INSUFFICIENT_PERMISSIONS", "",
         "Deepgram refused the key (401 INSUFFICIENT_PERMISSIONS): give DEEPGRAM_API_KEY a key that may transcribe", False),
        (402, "ASR_PAYMENT_REQUIRED", "",
         "Deepgram has no credit left for this project (402 ASR_PAYMENT_REQUIRED): add some at console.deepgram.com", False),
        (403, "", "no access",
         "Deepgram refused the model (403): no access; DEEPGRAM_MODEL is misspelled, or this project may not use it", False),
        (404, "", "", "Deepgram did not open a stream (404); check DEEPGRAM_URL", False),
        (200, "", "", "Deepgram did not open a stream (200); check DEEPGRAM_URL", False),
        (408, "", "", "Deepgram was too slow to answer (408)", True),
        (429, "TOO_MANY_REQUESTS", "", "Deepgram has too many streams open for this project (429 TOO_MANY_REQUESTS)", True),
        (503, "", "", "Deepgram cannot take a stream now (503)", True),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(status: int, code: str, message: str, sentence: str, retryable: bool) -> None:
    body = json.dumps({"err_code": code, "err_msg": message, "request_id": "r"})
    error = deepgram.refused(status, body)
    assert (str(error), error.retryable, error.provider) == (sentence, retryable, "Deepgram")


def test_a_refusal_names_the_request_for_the_vendors_support() -> None:
    assert str(deepgram.refused(503, b"", {"DG-Request-Id": "abc"})) == "Deepgram cannot take a stream now (503) (request abc)"


def test_a_refusal_without_a_body_uses_the_header() -> None:
    assert "(400): bad model;" in str(deepgram.refused(400, "", {"dg-error": "bad  model"}))


@pytest.mark.parametrize("body", [b"<html>" * 500, b"\xff", "null", "[]", '{"err_code":5}', "[" * 100_000])
def test_a_proxys_page_is_no_part_of_the_sentence(body: str | bytes) -> None:
    assert str(deepgram.refused(502, body)) == "Deepgram cannot take a stream now (502)"


def test_a_long_refusal_is_cut_short() -> None:
    assert len(str(deepgram.refused(400, json.dumps({"err_msg": "x" * 10_000})))) < 400


@pytest.mark.parametrize(
    ("code", "reason", "sentence", "retryable"),
    [
        (1008, "DATA-0000", "Deepgram could not read the audio (1008): DATA-0000", False),
        (1011, "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001",
         "Deepgram received no audio within 10 s and hung up (1011 NET-0001)", True),
        (1011, "NET-0001", "Deepgram received no audio within 10 s and hung up (1011 NET-0001)", True),
        (1011, "NET-0000", "Deepgram had trouble of its own and hung up (1011): NET-0000", True),
        (1000, "", "Deepgram hung up before the end (1000)", True),
        (1012, "restart", "Deepgram hung up before the end (1012): restart", True),
        (1006, "", "Deepgram lost the connection", True),
        (None, "", "Deepgram lost the connection", True),
    ],
)  # fmt: skip
def test_a_close_says_what_happened(code: int | None, reason: str, sentence: str, retryable: bool) -> None:
    error = deepgram.closed(code, reason)
    assert isinstance(error, ProviderError)
    assert (str(error), error.retryable) == (sentence, retryable)
