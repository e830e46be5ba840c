"""Reads an audio file into a telephone call's two tracks: 8 kHz mu-law, the caller on the left, the other side on the right.

Knows files, sample rates and channels, and the way back to a device's rate. Knows nothing of Twilio or of sockets.
"""

import audioop
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import soundfile

from hub.audio import g711

TELEPHONE_BAND_HZ = 3700
"""Where the filter before resampling is 6 dB down: above the 3400 Hz that telephones carry, below the 4000 Hz that would fold back."""

FILTER_MS = 4
"""Length of that filter: steep enough that what folds back into speech is 40 dB down, short enough not to smear it."""

BLOCK_SECONDS = 10
"""How much is decoded at once: an hour of studio stereo would be 1.3 GB as one array."""


class UnreadableSound(ValueError):
    """A file that no call can be made of; its text is one sentence for the person who named the file."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A call's audio, mu-law 8 kHz, one byte a sample. `outbound` is None for a mono file, else as long as `inbound`."""

    inbound: bytes
    outbound: bytes | None = None

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.inbound) / g711.SAMPLE_RATE_HZ


def read_call(path: str | Path) -> Sound:
    """Read a WAV (also mu-law), FLAC, Ogg or MP3 file, or with ffmpeg installed whatever ffmpeg reads.

    8 kHz 16-bit and 8 kHz mu-law come through without loss. Raises: UnreadableSound.
    """
    path = Path(path)
    if path.is_dir():
        raise UnreadableSound(f"{path} is a directory, not an audio file.")
    try:
        path.open("rb").close()
    except OSError as exc:
        raise UnreadableSound(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    try:
        file = soundfile.SoundFile(path)
    except soundfile.SoundFileError:
        return _read_with_ffmpeg(path)
    with file:
        _refuse_crowds(path, file.channels)
        # Floats whatever the file holds: read as integers, a file of floats comes back as zeros and ones.
        blocks = file.blocks(BLOCK_SECONDS * file.samplerate, dtype="float32", always_2d=True)
        try:
            return _to_call(path, blocks, file.samplerate, file.channels)
        except soundfile.SoundFileError as exc:
            raise UnreadableSound(f"{path} is damaged: it could not be decoded to its end.") from exc


def _read_with_ffmpeg(path: Path) -> Sound:
    # Imported only here: pydub looks for ffmpeg when it is imported, and warns when there is none.
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise UnreadableSound(f"{path} is not a WAV, FLAC, Ogg or MP3 file; other formats need ffmpeg, which is not installed.")
    from pydub import AudioSegment
    from pydub.exceptions import PydubException
    from pydub.utils import mediainfo_json

    unknown = UnreadableSound(f"{path} is not audio that can be read: neither libsndfile nor ffmpeg knows its format.")
    # Asked first, because pydub's own reading stumbles over a file without an audio stream and leaves it open.
    if not any(stream.get("codec_type") == "audio" for stream in mediainfo_json(str(path)).get("streams", [])):
        raise unknown
    try:
        segment = AudioSegment.from_file(path)
    except (PydubException, OSError) as exc:
        raise unknown from exc
    _refuse_crowds(path, segment.channels)
    samples = numpy.frombuffer(segment.set_sample_width(2).raw_data, dtype="<i2").reshape(-1, segment.channels)
    return _to_call(path, iter([samples.astype(numpy.float32) / 32768]), segment.frame_rate, segment.channels)


def _refuse_crowds(path: Path, channels: int) -> None:
    if channels > 2:
        raise UnreadableSound(f"{path} has {channels} channels; a call has one, or two: the caller left, the other side right.")


def _to_call(path: Path, blocks: Iterator[Any], rate_hz: int, channels: int) -> Sound:
    tracks = [Narrowing(rate_hz) for _ in range(channels)]
    for block in blocks:
        for number, track in enumerate(tracks):
            track.take(block[:, number])
    inbound, *others = [track.finish() for track in tracks]
    if not inbound:
        raise UnreadableSound(f"{path} holds no sound: it has no samples.")
    return Sound(inbound, others[0] if others else None)


class Narrowing:
    """One channel on its way to 8 kHz mu-law, block by block."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._taps = _low_pass(rate_hz) if rate_hz > g711.SAMPLE_RATE_HZ else None  # the filter; None: nothing could fold back
        self._before = numpy.zeros(0 if self._taps is None else len(self._taps) // 2, numpy.float32)  # samples the filter still needs
        self._resampling: Any = None  # audioop's state between blocks
        self._mulaw = bytearray()

    def take(self, samples: Any) -> None:
        """Convert floats between -1 and 1; what is outside is clipped."""
        if self._taps is not None:
            samples = numpy.concatenate([self._before, samples])
            if len(samples) < len(self._taps):
                self._before = samples
                return
            self._before = samples[1 - len(self._taps) :]
            samples = numpy.convolve(samples, self._taps, mode="valid")
        pcm = numpy.clip(numpy.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()
        if self._rate_hz != g711.SAMPLE_RATE_HZ:
            # audioop interpolates between neighbours and does not filter: without the low-pass, an s would fold into the vowels.
            pcm, self._resampling = audioop.ratecv(pcm, 2, 1, self._rate_hz, g711.SAMPLE_RATE_HZ, self._resampling)
        self._mulaw += g711.to_mulaw(pcm)

    def ready(self, size_bytes: int) -> bytes | None:
        """Remove and return so many bytes of what was converted; None while there are fewer."""
        if len(self._mulaw) < size_bytes:
            return None
        ready = bytes(self._mulaw[:size_bytes])
        del self._mulaw[:size_bytes]
        return ready

    def finish(self) -> bytes:
        """Return the rest, the filter's tail included: the whole track where nothing was removed before."""
        if self._taps is not None:
            self.take(numpy.zeros(len(self._taps) // 2, numpy.float32))
        return bytes(self._mulaw)


class Widening:
    """One channel of 8 kHz mu-law on its way to a device's rate, 16-bit, block by block; 2 ms late where the rate is another."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._times = -(-rate_hz // g711.SAMPLE_RATE_HZ)
        """The whole number of times that the rate is raised; audioop lowers it from there: it interpolates well what is so much denser."""
        self._taps = _low_pass(self._times * g711.SAMPLE_RATE_HZ) * self._times
        self._before = numpy.zeros(len(self._taps) - 1, numpy.float32)  # samples the filter still needs
        self._resampling: Any = None  # audioop's state between blocks

    def take(self, mulaw: bytes) -> bytes:
        """Convert a block."""
        pcm = g711.to_pcm(mulaw)
        if self._rate_hz == g711.SAMPLE_RATE_HZ:
            return pcm
        # Zeros between the samples, and a filter that takes away the mirror images of speech, which would sound like tin.
        samples = numpy.zeros(len(mulaw) * self._times, numpy.float32)
        samples[:: self._times] = numpy.frombuffer(pcm, "<i2")
        samples = numpy.concatenate([self._before, samples])
        self._before = samples[1 - len(self._taps) :]
        pcm = numpy.clip(numpy.rint(numpy.convolve(samples, self._taps, mode="valid")), -32768, 32767).astype("<i2").tobytes()
        raised_hz = self._times * g711.SAMPLE_RATE_HZ
        if raised_hz != self._rate_hz:
            pcm, self._resampling = audioop.ratecv(pcm, 2, 1, raised_hz, self._rate_hz, self._resampling)
        return pcm


def _low_pass(rate_hz: int) -> Any:
    """Return a windowed-sinc filter of odd length, so that it delays by whole samples, which `Narrowing` takes back."""
    half = max(1, rate_hz * FILTER_MS // 2000)
    position = numpy.arange(-half, half + 1)
    width = 2 * TELEPHONE_BAND_HZ / rate_hz
    taps = numpy.sinc(position * width) * numpy.hamming(2 * half + 1)
    return (taps / taps.sum()).astype(numpy.float32)
