"""A microphone for whoever wants one."""

import sys

import pytest

from tests.clients import pretend_portaudio
from tests.clients.pretend_portaudio import tone


@pytest.fixture
def pretend_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pretend device that takes only its own rate and speaks for a second."""
    monkeypatch.setitem(sys.modules, "sounddevice", pretend_portaudio)  # type: ignore[arg-type]
    for name, value in {"sound": tone(1.0, 48_000), "rate_hz": 48_000, "pace": 0.0, "unplugged": False, "absent": False}.items():
        monkeypatch.setattr(pretend_portaudio, name, value)
