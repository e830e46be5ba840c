"""The speech model, for real: words come out of speech, and none out of noise."""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from hub.vendors.moonshine.detector import SileroPool
from hub.vendors.moonshine.recognizer import TOKENS_PER_SECOND, MoonshineRecognizer
from hub.vendors.moonshine.track import TrackRecognizer
from tests.transcribers.sample import plain, tracks

pytestmark = pytest.mark.timeout(90)  # it computes, with whatever else is computed here


@pytest.fixture(scope="module")
def recognizer() -> MoonshineRecognizer:
    recognizer = MoonshineRecognizer()
    recognizer.load()
    return recognizer


def finals(recognizer: MoonshineRecognizer, mulaw: bytes) -> list[str]:
    """What the two models make of a track together."""
    track = TrackRecognizer("inbound", SileroPool(), recognizer)
    found = [final for at in range(0, len(mulaw), 800) for final in track.recognize(at / 8, mulaw[at : at + 800])]
    return [plain(final.text) for final in found + track.interrupt()]


def test_a_sentence_becomes_its_words(recognizer: MoonshineRecognizer) -> None:
    speech = tracks(9)[0][int(4.5 * 8000) : int(9.1 * 8000)]
    assert "ordered a coffee machine last week" in plain(recognizer.recognize(speech, final=True).text)


def test_the_model_says_you_to_silence_which_a_track_therefore_drops(recognizer: MoonshineRecognizer) -> None:
    assert recognizer.recognize(b"\xff" * 4000, final=True).text == "You"


def test_one_recognition_leaves_no_trace_on_the_next(recognizer: MoonshineRecognizer) -> None:
    inbound, outbound = (track[: 8 * 8000] for track in tracks(9))
    before = recognizer.recognize(inbound, final=True)
    recognizer.recognize(outbound, final=True)
    assert recognizer.recognize(inbound, final=True) == before


def test_no_word_is_made_up_from_noise_tones_and_keys(recognizer: MoonshineRecognizer) -> None:
    noise = bytes(random.Random(1).choices(range(256), k=24_000))
    tone = bytes([0x20, 0xA0]) * 12_000
    assert finals(recognizer, noise) == []
    assert finals(recognizer, tone) == []


def test_a_word_of_a_quarter_second_is_recognized(recognizer: MoonshineRecognizer) -> None:
    word = tracks(14)[0][int(13.35 * 8000) : int(13.6 * 8000)]
    assert finals(recognizer, b"\xff" * 8000 + word + b"\xff" * 8000) == ["yes"]


def test_it_is_certain_of_speech_and_not_of_noise(recognizer: MoonshineRecognizer) -> None:
    speech = tracks(9)[0][int(4.5 * 8000) : int(9.1 * 8000)]
    assert 0.8 < recognizer.recognize(speech, final=True).confidence < 1
    assert recognizer.recognize(speech[::-1], final=True).confidence < 0.6


def test_threads_that_recognize_at_once_do_not_disturb_each_other(recognizer: MoonshineRecognizer) -> None:
    stretches = [track[int(4.5 * 8000) : int(9.1 * 8000)] for track in tracks(10)] * 2
    alone = [recognizer.recognize(stretch, final=True) for stretch in stretches]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(partial(recognizer.recognize, final=True), stretches)) == alone


def test_a_text_is_no_longer_than_anybody_can_speak(recognizer: MoonshineRecognizer) -> None:
    for final in (True, False):
        assert len(recognizer.recognize(bytes([0x20, 0xA0]) * 4000, final=final).text.split()) <= 2 * TOKENS_PER_SECOND
