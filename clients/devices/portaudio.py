"""The sound devices of this machine, as PortAudio lists them (through `sounddevice`, the extra `mic`).

Knows how a device is named, at which rate it is opened, and what can be missing. Does not know what is spoken or played.
"""

import re
from typing import Any, Literal, TypeAlias

from hub.audio import g711

Kind: TypeAlias = Literal["input", "output"]

_NOUNS = {"input": "microphone", "output": "loudspeaker"}


class NoDevice(OSError):
    """No microphone or no loudspeaker can be used. Its text is one sentence that says what to do."""


def library() -> Any:
    """Return the module that calls PortAudio. Raises: NoDevice."""
    try:
        import sounddevice
    except ImportError as error:
        raise NoDevice("A microphone needs the extra `mic`: pip install 'transcript-hub[mic]'.") from error
    except OSError as error:  # sounddevice loads PortAudio when it is imported
        raise NoDevice(
            "PortAudio is not installed: on Debian and Ubuntu `apt install libportaudio2`, on macOS `brew install portaudio`."
        ) from error
    return sounddevice


def devices() -> str:
    """Return the list of all devices, one per line. Raises: NoDevice."""
    return str(library().query_devices())


def device(text: str) -> str | int:
    """Return a device as PortAudio takes it: a number, or a part of its name."""
    return int(text) if text.isdigit() else text


def chosen(kind: Kind, device: str | int | None) -> tuple[str, int]:
    """Return a device's name and the rate at which to open it: 8 kHz, or the device's own rate if it refuses 8 kHz.

    A `device` of None is the system's default. Raises: NoDevice, ValueError, and PortAudio's error; `refusal()` translates the last two.
    """
    portaudio = library()
    about = portaudio.query_devices(device, kind)
    check = portaudio.check_input_settings if kind == "input" else portaudio.check_output_settings
    try:
        check(device=device, channels=1, dtype="int16", samplerate=g711.SAMPLE_RATE_HZ)
    except portaudio.PortAudioError:
        return str(about["name"]), round(about["default_samplerate"])  # many devices take only their own rate
    return str(about["name"]), g711.SAMPLE_RATE_HZ


def refusal(kind: Kind, device: str | int | None, error: Exception) -> NoDevice:
    """Return an error of PortAudio as one sentence."""
    noun = _NOUNS[kind]
    what = f"No {noun} can be used here" if device is None else f"{device!r} is not a {noun} that can be used"
    return NoDevice(f"{what}: {_words(error)}. `transcript-client mic --devices` lists the devices.")


def _words(error: Exception) -> str:
    """Return PortAudio's words on one line, without its error numbers."""
    return re.sub(r"\s*\[PaErrorCode.*?]", "", " ".join(str(error).split())).rstrip(".")
