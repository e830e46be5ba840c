"""AssemblyAI's wire: what its messages decode to, which turn is the last, what is asked of it, and what its refusals say."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import ConfigError, WireError
from hub.vendors.assemblyai import wire as assemblyai

# The message examples of the vendor's reference, as protocols.md quotes them.
BEGIN = {
    "type": "Begin", "id": "uuid", "expires_at": 1790221526,
    "configuration": {"model": "universal-3-6-pro", "mode": "balanced", "api_version": "2025-05-12"},
}  # fmt: skip
SPEECH_STARTED = {"type": "SpeechStarted", "timestamp": 1200, "confidence": 0.95}
TURN: dict[str, Any] = {
    "type": "Turn", "turn_order": 0, "turn_is_formatted": False, "end_of_turn": False, "transcript": "hi there",
    "end_of_turn_confidence": 0.12, "utterance": "",
    "words": [{"start": 1280, "end": 1440, "text": "hi", "confidence": 0.97, "word_is_final": True}],
    "language_code": "en", "language_confidence": 0.99, "speaker_label": "A",
}  # fmt: skip
TERMINATION = {"type": "Termination", "audio_duration_seconds": 31, "session_duration_seconds": 33}
ERROR = {"type": "Error", "error_code": 3007, "error": "too short"}
WARNING = {"type": "Warning", "warning_code": 1234, "warning": "mind"}

texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def read(message: object) -> assemblyai.Message | None:
    return assemblyai.decode(json.dumps(message))


def turn(**changes: object) -> assemblyai.AssemblyAITurn:
    told = read(TURN | changes)
    assert isinstance(told, assemblyai.AssemblyAITurn)
    return told


def begin(**changes: object) -> assemblyai.Begin:
    told = read(BEGIN | changes)
    assert isinstance(told, assemblyai.Begin)
    return told


def test_a_turn_has_its_text_and_its_words_in_milliseconds() -> None:
    told = turn(turn_order=3)
    assert (told.turn_order, told.transcript, told.language_code, told.end_of_turn) == (3, "hi there", "en", False)
    assert told.words == (assemblyai.AssemblyAIWord("hi", 1280, 1440, 0.97, True),)


def test_a_turn_needs_neither_language_nor_words() -> None:
    told = read({"type": "Turn", "turn_order": 0, "transcript": "", "end_of_turn": True})
    assert told == assemblyai.AssemblyAITurn(0, "", True)


def test_the_other_messages_decode() -> None:
    assert read(BEGIN) == assemblyai.Begin("uuid", 1790221526, assemblyai.Configuration("universal-3-6-pro"))
    assert read(SPEECH_STARTED) == assemblyai.AssemblyAISpeechStarted(1200)
    assert read(TERMINATION) == assemblyai.Termination(31, 33)
    assert read(ERROR) == assemblyai.AssemblyAIError("too short", 3007)
    assert read(WARNING) == assemblyai.AssemblyAIWarning("mind", 1234)


def test_an_error_may_come_without_a_type() -> None:
    assert read({"error": "Not authorized"}) == assemblyai.AssemblyAIError("Not authorized", None)
    assert read({"error": "Not authorized", "error_code": 4001}) == assemblyai.AssemblyAIError("Not authorized", 4001)


def test_fields_that_are_new_are_skipped() -> None:
    assert turn(weather={"sky": ["blue"]}) == turn()


def test_a_type_that_is_new_is_nothing() -> None:
    assert read({"type": "Heartbeat", "total_audio_received_ms": 5000}) is None
    assert read({"type": "Weather", "error": 5}) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"type":5}', '{"type":"Turn"}', '{"type":"Weather",', '{"error":5}', '{"type":"Error"}', "\ud800",
        json.dumps(TURN | {"turn_order": "0"}), json.dumps(TURN | {"transcript": 5}),
        '{"type":"Turn","x":' + "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_malformed_is_a_wire_error_that_names_assemblyai(text: str) -> None:
    with pytest.raises(WireError, match=r"^AssemblyAI sent a message that cannot be read: "):
        assemblyai.decode(text)


def says_something_or_nothing(text: str | bytes) -> None:
    try:
        told = assemblyai.decode(text)
    except WireError:
        return
    assert told is None or isinstance(told, assemblyai.Message)


@given(st.text() | st.binary())
def test_any_text_is_a_message_nothing_or_a_wire_error(text: str | bytes) -> None:
    says_something_or_nothing(text)


@given(st.sampled_from([BEGIN, SPEECH_STARTED, TURN, TERMINATION, ERROR, WARNING]), st.data())
def test_any_damaged_message_is_a_message_nothing_or_a_wire_error(message: dict[str, Any], data: st.DataObject) -> None:
    damaged = message | {data.draw(st.sampled_from(list(message))): data.draw(texts)}
    says_something_or_nothing(json.dumps(damaged))


@pytest.mark.parametrize("model", ["universal-streaming-english", "universal-streaming-multilingual"])
def test_a_formatted_universal_streaming_turn_ends_with_its_second_end(model: str) -> None:
    first, second = turn(end_of_turn=True), turn(end_of_turn=True, turn_is_formatted=True)
    assert not assemblyai.is_last(turn(), model, formatted=True)
    assert not assemblyai.is_last(first, model, formatted=True)
    assert assemblyai.is_last(second, model, formatted=True)
    assert assemblyai.is_last(first, model, formatted=False)


@pytest.mark.parametrize("model", ["u3-rt-pro", "universal-3-5-pro", "universal-3-6-pro", "whisper-rt"])
@pytest.mark.parametrize("formatted", [False, True])
def test_elsewhere_being_formatted_does_not_end_a_turn(model: str, formatted: bool) -> None:
    assert not assemblyai.is_last(turn(turn_is_formatted=True), model, formatted)
    assert assemblyai.is_last(turn(end_of_turn=True), model, formatted)
    assert assemblyai.is_last(turn(end_of_turn=True, turn_is_formatted=True), model, formatted)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"transcript": "hi", "end_of_turn": False}, "hi the"),
        ({"transcript": "hi there", "end_of_turn": False}, "hi there"),
        ({"transcript": "hi", "end_of_turn": True}, "hi"),
        ({"transcript": "", "end_of_turn": True}, "hi the"),
        ({"transcript": None, "end_of_turn": True}, "hi the"),
        ({"transcript": "", "end_of_turn": True, "utterance": "Hi the"}, "Hi the"),
        ({"transcript": "", "end_of_turn": False, "words": []}, ""),
        ({"transcript": "hi", "end_of_turn": True, "words": None}, "hi"),
    ],
)
def test_what_is_in_the_transcript_the_utterance_or_the_words_is_the_text_of_a_turn(changes: dict[str, Any], text: str) -> None:
    words = [TURN["words"][0], {"start": 1500, "end": 1600, "text": "the", "confidence": 0.4, "word_is_final": False}]
    told = turn(**({"words": words} | changes))
    assert (told.text, told.is_empty) == (text, not text)


def test_words_without_blanks_make_a_text_without_blanks() -> None:
    words = [{"start": 0, "end": 1, "text": text} for text in ("今日は", "iPhone", "です。")]
    assert turn(transcript="", words=words, end_of_turn=True).text == "今日はiPhoneです。"


@pytest.mark.parametrize("words", [[{"text": "hi"}], [None], [{"text": "hi", "start": None, "end": 5}], 7])
def test_a_turn_whose_words_cannot_be_read_has_its_text(words: object) -> None:
    told = turn(words=words)
    assert (told.text, told.words) == ("hi there", ())


def test_a_model_that_was_not_asked_for_is_noticed() -> None:
    assert begin().other_model("u3-rt-pr") == "universal-3-6-pro"
    assert begin().other_model("universal-3-6-pro") is None
    assert begin(configuration=None).other_model("u3-rt-pro") is None


def asked(url: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def test_the_address_names_model_and_audio() -> None:
    url = assemblyai.stream_url("wss://streaming.assemblyai.com/", model="u3-rt-pro")
    assert url.startswith("wss://streaming.assemblyai.com/v3/ws?")
    assert asked(url) == {"sample_rate": "8000", "encoding": "pcm_mulaw", "speech_model": "u3-rt-pro", "inactivity_timeout": "120"}


def test_universal_3_models_are_asked_for_speed_unless_the_options_say_otherwise() -> None:
    assert asked(assemblyai.stream_url("wss://h", model="universal-3-6-pro"))["mode"] == "min_latency"
    assert asked(assemblyai.stream_url("wss://h", model="universal-3-6-pro", options="mode=balanced"))["mode"] == "balanced"
    assert "mode" not in asked(assemblyai.stream_url("wss://h", model="u3-rt-pro"))


def test_only_universal_streaming_is_asked_to_format() -> None:
    assert asked(assemblyai.stream_url("wss://h", model="universal-streaming-english"))["format_turns"] == "true"
    assert "format_turns" not in asked(assemblyai.stream_url("wss://h", model="universal-3-6-pro"))


def test_lists_travel_as_json_in_one_parameter() -> None:
    query = asked(assemblyai.stream_url("wss://h", model="u3-rt-pro", keyterms=['a "b"', "ü"], language="es"))
    assert json.loads(query["keyterms_prompt"]) == ['a "b"', "ü"]
    assert json.loads(query["language_codes"]) == ["es"]


def test_options_replace_add_and_remove_parameters() -> None:
    options = "?format_turns=false&max_turn_silence=900&inactivity_timeout="
    query = asked(assemblyai.stream_url("wss://h", model="universal-streaming-english", options=options))
    assert (query["format_turns"], query["max_turn_silence"]) == ("false", "900")
    assert "inactivity_timeout" not in query


@pytest.mark.parametrize("option", ["encoding=pcm_s16le", "sample_rate=16000", "speech_model=x", "token=t"])
def test_options_cannot_change_the_audio_the_model_or_the_key(option: str) -> None:
    with pytest.raises(ConfigError, match=r"^ASSEMBLYAI_OPTIONS cannot set \w+: "):
        assemblyai.stream_url("wss://h", model="u3-rt-pro", options=option)


def test_the_key_travels_alone_in_a_header() -> None:
    assert assemblyai.headers("secret") == {"Authorization": "secret", "AssemblyAI-Version": "2025-05-12"}


def test_the_hubs_own_messages_are_json_of_one_type() -> None:
    said = [assemblyai.TERMINATE, assemblyai.FORCE_ENDPOINT, assemblyai.KEEP_ALIVE]
    assert [msgspec.json.decode(text) for text in said] == [{"type": "Terminate"}, {"type": "ForceEndpoint"}, {"type": "KeepAlive"}]


@pytest.mark.parametrize(
    ("code", "text", "sentence", "retryable"),
    [
        (1008, "Invalid API key", "AssemblyAI refused the key (1008): Invalid API key; check ASSEMBLYAI_API_KEY", False),
        (1008, "", "AssemblyAI refused the key (1008); check ASSEMBLYAI_API_KEY", False),
        (1008, "Insufficient funds", "AssemblyAI has no credit left for this account (1008): Insufficient funds", False),
        (4002, "", "AssemblyAI has no credit left for this account (4002)", False),
        (1008, "Unauthorized connection: Too many concurrent sessions",
         "AssemblyAI has too many sessions open for this account (1008): Unauthorized connection: Too many concurrent sessions", True),
        (3009, "", "AssemblyAI has too many sessions open for this account (3009)", True),
        (429, "", "AssemblyAI has too many sessions open for this account (429)", True),
        (3005, "Server error", "AssemblyAI had trouble of its own and hung up (3005): Server error", True),
        (1011, "", "AssemblyAI had trouble of its own and hung up (1011)", True),
        (1013, "", "AssemblyAI had trouble of its own and hung up (1013)", True),
        (502, "", "AssemblyAI had trouble of its own and hung up (502)", True),
        (None, "odd", "AssemblyAI had trouble of its own and hung up: odd", True),
        (3006, "Invalid JSON", "AssemblyAI refused the request (3006): Invalid JSON; check ASSEMBLYAI_MODEL and ASSEMBLYAI_OPTIONS", False),
        (3006, "Session terminated due to inactivity: No messages received for 5 seconds",
         "AssemblyAI received nothing for too long and hung up (3006)", True),
        (3007, "Input Duration Error: Input Duration Violation: 20.0 ms. Expected between 50 and 1000 ms",
         "AssemblyAI refused the length of an audio frame (3007): Input Duration Error: Input Duration Violation: 20.0 ms. "
         "Expected between 50 and 1000 ms", False),
        (3007, "Audio Transmission Rate Exceeded",
         "AssemblyAI fell too far behind the audio and hung up (3007): Audio Transmission Rate Exceeded", True),
        (3008, "", "AssemblyAI ended the session at its longest (3008)", True),
        (410, "", "AssemblyAI has no such address (410); check ASSEMBLYAI_URL", False),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(code: int | None, text: str, sentence: str, retryable: bool) -> None:
    error = assemblyai.refused(code, text)
    assert (str(error), error.retryable, error.provider) == (sentence, retryable, "AssemblyAI")


def test_a_close_without_a_reason_is_known_by_its_code() -> None:
    error = assemblyai.closed(1008, "See Error message for details")
    assert (str(error), error.retryable) == ("AssemblyAI refused the key (1008); check ASSEMBLYAI_API_KEY", False)


def test_a_close_may_carry_the_words_of_an_error_that_did_not_arrive() -> None:
    assert assemblyai.closed(1008, "Too many concurrent sessions").retryable


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (None, "AssemblyAI lost the connection"),
        (1006, "AssemblyAI lost the connection"),
        (1000, "AssemblyAI hung up before the end (1000)"),
    ],
)
def test_a_close_before_the_end_is_worth_a_retry(code: int | None, sentence: str) -> None:
    error = assemblyai.closed(code)
    assert (str(error), error.retryable) == (sentence, True)


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("en-US", ["en"]),
        ("EN_us, pt-BR", ["en", "pt"]),
        ("en-US, en-GB", ["en"]),
        ("zh-Hant-TW", ["zh"]),
        ("nb-NO", ["no"]),
        ("multi", ["multi"]),
        ("en, multi", ["multi"]),
        ("xx, de", ["de"]),
        ("en es de fr it pt tr nl sv no da fi", ["en", "es", "de", "fr", "it", "pt", "tr", "nl", "sv", "no"]),
        ("xx", None),
        ("klingon", None),
        ("", None),
    ],
)
def test_any_spelling_of_a_language_is_asked_for_as_assemblyai_spells_it(written: str, codes: list[str] | None) -> None:
    for query in (
        asked(assemblyai.stream_url("wss://h", model=assemblyai.MODEL, language=written)),
        asked(assemblyai.stream_url("wss://h", model=assemblyai.MODEL, options=f"language_codes={written}")),
        asked(assemblyai.stream_url("wss://h", model=assemblyai.MODEL, options="language_codes=" + json.dumps(written.split()))),
    ):
        assert query.get("language_codes") == (json.dumps(codes, separators=(",", ":")) if codes else None)


def test_models_for_fixed_languages_are_asked_for_none() -> None:
    for model in ("universal-streaming-english", "universal-streaming-multilingual"):
        assert "language_codes" not in asked(assemblyai.stream_url("wss://h", model=model, language="en-US"))


def test_key_terms_are_cut_to_what_assemblyai_takes() -> None:
    terms = [f"term {number}" for number in range(101)] + ["x" * 51]
    query = asked(assemblyai.stream_url("wss://h", model=assemblyai.MODEL, keyterms=terms))
    assert json.loads(query["keyterms_prompt"]) == terms[:100]
    assert json.loads(asked(assemblyai.stream_url("wss://h", model=assemblyai.MODEL, keyterms=["x" * 51]))["keyterms_prompt"]) == ["x" * 50]


@pytest.mark.parametrize(
    ("model", "language", "keyterms", "sentences"),
    [
        (assemblyai.MODEL, "en-US", ("Acme",), []),
        (assemblyai.MODEL, None, (), []),
        (assemblyai.MODEL, "multi, en", (), []),
        (assemblyai.MODEL, "xx, klingon, de", (), ["is not asked for 'xx', 'klingon' in language: universal-3-6-pro does not take it"]),
        ("universal-streaming-english", "en-US", (), []),
        ("universal-streaming-english", "de", (), ["is not asked for 'de' in language: universal-streaming-english does not take it"]),
        (
            assemblyai.MODEL,
            None,
            ("x",) * 1 + tuple(map(str, range(100))),
            ["is asked for 100 of 101 key terms: it takes 100 of 50 characters each"],
        ),
    ],
)
def test_what_is_left_out_is_said(model: str, language: str | None, keyterms: tuple[str, ...], sentences: list[str]) -> None:
    assert assemblyai.left_out(model, language, keyterms) == sentences


def test_a_refused_model_is_said_with_the_models_that_there_are() -> None:
    refusal = assemblyai.refused(3006, "Invalid speech_model")
    assert str(refusal).startswith(
        "AssemblyAI refused the model (3006): Invalid speech_model; its models are universal-3-6-pro, universal-3-6,"
    )
    assert str(refusal).endswith("; check ASSEMBLYAI_MODEL")
    assert not refusal.retryable
    listed = assemblyai.refused(3006, "Invalid speech_model. Valid values: universal-3-6-pro, u3-rt-pro")
    assert str(listed).count("universal-3-6-pro") == 1
