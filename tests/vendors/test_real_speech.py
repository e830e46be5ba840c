"""The sample call through each vendor's wire: the same words as through the engine on this machine. And a real call through that engine."""

import asyncio
import secrets
from contextlib import aclosing
from pathlib import Path

import jiwer
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from clients.audio.files import read_call
from clients.commands import demo
from clients.follow import follow
from clients.pretend_twilio import playback
from clients.pretend_twilio.media_socket import OutgoingCall
from clients.sample import SAMPLE
from hub.app import running
from hub.audio.g711 import TRACKS
from hub.config import Config
from hub.events import CallEnded, Durable, Final, Gap, TranscriberSwitched
from tests.bench import accuracy
from tests.providers.engine_ear import EngineHearing
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import FakeProvider, Script
from tests.settings import configured

plain = EnglishTextNormalizer()

pytestmark = [
    pytest.mark.engine,
    pytest.mark.one_python,
    pytest.mark.timeout(90),  # it computes, with whatever else is computed here: seconds on a machine of its own
]


async def recognized(config: Config, seconds: float, audio: Path = SAMPLE) -> list[Durable]:
    """Play the beginning of a call into a hub, as fast as it takes it; return what a subscriber got."""
    call_sid, events = "CA" + secrets.token_hex(16), list[Durable]()
    until = playback.Faults(hang_up_after_ms=round(seconds * 1000))
    async with running(config) as (_, port), asyncio.TaskGroup() as group:
        outgoing = OutgoingCall(f"ws://127.0.0.1:{port}/twilio", call_sid=call_sid)
        group.create_task(playback.play(outgoing, read_call(audio), speed=0.0, faults=until))
        await demo.begun(f"127.0.0.1:{port}", call_sid)
        async with aclosing(follow(f"ws://127.0.0.1:{port}/client", call_sid, interims=False)) as followed:
            events += [event async for event in followed if isinstance(event, Durable)]
    return events


async def recognized_by(kind: type[FakeProvider], seconds: float) -> list[Durable]:
    with EngineHearing() as hearing:
        async with kind(ear=hearing.ear) as fake:
            config = configured(
                port=0, drain_seconds=0.0, transcriber="deepgram" if kind is FakeDeepgram else "assemblyai",
                deepgram_key="k", deepgram_url=fake.url, assemblyai_key="k", assemblyai_url=fake.url,
            )  # fmt: skip
            return await recognized(config, seconds)


@pytest.mark.parametrize(
    "seconds",
    [13, pytest.param(3600, id="whole", marks=[pytest.mark.long, pytest.mark.timeout(600)])],
)
async def test_the_words_are_the_same_through_every_provider(seconds: float) -> None:
    here = await recognized(configured(port=0, drain_seconds=0.0, transcriber="local"), seconds)
    for kind in (FakeDeepgram, FakeAssemblyAI):
        there = await recognized_by(kind, seconds)
        ended = there[-1]
        assert isinstance(ended, CallEnded)
        assert (ended.reason, ended.completeness.words_missing) == ("completed", False)
        assert not [event for event in there if isinstance(event, Gap)]
        for track in TRACKS:
            ours, theirs = (
                [event for event in events if isinstance(event, Final) and event.track == track and event.text] for events in (here, there)
            )
            assert [plain(final.text) for final in theirs] == [plain(final.text) for final in ours]
            assert sum(len(final.text.split()) for final in ours) > 5
            for one, other in zip(ours, theirs, strict=True):
                assert abs(one.start - other.start) <= 0.1
                assert abs(one.end - other.end) <= 0.1


async def test_the_engine_on_this_machine_takes_over_when_the_vendor_refuses() -> None:
    async with FakeDeepgram(Script(refuse=[402])) as fake:
        config = configured(port=0, drain_seconds=0.0, transcriber="deepgram", deepgram_key="k", deepgram_url=fake.url, fallback="local")
        events = await recognized(config, 7.0)
    assert [event.provider for event in events if isinstance(event, TranscriberSwitched)] == ["local"]
    assert "how can i help you" in plain(" ".join(event.text for event in events if isinstance(event, Final)))
    assert isinstance(events[-1], CallEnded)
    assert not events[-1].completeness.words_missing


async def test_people_on_a_real_telephone_line_are_understood() -> None:
    call, seconds = accuracy.CALLS[1], 24.0
    events = await recognized(Config(port=0, drain_seconds=0.0, transcriber="local"), seconds, call.audio)
    for track in TRACKS:
        said = " ".join(line["text"] for line in call.script() if line["track"] == track and line["end"] <= seconds)
        text = " ".join(event.text for event in events if isinstance(event, Final) and event.track == track)
        assert jiwer.wer(accuracy.plain(said), accuracy.plain(text)) < 0.25
