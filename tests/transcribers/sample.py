"""The sample call that the demo plays: the beginning of its audio, and what is said there."""

import json
from pathlib import Path

import soundfile
from whisper_normalizer.english import EnglishTextNormalizer

from hub.audio import g711
from hub.audio.g711 import Track

SAMPLE = Path(__file__).parents[2] / "clients" / "sample"

plain = EnglishTextNormalizer()
"""Words without punctuation, and numbers written in one way."""


def tracks(seconds: float) -> tuple[bytes, bytes]:
    """The beginning of the sample call, as the mu-law bytes of its two tracks."""
    pcm, rate = soundfile.read(SAMPLE / "support-call.flac", dtype="int16", frames=int(seconds * g711.SAMPLE_RATE_HZ))
    assert rate == g711.SAMPLE_RATE_HZ
    return g711.to_mulaw(pcm[:, 0].tobytes()), g711.to_mulaw(pcm[:, 1].tobytes())


def said(track: Track, seconds: float) -> list[tuple[float, float, str]]:
    """What is said on a track and over before `seconds`: start, end, text."""
    lines = json.loads((SAMPLE / "support-call.json").read_text())
    return [(line["start"], line["end"], line["text"]) for line in lines if line["track"] == track and line["end"] < seconds]
