"""Files in, telephone tracks out. The files are written here, by libsndfile or by ffmpeg."""

import json
import math
import shutil
import struct
import subprocess
from pathlib import Path

import numpy
import pytest
import soundfile

from clients.audio.files import UnreadableFile, read_call
from clients.sample import SAMPLE
from hub.audio import g711


def tone(hz: float, rate_hz: int = 8000, seconds: float = 1.0, amplitude: float = 0.5) -> numpy.ndarray:
    return amplitude * numpy.sin(2 * math.pi * hz * numpy.arange(round(rate_hz * seconds)) / rate_hz)


def heard(mulaw: bytes, hz: float) -> float:
    """How loud one frequency is, 0-1, in the middle of a track."""
    samples = numpy.frombuffer(g711.to_pcm(mulaw), "<i2")[800:-800] / 32768
    turning = numpy.exp(-2j * math.pi * hz * numpy.arange(len(samples)) / 8000)
    return float(2 * abs(numpy.dot(samples, turning)) / len(samples))


def test_left_is_inbound_and_right_is_outbound(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, numpy.stack([tone(400), tone(1000)], axis=1), 8000)
    call = read_call(path)
    assert call.outbound is not None
    assert len(call.inbound) == len(call.outbound) == 8000
    assert call.seconds == 1.0
    assert heard(call.inbound, 400) > 0.49 > 0.01 > heard(call.inbound, 1000)
    assert heard(call.outbound, 1000) > 0.49 > 0.01 > heard(call.outbound, 400)


def test_a_mono_file_is_the_caller_alone(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tone(400), 8000)
    call = read_call(path)
    assert call.outbound is None
    assert heard(call.inbound, 400) > 0.49


def test_mulaw_at_8_khz_comes_through_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    mulaw = bytes(code for code in range(256) if code != 0x7F) * 30  # 0x7F is the other zero: no decoder tells it from 0xFF
    samples = numpy.frombuffer(g711.to_pcm(mulaw), "<i2")
    soundfile.write(path, samples, 8000, subtype="ULAW")
    assert read_call(path).inbound == mulaw


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_a_sample_format_does_not_change_the_level(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tone(400), 8000, subtype=subtype)
    assert heard(read_call(path).inbound, 400) == pytest.approx(0.5, abs=0.02)


def test_too_loud_floats_are_clipped_and_do_not_wrap_around(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, tone(400, amplitude=4.0), 8000, subtype="FLOAT")
    assert heard(read_call(path).inbound, 400) > 0.9


@pytest.mark.parametrize("rate_hz", [11025, 16000, 22050, 44100, 48000])
def test_a_higher_rate_keeps_speech_and_its_time_and_folds_nothing_back(tmp_path: Path, rate_hz: int) -> None:
    path = tmp_path / "studio.flac"
    too_high_hz = 5200  # would come back at 2800
    click = numpy.zeros(rate_hz)
    click[rate_hz // 2] = 0.9
    soundfile.write(path, numpy.stack([tone(1000, rate_hz) + tone(too_high_hz, rate_hz, amplitude=0.3), click], axis=1), rate_hz)
    call = read_call(path)
    assert call.outbound is not None
    assert abs(call.seconds - 1.0) < 0.001
    assert heard(call.inbound, 1000) == pytest.approx(0.5, abs=0.005)
    assert heard(call.inbound, 2800) < 0.0005
    loudest = int(numpy.abs(numpy.frombuffer(g711.to_pcm(call.outbound), "<i2")).argmax())
    assert abs(loudest - 4000) <= 1


def test_a_lower_rate_is_brought_up_without_a_mirror_image(tmp_path: Path) -> None:
    path = tmp_path / "dictaphone.wav"
    soundfile.write(path, tone(2300, 6000), 6000)
    call = read_call(path)
    assert abs(call.seconds - 1.0) < 0.001
    assert heard(call.inbound, 2300) == pytest.approx(0.5, abs=0.005)
    assert heard(call.inbound, 6000 - 2300) < 0.001


def test_blocks_join_without_a_seam(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(700, 44100, seconds=3.3), 44100)
    assert read_call(path, block_seconds=0.1) == read_call(path, block_seconds=60)


def test_a_file_shorter_than_the_filter_is_still_a_call(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, tone(1000, 48000, seconds=0.001), 48000)
    assert 6 <= len(read_call(path).inbound) <= 9


@pytest.mark.parametrize(("suffix", "options"), [("ogg", {"subtype": "VORBIS"}), ("mp3", {})])
def test_compressed_files_are_read_without_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, options: dict[str, str]
) -> None:
    path = tmp_path / f"call.{suffix}"
    soundfile.write(path, numpy.stack([tone(400, 16000), tone(1000, 16000)], axis=1), 16000, **options)
    monkeypatch.setenv("PATH", "")
    assert heard(read_call(path).inbound, 400) > 0.45


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_what_only_ffmpeg_reads_is_read_by_ffmpeg(tmp_path: Path) -> None:
    wav, m4a = tmp_path / "call.wav", tmp_path / "call.m4a"
    soundfile.write(wav, numpy.stack([tone(400, 44100), tone(1000, 44100)], axis=1), 44100)
    subprocess.run(["ffmpeg", "-v", "error", "-i", wav, m4a], check=True)
    call = read_call(m4a)
    assert call.outbound is not None
    assert heard(call.inbound, 400) > 0.4 > 0.05 > heard(call.inbound, 1000)
    assert heard(call.outbound, 1000) > 0.4 > 0.05 > heard(call.outbound, 400)


