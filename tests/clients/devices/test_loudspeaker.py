"""The device that plays: order, pace, what is missing and what ends, at PortAudio's boundary."""

import asyncio
import sys
import threading
from array import array
from collections.abc import Iterator

import numpy
import pytest

from clients.audio.frames import FRAME_BYTES
from clients.audio.rates import STEADY_DELAY_MS
from clients.devices.loudspeaker import MOST_MS, STEADY_MS, Loudspeaker, loudspeaker
from clients.devices.portaudio import NoDevice
from hub.audio import g711
from tests.clients import pretend_portaudio
from tests.clients.pretend_portaudio import RawOutputStream, tone

pytestmark = pytest.mark.usefixtures("pretend_device")

SILENCE = g711.silence(FRAME_BYTES)


@pytest.fixture
def narrow(pretend_device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device of the telephone's rate."""
    monkeypatch.setattr(pretend_portaudio, "rate_hz", 8000)


def frames(seconds: float) -> Iterator[bytes]:
    """Speech, as an agent's line gives it."""
    mulaw = g711.to_mulaw(tone(seconds, 8000))
    return (mulaw[at : at + FRAME_BYTES] for at in range(0, len(mulaw), FRAME_BYTES))


def played() -> bytes:
    """All that reached the device, from the first sound to the last."""
    return bytes(pretend_portaudio.played).strip(b"\0")


def device() -> RawOutputStream:
    (only,) = pretend_portaudio.speakers
    return only


@pytest.mark.usefixtures("narrow")
async def test_what_is_heard_reaches_the_device_to_the_sample_and_in_order() -> None:
    heard = list(frames(0.5))
    with loudspeaker("Pretend", pytest.fail) as speaker:
        for frame in heard:
            speaker.play(frame)
            device().ask()
        device().ask(5)
    assert played() == g711.to_pcm(b"".join(heard)).strip(b"\0")


@pytest.mark.usefixtures("narrow")
async def test_a_frame_that_comes_late_is_preceded_by_silence_and_nothing_is_lost() -> None:
    early, late = list(frames(0.2)), list(frames(0.2))
    with loudspeaker(None, pytest.fail) as speaker:
        for number, frame in enumerate(early + late):
            if number == len(early):
                device().ask(10)  # nothing came for 200 ms
            speaker.play(frame)
            device().ask()
        device().ask(5)
    first, _, second = bytes(pretend_portaudio.played).strip(b"\0").partition(b"\0" * 640)
    assert first + second.lstrip(b"\0") == g711.to_pcm(b"".join(early)).lstrip(b"\0") + g711.to_pcm(b"".join(late)).strip(b"\0")


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 44_100, 48_000])
async def test_a_device_that_takes_only_its_own_rate_is_given_that_and_no_tin(rate_hz: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretend_portaudio, "rate_hz", rate_hz)
    mulaw = g711.to_mulaw(tone(1.0, 8000, hertz=3000))
    with loudspeaker(None, pytest.fail) as speaker:
        for at in range(0, len(mulaw), FRAME_BYTES):
            speaker.play(mulaw[at : at + FRAME_BYTES])
            device().ask()
        device().ask(3)
    middle = numpy.array(array("h", played()))[rate_hz // 4 : rate_hz // 4 + rate_hz // 2]
    strength = numpy.abs(numpy.fft.rfft(middle * numpy.hanning(len(middle))))
    at_hz = numpy.fft.rfftfreq(len(middle), 1 / rate_hz)
    assert at_hz[strength.argmax()] == pytest.approx(3000, abs=2)
    assert max(middle) == pytest.approx(8000, rel=0.1)
    assert strength[at_hz > 4100].max() < strength.max() / 100  # 40 dB below: the mirror image would be at 5000 Hz


@pytest.mark.usefixtures("narrow")
async def test_a_pause_after_a_burst_is_shorter_so_that_what_follows_is_in_time_again() -> None:
    with loudspeaker(None, pytest.fail) as speaker:
        for frame in list(frames(0.12)):  # all at once
            speaker.play(frame)
        for _ in range(10):
            speaker.play(SILENCE)
            device().ask()
        assert speaker.waiting_ms <= STEADY_MS


@pytest.mark.usefixtures("narrow")
async def test_a_device_that_stalls_is_told_of_once_and_nothing_grows() -> None:
    told: list[str] = []
    speech = list(frames(10.0))
    with loudspeaker(None, told.append) as speaker:
        for frame in speech:
            speaker.play(frame)
            assert speaker.waiting_ms <= MOST_MS
        assert told == ["Pretend loudspeaker plays no more: it was unplugged, or another program took it. The call goes on."]
        device().ask(6)  # it comes back
    assert played() == g711.to_pcm(b"".join(speech[-6:])).strip(b"\0")  # the newest


@pytest.mark.usefixtures("narrow")
async def test_a_device_that_has_nothing_to_play_has_not_stalled() -> None:
    with loudspeaker(None, pytest.fail) as speaker:
        for _ in range(1000):
            speaker.play(SILENCE)


async def test_a_device_that_is_unplugged_is_told_of_once() -> None:
    told: list[str] = []
    with loudspeaker(None, told.append) as speaker:
        await asyncio.to_thread(device().unplug)
        await asyncio.sleep(0)
        for frame in frames(10.0):
            speaker.play(frame)
    await asyncio.sleep(0)
    assert len(told) == 1


async def test_a_device_that_we_close_is_closed_and_not_told_of() -> None:
    with loudspeaker(None, pytest.fail):
        pass
    await asyncio.sleep(0)
    assert device().closed


async def test_a_device_that_never_finishes_is_left_behind() -> None:
    pretend_portaudio.stuck.set()
    with loudspeaker(None, pytest.fail, closing_seconds=0.05):
        pass
    assert not device().closed
    pretend_portaudio.stuck.clear()
    while not device().closed:
        await asyncio.sleep(0.005)


async def test_nobody_is_told_after_the_call() -> None:
    def speaker() -> Loudspeaker:
        async def opened() -> Loudspeaker:
            return Loudspeaker(8000, "test", pytest.fail)

        return asyncio.run(opened())

    late = await asyncio.to_thread(speaker)  # its loop is closed
    thread = threading.Thread(target=late.ended)
    thread.start()
    thread.join()


async def test_each_missing_part_is_one_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def why(name: str | int | None = None) -> str:
        with pytest.raises(NoDevice) as error, loudspeaker(name, pytest.fail):
            pass
        return str(error.value)

    assert why("Nothing") == (
        "'Nothing' is not a loudspeaker that can be used: No output device matching 'Nothing'. "
        "`transcript-client mic --devices` lists the devices."
    )
    monkeypatch.setattr(pretend_portaudio, "mute", True)
    assert why().startswith("No loudspeaker can be used here: Error querying device -1.")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "needs the extra `mic`" in why()


async def test_a_device_that_does_not_start_is_closed_and_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RawOutputStream] = []

    def busy(stream: RawOutputStream) -> None:
        opened.append(stream)
        raise pretend_portaudio.PortAudioError("Error starting stream: Device unavailable [PaErrorCode -9985]")

    monkeypatch.setattr(RawOutputStream, "start", busy)
    monkeypatch.setattr(RawOutputStream, "stop", lambda _: None)  # PortAudio's own is content with a stream that never started
    with pytest.raises(NoDevice, match="No loudspeaker can be used here: Error starting stream: Device unavailable"):  # noqa: SIM117
        with loudspeaker(None, pytest.fail):
            pass
    assert opened[0].closed


@pytest.mark.usefixtures("narrow")
async def test_a_device_that_is_late_now_and_then_is_not_gone() -> None:
    with loudspeaker(None, pytest.fail) as speaker:
        for _ in range(4):
            for frame in frames(1.5):  # nearly all of it is dropped, but less than what a device that is gone would drop
                speaker.play(frame)
            device().ask()


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
async def test_what_waits_and_the_resamplers_delay_are_together_no_more_than_promised(
    rate_hz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretend_portaudio, "rate_hz", rate_hz)
    with loudspeaker(None, pytest.fail) as speaker:
        for frame in frames(1.0):
            speaker.play(frame)
        assert speaker.waiting_ms + STEADY_DELAY_MS == MOST_MS


@pytest.mark.usefixtures("narrow")
async def test_once_it_ran_dry_the_device_waits_for_a_full_start_again() -> None:
    with loudspeaker(None, pytest.fail) as speaker:
        for frame in frames(0.06):
            speaker.play(frame)
        device().ask(4)
        pretend_portaudio.played.clear()
        speaker.play(next(frames(0.02)))
        device().ask()
        assert not pretend_portaudio.played.strip(b"\0"), "20 ms are not enough to start with"
