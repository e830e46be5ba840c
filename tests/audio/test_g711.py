"""Arithmetic of telephone audio, held to G.711's own values."""

import pytest

from hub.audio.g711 import BYTES_PER_MS, interleaved, level, mixed, ms, silence, to_mulaw, to_pcm

LOUDEST = 32124
"""The largest sample that mu-law can hold (ITU-T G.711, table 2a, scaled to 16 bits)."""


def samples(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[at : at + 2], "little", signed=True) for at in range(0, len(pcm), 2)]


def pcm(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little", signed=True) for value in values)


def test_silence_is_the_positive_zero_of_mulaw() -> None:
    assert silence(3) == b"\xff\xff\xff"
    assert samples(to_pcm(silence(3))) == [0, 0, 0]


@pytest.mark.parametrize(("code", "sample"), [(0x80, LOUDEST), (0x00, -LOUDEST), (0xFF, 0), (0x7F, 0), (0xFE, 8), (0x7E, -8)])
def test_a_mulaw_byte_is_the_sample_that_g711_gives(code: int, sample: int) -> None:
    assert samples(to_pcm(bytes([code]))) == [sample]


def test_every_mulaw_byte_survives_decoding_and_encoding() -> None:
    codes = bytes(code for code in range(256) if code != 0x7F)  # the negative zero becomes the positive one
    assert to_mulaw(to_pcm(codes)) == codes
    assert to_mulaw(to_pcm(b"\x7f")) == b"\xff"


def test_mixing_adds_samples_and_clips_loud_sums() -> None:
    quiet, loud = to_mulaw(pcm(1000)), to_mulaw(pcm(LOUDEST))
    (doubled,) = samples(to_pcm(mixed(quiet, quiet)))
    assert abs(doubled - 2000) < 64
    assert samples(to_pcm(mixed(loud, loud))) == [LOUDEST]
    assert mixed(quiet, silence(1)) == quiet


def test_stereo_alternates_with_the_left_track_first() -> None:
    assert interleaved(b"\x01\x02\x03", b"\x04\x05\x06") == b"\x01\x04\x02\x05\x03\x06"


def test_a_tracks_duration_follows_from_its_bytes() -> None:
    assert ms(160) == 20.0
    assert ms(1) * BYTES_PER_MS == 1.0


def test_loudness_is_the_root_mean_square_of_the_samples() -> None:
    assert level(silence(160)) == 0
    steady = to_mulaw(pcm(LOUDEST, -LOUDEST) * 80)
    assert level(steady) == LOUDEST
