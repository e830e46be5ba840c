"""The machine's sound devices, as PortAudio shows them (by `sounddevice`, the extra `mic`).

Knows how one is named, at which rate to open it, and what can be missing. Knows nothing of what is spoken or heard.
"""

import re
from typing import Any, Literal, TypeAlias

from hub.audio import g711

Kind: TypeAlias = Literal["input", "output"]

_NOUNS = {"input": "microphone", "output": "loudspeaker"}


class NoDevice(OSError):
    """There is nothing to listen with, or nothing to play on; its text is one sentence that says what to do."""


def library() -> Any:
    """Return the module that speaks to PortAudio. Raises: NoDevice."""
    try:
        import sounddevice
    except ImportError as error:
        raise NoDevice("A microphone needs the extra `mic`: pip install 'transcript-hub[mic]'.") from error
    except OSError as error:  # it looks for the library when it is imported
        raise NoDevice(
            "PortAudio is not installed: on Debian and Ubuntu `apt install libportaudio2`, on macOS `brew install portaudio`."
        ) from error
    return sounddevice


def devices() -> str:
    """Return what PortAudio can listen to and play on, a line each. Raises: NoDevice."""
    return str(library().query_devices())


def device(text: str) -> str | int:
    """Return what somebody calls a device: its number, or a part of its name."""
    return int(text) if text.isdigit() else text


def chosen(kind: Kind, device: str | int | None) -> tuple[str, int]:
    """Return a device's name and the rate to open it at: the telephone's, or its own where it refuses that.

    None is the machine's own choice. Raises: NoDevice, ValueError and PortAudio's error, for `refusal()`.
    """
    portaudio = library()
    about = portaudio.query_devices(device, kind)
    takes = portaudio.check_input_settings if kind == "input" else portaudio.check_output_settings
    try:
        takes(device=device, channels=1, dtype="int16", samplerate=g711.SAMPLE_RATE_HZ)
    except portaudio.PortAudioError:
        return str(about["name"]), round(about["default_samplerate"])  # many take only their own
    return str(about["name"]), g711.SAMPLE_RATE_HZ


def refusal(kind: Kind, device: str | int | None, error: Exception) -> NoDevice:
    """Return PortAudio's refusal of a device as a sentence."""
    noun = _NOUNS[kind]
    what = f"No {noun} can be used here" if device is None else f"{device!r} is no {noun} that can be used"
    return NoDevice(f"{what}: {_words(error)}. `transcript-client mic --devices` lists what there is.")


def _words(error: Exception) -> str:
    """Return PortAudio's words without its numbers, on one line."""
    return re.sub(r"\s*\[PaErrorCode.*?]", "", " ".join(str(error).split())).rstrip(".")
