"""One track in the ear of the engine, with its real model and without its thread."""

import math
import random
import sys
from collections.abc import Iterator

import pytest

from hub.audio import g711
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine import engine
from hub.vendors.moonshine.engine import Ear, Engine, VoiceStream
from tests.providers.vendors import BLOCK_BYTES
from tests.transcribers.sample import plain, tracks

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(sys.platform == "win32", reason="the engine cannot keep tracks apart there"),
    pytest.mark.timeout(90),  # it computes, with whatever else is computed here: seconds on a machine of its own
]


@pytest.fixture(scope="module")
def alone() -> Iterator[Engine]:
    alone = Engine()
    yield alone
    alone.close()


def hear(alone: Engine, mulaw: bytes, piece_bytes: int = BLOCK_BYTES) -> list[Recognized]:
    told: list[Recognized] = []
    ear = Ear("inbound", told.append)
    for at in range(0, len(mulaw), piece_bytes):
        ear.hear(alone, g711.ms(at), mulaw[at : at + piece_bytes])
    ear.interrupt(alone)
    assert alone.streams == 0
    return told


def test_fresh_streams_in_pauses_lose_nothing_and_keep_time(alone: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    speech = tracks(21.5)[0] * 2
    one = hear(alone, speech)
    opened: list[VoiceStream] = []
    real = VoiceStream.__init__

    def counted(self: VoiceStream, engine: Engine) -> None:
        opened.append(self)
        real(self, engine)

    monkeypatch.setattr(VoiceStream, "__init__", counted)
    monkeypatch.setattr(engine, "SPANS", 1)
    many = hear(alone, speech)
    assert len(opened) > 5
    assert [plain(heard.text) for heard in many] == [plain(heard.text) for heard in one]
    for before, after in zip(one, many, strict=True):
        assert math.isclose(before.start, after.start, abs_tol=0.35)
        assert math.isclose(before.end, after.end, abs_tol=0.1)


def test_a_mute_track_opens_no_stream_and_a_track_that_falls_mute_closes_its(alone: Engine) -> None:
    ear = Ear("inbound", lambda _: None)
    speech, at_ms = tracks(6)[0][36_000:], 0.0
    for piece in (g711.silence(8000), b"\x7f" * 8000):
        ear.hear(alone, at_ms, piece)
        at_ms += g711.ms(len(piece))
        assert alone.streams == 0
    for piece in (speech, *[g711.silence(800)] * 20):
        ear.hear(alone, at_ms, piece)
        at_ms += g711.ms(len(piece))
        assert alone.streams == (0 if at_ms - 2000 - g711.ms(len(speech)) >= engine.MUTE_MS else 1)
    ear.leave()


def test_noise_is_not_speech_and_leaves_no_trace_on_other_tracks(alone: Engine) -> None:
    noise = bytes(random.Random(1).choices(range(256), k=24_000))
    before = hear(alone, tracks(9)[0])
    assert hear(alone, noise) == []
    assert hear(alone, tracks(9)[0]) == before


def test_a_word_of_a_quarter_second_is_heard(alone: Engine) -> None:
    quiet = g711.to_mulaw(bytes(16_000))
    told = hear(alone, quiet + tracks(14)[0][int(13.35 * 8000) : int(13.6 * 8000)] + quiet)
    assert len(told) == 1
    assert math.isclose(told[0].start, 1.0, abs_tol=0.2)
