"""Which device is opened, and at which rate."""

from typing import Literal

import pytest

from clients.devices import portaudio
from tests.clients import pretend_portaudio

pytestmark = pytest.mark.usefixtures("pretend_device")


@pytest.mark.parametrize(("kind", "other"), [("input", "output"), ("output", "input")])
def test_a_device_is_opened_at_8_khz_if_that_very_side_of_it_takes_8_khz(
    kind: Literal["input", "output"], other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise pretend_portaudio.PortAudioError("Invalid sample rate")

    monkeypatch.setattr(pretend_portaudio, f"check_{kind}_settings", lambda **_: None)
    monkeypatch.setattr(pretend_portaudio, f"check_{other}_settings", refuse)
    assert portaudio.chosen(kind, None)[1] == 8000
    monkeypatch.setattr(pretend_portaudio, f"check_{kind}_settings", refuse)
    assert portaudio.chosen(kind, None)[1] == 48_000, "its own rate"


def test_a_device_is_named_by_number_or_by_a_part_of_its_name() -> None:
    assert portaudio.device("1") == 1
    assert portaudio.device("Headset 2") == "Headset 2"
