"""Reads an audio file as a telephone call: 8 kHz mu-law, the caller on the left channel, the other side on the right.

Knows file formats and channels. Does not know Twilio or sockets.
"""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import soundfile

from clients.audio import wav
from clients.audio.rates import ToTelephone
from hub.audio import g711

BLOCK_SECONDS = 10.0
"""How much audio is decoded at once. An hour of 48 kHz stereo as one array would take 1.3 GB."""


LEAST_RATE_HZ = 2000
"""Below this there is no speech in a recording. Such a rate comes from a broken header, and would make hours of seconds."""


class UnreadableFile(ValueError):
    """A file that cannot be played as a call. Its text is one sentence for the person who named the file."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call's audio: 8 kHz mu-law, one byte per sample. `outbound` is None for a mono file, otherwise as long as `inbound`."""

    inbound: bytes
    outbound: bytes | None = None

    @property
    def seconds(self) -> float:
        """Length of the call."""
        return len(self.inbound) / g711.SAMPLE_RATE_HZ


def read_call(path: str | Path, *, block_seconds: float = BLOCK_SECONDS) -> RecordedCall:
    """Read a WAV, FLAC, Ogg or MP3 file or, where ffmpeg is installed, any file that ffmpeg reads.

    A WAV file may hold mu-law, A-law, GSM or floats, and may have a header that does not know its length. 8 kHz
    16-bit and 8 kHz mu-law files are read without loss. Raises: UnreadableFile.
    """
    path = Path(path)
    if path.is_dir():
        raise UnreadableFile(f"{path} is a directory, not an audio file.")
    try:
        with path.open("rb") as opened:
            if not opened.read(1):
                raise UnreadableFile(f"{path} is empty.")
            opened.seek(0)
            completed = wav.with_length(opened)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        file = soundfile.SoundFile(path if completed is None else io.BytesIO(completed))
    except soundfile.SoundFileError:
        return _read_with_ffmpeg(path)
    with file:
        _check(path, file.channels, file.samplerate)
        try:
            return _to_call(path, _blocks(file, round(block_seconds * file.samplerate)), file.samplerate, file.channels)
        except soundfile.SoundFileError as error:
            raise UnreadableFile(f"{path} is damaged: it cannot be decoded to its end.") from error


def _blocks(file: Any, frames: int) -> Iterator[Any]:
    """Yield the file in pieces. Not by its own `blocks`, which needs a file that can be sought in: GSM and G.721 cannot."""
    # Floats, whatever the file holds: a file of floats that is read as integers comes back as zeros and ones.
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        yield block


def _read_with_ffmpeg(path: Path) -> RecordedCall:
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        problem = "is not a WAV, FLAC, Ogg or MP3 file, or it is damaged; other formats need ffmpeg, which is not installed"
        raise UnreadableFile(f"{path} {problem}.")
    # Imported only here: pydub looks for ffmpeg when it is imported, and warns where there is none.
    from pydub import AudioSegment
    from pydub.exceptions import PydubException
    from pydub.utils import mediainfo_json

    unknown = UnreadableFile(f"{path} is not audio that can be read: neither libsndfile nor ffmpeg knows its format.")
    # Checked before reading, because pydub fails on a file without an audio stream and leaves that file open.
    if not any(stream.get("codec_type") == "audio" for stream in mediainfo_json(str(path)).get("streams", [])):
        raise unknown
    try:
        segment = AudioSegment.from_file(path)
    except (PydubException, OSError) as error:
        raise unknown from error
    _check(path, segment.channels, segment.frame_rate)
    samples = numpy.frombuffer(segment.set_sample_width(2).raw_data, dtype="<i2").reshape(-1, segment.channels)
    return _to_call(path, iter([samples.astype(numpy.float32) / 32768]), segment.frame_rate, segment.channels)


def _check(path: Path, channels: int, rate_hz: int) -> None:
    if rate_hz < LEAST_RATE_HZ:
        raise UnreadableFile(f"{path} has {rate_hz} samples a second: that is no recording of speech, or its header is damaged.")
    if channels > 2:
        raise UnreadableFile(f"{path} has {channels} channels; a call has one, or two: the caller left, the other side right.")


def _to_call(path: Path, blocks: Iterator[Any], rate_hz: int, channels: int) -> RecordedCall:
    tracks = [ToTelephone(rate_hz) for _ in range(channels)]
    for block in blocks:
        for number, track in enumerate(tracks):
            track.add(block[:, number])
    inbound, *others = [track.finish() for track in tracks]
    if not inbound:
        raise UnreadableFile(f"{path} holds no sound: it has no samples.")
    return RecordedCall(inbound, others[0] if others else None)
