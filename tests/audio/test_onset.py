"""Where a sound begins in a stretch of one track."""

import math

import pytest

from hub.audio import g711
from hub.audio.g711 import silence
from hub.audio.onset import onset


def tone(amplitude: int, milliseconds: int) -> bytes:
    samples = (round(amplitude * math.sin(at * 0.6)) for at in range(milliseconds * 8))
    return g711.to_mulaw(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


LOUD, HUM = tone(8000, 200), tone(200, 600)


@pytest.mark.parametrize(
    ("pieces", "at_ms"),
    [
        ([(1000.0, silence(4800) + LOUD)], 1600),
        ([(1000.0, HUM + LOUD)], 1600),
        ([(1000.0, silence(2400)), (1300.0, silence(800) + LOUD)], 1400),
        ([(1000.0, LOUD)], 1000),
        ([(1000.0, tone(4000, 600) + LOUD)], 1000),
        ([(1000.0, tone(3000, 40) + LOUD)], 1000),
        ([(1000.0, silence(4800))], None),
        ([(1000.0, tone(40, 600))], None),
        ([(1000.0, b"")], None),
        ([], None),
    ],
)
def test_a_sound_begins_where_it_rises_above_the_line(pieces: list[tuple[float, bytes]], at_ms: float | None) -> None:
    assert onset(pieces) == at_ms