def test_a_file_that_is_no_audio_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a call.\n" * 200)
    with pytest.raises(UnreadableFile) as refusal:
        read_call(path)
    assert "notes.txt" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_ffmpeg_the_sentence_says_that_ffmpeg_might_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "call.m4a"
    path.write_bytes(bytes(1000))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableFile, match="need ffmpeg, which is not installed"):
        read_call(path)


def test_a_missing_file_a_directory_and_an_empty_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "header.wav", numpy.zeros(0), 8000)
    for name, words in (
        ("nowhere.wav", "No such file"),
        (".", "directory"),
        ("empty.wav", "is empty"),
        ("header.wav", "no sound"),
    ):
        with pytest.raises(UnreadableFile, match=words):
            read_call(tmp_path / name)


def test_more_than_two_channels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "studio.wav"
    soundfile.write(path, numpy.zeros((800, 6)), 8000)
    with pytest.raises(UnreadableFile, match="6 channels"):
        read_call(path)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "call.flac"
    soundfile.write(path, tone(400, seconds=4.0), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(200) + b"\x55" * 4000)
    with pytest.raises(UnreadableFile, match="damaged"):
        read_call(path)


def test_the_shipped_call_is_what_its_script_says() -> None:
    call = read_call(SAMPLE)
    lines = json.loads(SAMPLE.with_suffix(".json").read_text())
    assert call.outbound is not None
    assert 50 <= call.seconds <= 65
    assert SAMPLE.stat().st_size < 1_000_000
    assert {line["track"] for line in lines} == {"inbound", "outbound"}
    assert max(line["end"] for line in lines) < call.seconds
    for line in lines:
        mulaw = call.inbound if line["track"] == "inbound" else call.outbound
        spoken = mulaw[round(line["start"] * 8000) : round(line["end"] * 8000)]
        assert loudness_dbfs(spoken) > -26, line
    # Before anybody speaks there is the noise of a line, not digital silence.
    assert -65 < loudness_dbfs(call.inbound[:4000]) < -50


def loudness_dbfs(mulaw: bytes) -> float:
    samples = numpy.frombuffer(g711.to_pcm(mulaw), "<i2") / 32768
    return float(10 * numpy.log10(numpy.mean(samples**2)))


def header(size: int, data_size: int, *chunks: bytes, rate_hz: int = 8000) -> bytes:
    """A WAV file's beginning, mono 16-bit, with the sizes that it claims; other chunks may stand before the samples."""
    about = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz, 2, 16)
    return b"RIFF" + struct.pack("<I", size) + b"WAVE" + about + b"".join(chunks) + b"data" + struct.pack("<I", data_size)


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "ALAW", "ULAW", "PCM_24", "PCM_U8", "IMA_ADPCM", "DOUBLE"])
def test_a_wav_file_may_hold_any_encoding(subtype: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", tone(400), 8000, subtype=subtype)
    call = read_call(tmp_path / "call.wav", block_seconds=0.3)
    assert 1.0 <= call.seconds < 1.1
    assert heard(call.inbound, 400) > 0.45


@pytest.mark.parametrize(("size", "data_size"), [(0, 0), (36, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0x7FFFFFFF), (0, 0xFFFFFFFF)])
def test_a_wav_file_that_was_written_as_a_stream_is_read_to_its_end(size: int, data_size: int, tmp_path: Path) -> None:
    samples = numpy.rint(tone(400) * 32767).astype("<i2").tobytes()
    note = b"LIST" + struct.pack("<I", 5) + b"INFO\0" + b"\0"
    (tmp_path / "call.wav").write_bytes(header(size, data_size, note) + samples)
    call = read_call(tmp_path / "call.wav")
    assert call.seconds == 1.0
    assert heard(call.inbound, 400) > 0.45


def test_a_wav_file_without_samples_has_no_sound_even_if_other_chunks_follow(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(header(0, 0) + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(UnreadableFile, match="no sound"):
        read_call(tmp_path / "call.wav")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_samples_that_are_no_numbers_are_silent_and_harm_no_others(rate_hz: int, tmp_path: Path) -> None:
    samples = tone(400, rate_hz)
    samples[100:200], samples[300], samples[301] = math.nan, math.inf, -math.inf
    soundfile.write(tmp_path / "call.wav", samples, rate_hz, subtype="FLOAT")
    call = read_call(tmp_path / "call.wav")
    assert call.seconds == 1.0
    assert heard(call.inbound, 400) > 0.45


def test_an_mp3_file_may_be_called_wav(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.mp3", tone(400), 8000)
    (tmp_path / "call.mp3").rename(tmp_path / "call.wav")
    assert heard(read_call(tmp_path / "call.wav").inbound, 400) > 0.45


def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(header(36 + 16000, 16000, rate_hz=1) + bytes(16000))
    with pytest.raises(UnreadableFile, match="has 1 samples a second"):
        read_call(tmp_path / "call.wav")


def test_a_wav_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(header(36 + 16000, 16000) + bytes(999))
    assert read_call(tmp_path / "call.wav").seconds == pytest.approx(499 / 8000)
