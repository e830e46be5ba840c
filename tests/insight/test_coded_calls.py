"""Statistics of coded calls equal those of their scripts: from the sound, through a real hub, to its lists and files."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec import convert, to_builtins

from hub.audio.g711 import TRACKS
from hub.events import CallStatistics
from hub.insight.statistics import RunningStatistics
from hub.transcribers.utterances import Recognized, RecognizedWord, Utterances
from tests.bench.chaos.code import Ear, Heard, Script
from tests.bench.chaos.provider import listen
from tests.house import House, real_house
from tests.insight.coded_figures import figures_of
from tests.media import media, stop
from tests.web.callers import follow, told

ROUNDS = 8


def heard(script: Script, frames: int) -> RunningStatistics:
    """Return the statistics of so much of a coded call's sound, each turn a final."""
    running, utterances = RunningStatistics(), Utterances("CA1")
    for track in TRACKS:
        ear, words = Ear(), list[Heard]()
        for number in range(frames):
            words += ear.feed(script.frame(track, number))
            if len(words) == 4:
                spoken = tuple(RecognizedWord(word.text, word.start / 8000, word.end / 8000) for word in words)
                text = " ".join(word.text for word in words)
                event = utterances.fold(Recognized(track, spoken[0].start, spoken[-1].end, text, settled=True, closes=True, words=spoken))
                running.apply(event)  # type: ignore[arg-type]
                words = []
    return running


@pytest.mark.parametrize("call", [7, 8, 4095])
def test_what_is_heard_of_a_coded_call_has_the_figures_of_its_script(call: int) -> None:
    script = Script(call, 35 + call % 31)
    found = heard(script, ROUNDS * script.round_frames)
    assert found.figures(ROUNDS * script.round_frames / 50) == figures_of(script, ROUNDS)


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """Run the stand-in for Deepgram that recognizes coded calls. Gives its address."""
    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def said(home: House, sid: str, script: Script) -> list[Any]:
    """Let a coded call be held. Returns the last messages that a follower of it gets."""
    stream = sid.replace("CA", "MZ")
    twilio = await home.call(sid, stream)
    follower = await follow(home, sid)
    for number in range(ROUNDS * script.round_frames):
        for track in TRACKS:
            await twilio.send_str(media(track, number * 20, script.frame(track, number), stream))
    await twilio.send_str(stop(sid, stream))
    return await told(follower)


async def test_coded_calls_through_the_hub_have_the_figures_of_their_scripts_everywhere(tmp_path: Path) -> None:
    """In the log, the list, the files, and in the archive, when another hub reads it."""
    calls = {f"CA{number:032x}": Script(number, 35 + 10 * number) for number in range(3)}
    async with provider() as deepgram:
        settings: dict[str, Any] = {"deepgram_key": "k", "deepgram_url": deepgram, "archive": str(tmp_path / "calls.db")}
        async with real_house(**settings) as home:
            for sid, script in calls.items():
                figures, ended = (await said(home, sid, script))[-2:]
                assert ended["type"] == "call-ended"
                assert convert(figures["figures"], CallStatistics) == figures_of(script, ROUNDS)
        async with real_house(**settings) as home:
            listed = {call["callSid"]: call for call in (await home.json("/calls"))["calls"]}
            for sid, script in calls.items():
                expected = to_builtins(figures_of(script, ROUNDS))
                assert listed[sid]["statistics"] == expected
                assert (await home.json(f"/calls/{sid}/transcript.json"))["statistics"] == expected
                async with home.session.get(home.url(f"/calls/{sid}/transcript.csv")) as answer:
                    rows = list(csv.DictReader(io.StringIO((await answer.text()).removeprefix("\ufeff"), newline="")))
                talk = {row["track"]: float(row["value"]) for row in rows if row["text"] == "talkSeconds"}
                assert talk == {track: expected["sides"][track]["talkSeconds"] for track in TRACKS}
