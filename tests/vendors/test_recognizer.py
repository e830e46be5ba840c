"""The speech model, for real: words come out of speech, and none out of noise."""

import random
from collections.abc import Iterator

import pytest

from hub.errors import ProviderError
from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.recognizer import MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from tests.transcribers.sample import plain, tracks

pytestmark = pytest.mark.timeout(90)  # it computes, with whatever else is computed here


@pytest.fixture(scope="module")
def recognizer() -> Iterator[MoonshineRecognizer]:
    recognizer = MoonshineRecognizer()
    recognizer.load()
    yield recognizer
    recognizer.close()


def finals(recognizer: MoonshineRecognizer, mulaw: bytes) -> list[str]:
    """What the two models make of a track together."""
    track = TrackRecognizer("inbound", SileroPool(), recognizer)
    found = [final for at in range(0, len(mulaw), 800) for final in track.recognize(at / 8, mulaw[at : at + 800])]
    return [plain(final.text) for final in found + track.interrupt()]


def test_a_sentence_becomes_its_words(recognizer: MoonshineRecognizer) -> None:
    speech = tracks(9)[0][int(4.5 * 8000) : int(9.1 * 8000)]
    assert "ordered a coffee machine last week" in plain(recognizer.recognize(speech))


def test_the_model_says_you_to_silence_which_a_track_therefore_drops(recognizer: MoonshineRecognizer) -> None:
    assert recognizer.recognize(b"\xff" * 4000) == "You"


def test_one_recognition_leaves_no_trace_on_the_next(recognizer: MoonshineRecognizer) -> None:
    inbound, outbound = (track[: 8 * 8000] for track in tracks(9))
    before = recognizer.recognize(inbound)
    recognizer.recognize(outbound)
    assert recognizer.recognize(inbound) == before


def test_no_word_is_made_up_from_noise_tones_and_keys(recognizer: MoonshineRecognizer) -> None:
    noise = bytes(random.Random(1).choices(range(256), k=24_000))
    tone = bytes([0x20, 0xA0]) * 12_000
    assert finals(recognizer, noise) == []
    assert finals(recognizer, tone) == []


def test_a_word_of_a_quarter_second_is_recognized(recognizer: MoonshineRecognizer) -> None:
    word = tracks(14)[0][int(13.35 * 8000) : int(13.6 * 8000)]
    assert finals(recognizer, b"\xff" * 8000 + word + b"\xff" * 8000) == ["yes"]


def test_a_refusal_of_the_library_is_a_sentence(recognizer: MoonshineRecognizer) -> None:
    handle, recognizer._model._handle = recognizer._model._handle, 9999
    try:
        with pytest.raises(ProviderError, match=r"^local failed: .*[Hh]andle") as failed:
            recognizer.recognize(b"\xff" * 8000)
    finally:
        recognizer._model._handle = handle
    assert not failed.value.retryable
