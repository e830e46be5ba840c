"""A microphone and a loudspeaker for whoever wants them."""

import sys

import pytest

from tests.clients import pretend_portaudio
from tests.clients.pretend_portaudio import tone


@pytest.fixture
def pretend_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend devices that take only their own rate; one speaks for a second, the other plays when it is asked to."""
    monkeypatch.setitem(sys.modules, "sounddevice", pretend_portaudio)  # type: ignore[arg-type]
    settings = {"sound": tone(1.0, 48_000), "rate_hz": 48_000, "pace": 0.0, "unplugged": False, "absent": False}
    settings |= {"mute": False, "in_time": False, "played": bytearray(), "speakers": []}
    for name, value in settings.items():
        monkeypatch.setattr(pretend_portaudio, name, value)
