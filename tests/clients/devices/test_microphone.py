"""The device: its rate, its pace, and what is missing, at PortAudio's boundary."""

import asyncio
import sys
from array import array
from itertools import pairwise
from types import SimpleNamespace

import pytest

from clients.devices.microphone import Microphone, microphone
from clients.devices.portaudio import NoDevice
from hub.audio import g711
from tests.clients import pretend_portaudio
from tests.clients.pretend_portaudio import tone

pytestmark = pytest.mark.usefixtures("pretend_device")


async def spoken(device: Microphone, frames: int) -> bytes:
    """So many frames of 20 ms."""
    return b"".join([(await device.frame() or (0, b""))[1] for _ in range(frames)])


async def test_a_device_that_takes_only_its_own_rate_is_brought_to_the_telephones() -> None:
    with microphone() as device:
        heard = array("h", g711.to_pcm(await spoken(device, 45)))[1000:5000]  # half a second
    crossings = sum(before < 0 <= after for before, after in pairwise(heard))
    assert abs(crossings / 0.5 - 440) < 5
    assert 7000 < max(heard) < 9000


async def test_a_device_of_the_telephones_rate_is_passed_through(monkeypatch: pytest.MonkeyPatch) -> None:
    said = tone(0.4, 8000)
    monkeypatch.setattr(pretend_portaudio, "rate_hz", 8000)
    monkeypatch.setattr(pretend_portaudio, "sound", said)
    with microphone("Pretend") as device:
        assert await spoken(device, 20) == g711.to_mulaw(said)


async def test_frames_that_nobody_fetches_are_lost_and_numbers_show_it() -> None:
    device = Microphone(8000, "test", waiting_frames=2)
    device.record(tone(0.1, 8000), 800, None, None)
    await asyncio.sleep(0)
    assert [(await device.frame() or (0,))[0] for _ in range(2)] == [0, 1]
    device.record(tone(0.02, 8000), 160, None, None)
    await asyncio.sleep(0)
    assert (await device.frame() or (0,))[0] == 5
    assert device.lost == 3


async def test_a_device_that_was_closed_by_us_has_not_vanished() -> None:
    with microphone() as device:
        await device.frame()
    await asyncio.sleep(0)
    assert not device.vanished


async def test_each_missing_part_is_one_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def why(device: str | int | None = None) -> str:
        with pytest.raises(NoDevice) as error, microphone(device):
            pass
        return str(error.value)

    assert why("Nothing") == (
        "'Nothing' is not a microphone that can be used: No input device matching 'Nothing'. "
        "`transcript-client mic --devices` lists the devices."
    )
    monkeypatch.setattr(pretend_portaudio, "absent", True)
    assert why().startswith("No microphone can be used here: Error querying device -1.")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert why() == "A microphone needs the extra `mic`: pip install 'transcript-hub[mic]'."


async def test_samples_that_the_device_threw_away_are_counted() -> None:
    device = Microphone(8000, "test")
    for overflowed in (False, True, True):
        device.record(tone(0.02, 8000), 160, None, SimpleNamespace(input_overflow=overflowed))
    await asyncio.sleep(0)
    assert device.overflows == 2


async def test_nothing_is_recorded_after_hanging_up_and_what_was_spoken_before_is_still_there() -> None:
    device = Microphone(8000, "test")
    device.record(tone(0.02, 8000), 160, None, None)
    await asyncio.sleep(0)
    device.hang_up()
    device.record(tone(0.02, 8000), 160, None, SimpleNamespace(input_overflow=True))
    await asyncio.sleep(0)
    assert (await device.frame() or (None,))[0] == 0
    assert await device.frame() is None
    assert (device.overflows, device.vanished) == (0, False)


async def test_a_device_that_stops_by_itself_has_vanished() -> None:
    device = Microphone(8000, "test")
    await asyncio.to_thread(device.ended)
    assert await device.frame() is None
    assert device.vanished
    assert device.loss == "test delivers no more sound: it was unplugged, or another program took it."
