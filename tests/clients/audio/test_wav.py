"""WAV files of telephone audio, read back by the standard library."""

import wave
from pathlib import Path

import pytest

from clients.audio.wav import WavRecorder, save_stereo
from hub.audio import g711


def test_frames_that_were_lost_are_silence_in_the_recording(tmp_path: Path) -> None:
    recording = WavRecorder(tmp_path / "said.wav")
    recording.add(0, b"\x01" * 160)
    recording.add(3, b"\x02" * 160)
    recording.close()
    with wave.open(str(tmp_path / "said.wav")) as saved:
        mulaw = g711.to_mulaw(saved.readframes(saved.getnframes()))
    assert mulaw == b"\x01" * 160 + g711.silence(320) + b"\x02" * 160


def test_the_shorter_side_of_a_stereo_file_is_filled_up_with_silence(tmp_path: Path) -> None:
    save_stereo(tmp_path / "call.wav", b"\x01" * 3, b"\x02" * 5)
    with wave.open(str(tmp_path / "call.wav")) as saved:
        assert (saved.getnchannels(), saved.getsampwidth(), saved.getframerate(), saved.getnframes()) == (2, 2, 8000, 5)
        assert g711.to_mulaw(saved.readframes(5)) == bytes([1, 2, 1, 2, 1, 2, 255, 2, 255, 2])


def test_a_file_that_cannot_be_opened_raises_once_and_leaves_nothing_open(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        WavRecorder(tmp_path / "no" / "folder.wav")
