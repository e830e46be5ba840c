"""The sound of what is masked: silent in the recording on its side, and for those who listen while it is said."""

import struct
from pathlib import Path

import pytest

from hub.audio.g711 import silence, to_pcm
from hub.events import Final, Word
from hub.insight.redaction.redaction import Redaction
from hub.recordings import recordings as hub_recordings
from hub.recordings.recording import Recording
from hub.recordings.spool import Spool
from hub.recordings.spool_thread import SpoolClosed, SpoolNews, SpoolThread
from hub.transcribers.utterances import Recognized, RecognizedWord
from tests.house import house
from tests.insight.redaction.spoken import EVERYTHING
from tests.media import CALL, stop
from tests.recordings.shelf import in_directory
from tests.recordings.sounds import block, expected, recorded
from tests.recordings.test_recorded_calls import fetched, reader, spoken, tracks, wanted


def muted(track: bytes, start_ms: int, end_ms: int, silent: bytes) -> bytes:
    """Return 8-bit or 16-bit samples of a track with silence in a stretch."""
    width = len(silent)
    return track[: start_ms * 8 * width] + silent * ((end_ms - start_ms) * 8) + track[end_ms * 8 * width :]


def said(text: str, start: float = 1.0) -> Recognized:
    """Half a second for each word."""
    words = [RecognizedWord(word, start + number * 0.5, start + number * 0.5 + 0.5) for number, word in enumerate(text.split())]
    return Recognized("inbound", start, words[-1].end, text, settled=True, closes=True, words=tuple(words))


async def test_a_masked_number_is_silent_in_the_recording_on_the_side_that_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_recordings, "SETTLE_SECONDS", 0.0)
    async with house(archive=str(tmp_path / "calls.db"), redact_kinds="digits", **in_directory(tmp_path)) as home:
        socket = await home.call()
        follower = await reader(home)
        await spoken(home, socket, (0, 6000))
        home.transcribers[0].hear(said("it is 4111 1111 thanks"))  # 4111 is said from 2.0 s on, 1111 up to 3.0 s
        assert (await follower.until("final"))["text"] == "it is [number] thanks"
        await socket.send_str(stop())
        await follower.until("recording-stored")
        inbound, outbound = tracks((await fetched(home))[1])
    whole, other = wanted(6000, (0, 6000))
    assert inbound == muted(whole, 1800, 3200, to_pcm(silence(1)))
    assert outbound == other, "the other side can be heard"


def written(tmp_path: Path, *, mute_after: int) -> tuple[bytes, bytes]:
    """Record three seconds, of which the second is muted once so many blocks have come. Return both tracks."""
    closed: list[SpoolNews] = []
    spool, thread = Spool(tmp_path), SpoolThread(closed.append, flush_seconds=0.001)
    recording = Recording(CALL, spool.new_path(CALL), lambda lost: None)
    thread.add(recording)
    thread.start()
    for number in range(30):
        if number == mute_after:
            recording.mute("outbound", 1000.0, 2000.0)
        recording.take(block(number * 100))
    if mute_after >= 30:
        recording.mute("outbound", 1000.0, 2000.0)
    thread.end(recording, 3000.0)
    while not any(isinstance(news, SpoolClosed) for news in closed):
        thread.hurry()
    thread.stop()
    return recorded(spool)


@pytest.mark.parametrize("mute_after", [0, 15, 30])
def test_a_stretch_is_taken_out_whether_it_is_written_or_comes_later(tmp_path: Path, mute_after: int) -> None:
    inbound, outbound = expected((0, 3000), end_ms=3000)
    assert written(tmp_path, mute_after=mute_after) == (inbound, muted(outbound, 1000, 2000, silence(1)))


def test_without_times_of_words_the_whole_utterance_is_silent() -> None:
    final = Final(
        call_sid="CA1", utterance="u1", revision=1, track="inbound", speaker="caller", text="it is [card]", start=2.0, end=4.0, words=[]
    )
    assert Redaction(EVERYTHING).masked_seconds(final) == [(1.8, 4.2)]


def test_a_final_in_which_nothing_is_masked_stays_audible() -> None:
    words = [Word(text="hello", start=0.0, end=1.0)]
    final = Final(
        call_sid="CA1", utterance="u1", revision=1, track="inbound", speaker="caller", text="hello", start=0.0, end=1.0, words=words
    )
    assert Redaction(EVERYTHING).masked_seconds(final) == []


async def test_who_listens_does_not_hear_a_side_while_it_reads_out_a_number() -> None:
    async with house(redact_kinds="digits", listen=True) as home:
        socket = await home.call()
        follower = await reader(home)
        await follower.until("call-started")
        listener = await home.open("/client")
        await listener.receive()
        await listener.send_json({"action": "listen", "callSid": CALL})
        while (await listener.receive_json())["type"] != "listening":
            pass
        script = home.transcribers[0]
        await spoken(home, socket, (0, 500))
        script.interim("my number is 4 1 1")
        await spoken(home, socket, (500, 1000))
        script.interim("my number is 4 1 1 1 5, that is all of it")
        await spoken(home, socket, (1000, 1500))
        await socket.send_str(stop())
        heard = b""
        while len(heard) < 2 * 8 * 1500:
            message = await listener.receive()
            if isinstance(message.data, bytes):
                assert struct.unpack_from(">I", message.data, 4)[0] == len(heard) // 16
                heard += message.data[8:]
    inbound, outbound = expected((0, 1500), end_ms=1500)
    assert heard[1::2] == outbound
    assert heard[0::2] == muted(inbound, 500, 1000, silence(1))
