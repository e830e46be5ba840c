"""The script in place of a provider: its lines at their times, whatever is said."""

import asyncio
import json
from pathlib import Path

import pytest

from clients.sample import SCRIPT
from hub.audio.timeline import Block
from hub.errors import ConfigError
from hub.transcribers.transcriber import Report
from hub.transcribers.utterances import Recognized
from hub.vendors.scripted import Script, ScriptLine, ScriptTranscriber

LINES = [
    ScriptLine("outbound", "good morning, how can I help you", 0.5, 2.5),
    ScriptLine("inbound", "hello", 2.0, 2.4),
    ScriptLine("inbound", "I lost my card", 3.0, 4.0),
]


def block(start_ms: float, length_ms: int = 100) -> Block:
    silence = b"\xff" * (8 * length_ms)
    return Block(start_ms, silence, silence)


async def reports(script: Script, *blocks: Block) -> list[Recognized]:
    """Push a call and return what was reported of it; it is complete."""
    transcriber = ScriptTranscriber(script)
    for each in blocks:
        transcriber.push(each)
    transcriber.finish()
    transcriber.finish()
    told: list[Report] = []
    assert await transcriber.run(told.append)
    assert transcriber.unsettled() == []
    assert all(isinstance(each, Recognized) for each in told)
    return [each for each in told if isinstance(each, Recognized)]


def finals(told: list[Recognized]) -> list[tuple[str, str, float, float]]:
    return [(each.track, each.text, each.start, each.end) for each in told if each.settled]


async def test_each_line_grows_word_by_word_and_is_final_at_its_end() -> None:
    told = await reports(Script("s", LINES), *(block(at) for at in range(0, 5000, 100)))
    assert sorted(finals(told)) == sorted((line.track, line.text, line.start, line.end) for line in LINES)
    interims = [each.text for each in told if each.track == "outbound" and not each.settled]
    words = LINES[0].text.split()
    assert interims == [" ".join(words[:count]) for count in range(1, len(words))]
    assert all(each.closes == each.settled for each in told)


async def test_a_line_is_not_said_before_its_audio() -> None:
    told = await reports(Script("s", LINES), *(block(at) for at in range(0, 2000, 100)))
    assert finals(told) == [("outbound", "good morning, how can I", 0.5, 2.0)]


async def test_a_call_that_is_taken_up_later_has_only_the_lines_that_are_left() -> None:
    told = await reports(Script("s", LINES), *(block(at) for at in range(2600, 5000, 100)))
    assert finals(told) == [("inbound", "I lost my card", 3.0, 4.0)]


async def test_lines_that_the_clock_leapt_over_are_not_said() -> None:
    told = await reports(Script("s", LINES), block(0), block(2600), *(block(at) for at in range(2700, 5000, 100)))
    assert finals(told) == [("inbound", "I lost my card", 3.0, 4.0)]


async def test_the_next_line_of_a_track_ends_the_one_that_is_still_open() -> None:
    lines = [ScriptLine("inbound", "one two", 0.0, 2.0), ScriptLine("inbound", "three", 1.5, 2.0)]
    told = await reports(Script("s", lines), *(block(at) for at in range(0, 2500, 100)))
    assert [text for _, text, _, _ in finals(told)] == ["one", "three"]


async def test_reports_come_at_once_while_it_runs() -> None:
    transcriber = ScriptTranscriber(Script("s", LINES))
    told: list[Report] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(transcriber.run(told.append))
        await asyncio.sleep(0)
        transcriber.push(block(0, 4500))
        assert [each.text for each in told if isinstance(each, Recognized) and each.settled] == [line.text for line in LINES]
        transcriber.finish()


def test_it_never_claims_to_be_a_provider() -> None:
    script = Script("call.json", LINES)
    assert (script.open(None).provider, script.open(None).model) == ("scripted", "call.json")


def test_the_samples_script_can_be_read() -> None:
    lines = Script.read(SCRIPT).lines
    assert len(lines) == len(json.loads(SCRIPT.read_text()))
    assert [line.start for line in lines] == sorted(line.start for line in lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "is not a script"),
        ('[{"track": "left", "text": "a", "start": 0, "end": 1}]', r"\$\[0\].track"),
        ('[{"track": "inbound", "text": " ", "start": 0, "end": 1}]', "text must not be empty"),
        ('[{"track": "inbound", "text": "a", "start": 1, "end": 1}]', "end must be after start"),
        ('[{"track": "inbound", "text": "a", "start": -1, "end": 1}]', "start must not be negative"),
    ],
)
def test_a_wrong_script_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as refused:
        Script.read(path)
    assert str(refused.value).startswith(f"--script {path}")
    assert "\n" not in str(refused.value)


def test_a_script_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Script.read(tmp_path / "none.json")
