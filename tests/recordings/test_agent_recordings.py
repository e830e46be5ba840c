"""The recording of a call that an agent answers: the agent's voice is in it as the caller heard it."""

from pathlib import Path

import pytest

from hub.agents.voice_model import AgentAudio, AgentAudioDone, AgentText, CallerSpeechStarted, ResponseEnded, ResponseStarted
from hub.events import Final
from hub.recordings.recording import Recording
from tests.calls.agent_desk import desk
from tests.calls.answering import speech


def sides(recording: Recording) -> tuple[bytes, bytes]:
    """Both tracks of what was handed to a recording that nobody wrote."""
    assert all(one.end_ms == next_one.start_ms for one, next_one in zip(recording.waiting, list(recording.waiting)[1:], strict=False))
    return b"".join(block.inbound for block in recording.waiting), b"".join(block.outbound for block in recording.waiting)


@pytest.mark.parametrize("late_ms", [0, 100, 240])
async def test_the_agents_voice_is_recorded_whole_and_where_its_words_are(tmp_path: Path, late_ms: int) -> None:
    """Twilio's marks come back late. Pieces follow each other all the same."""
    async with desk() as it:
        recording = it.record.recording = Recording("CA1", tmp_path / "x.wav", print)
        it.frames(500)
        it.emit(ResponseStarted("r1"), *(AgentAudio("r1", "i1", b"\x01" * 1600) for _ in range(5)))
        it.emit(AgentAudioDone("r1", "i1"), AgentText("r1", "i1", "Good morning to you."), ResponseEnded("r1", "completed"))
        for number in range(1, 6):
            it.frames(200 + (late_ms if number == 1 else 0))
            it.stream.mark(f"0:{1600 * number}")
        it.frames(1000)
        it.stream.stop()
    inbound, outbound = sides(recording)
    assert len(inbound) == len(outbound)
    assert outbound.count(b"\x01") == 8000, "all of it"
    (final,) = it.events(Final)
    first, last = outbound.index(b"\x01") / 8000, (outbound.rindex(b"\x01") + 1) / 8000
    assert abs(final.start - first) <= 0.1
    assert abs(final.end - last) <= 0.1 + late_ms / 1000


async def test_what_a_caller_cut_off_is_not_recorded(tmp_path: Path) -> None:
    async with desk() as it:
        recording = it.record.recording = Recording("CA1", tmp_path / "x.wav", print)
        it.emit(*speech(2000, "One two three four."))
        it.frames(700)
        it.emit(CallerSpeechStarted("q", 600))
        it.frames(1000)
        it.stream.stop()
    _, outbound = sides(recording)
    assert outbound.count(b"\x01") == pytest.approx(700 * 8, abs=20 * 8)
