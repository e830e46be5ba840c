"""The sample call, spoken by real voices, through each vendor's wire: the same words as through the engine on this machine."""

import sys

import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from hub.app import running
from hub.audio import TRACKS
from hub.config import Config
from tests.bench.accuracy import Run, play
from tests.providers.engine_ear import EngineHearing
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import FakeProvider

plain = EnglishTextNormalizer()

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="the engine cannot keep tracks apart there"), pytest.mark.timeout(60)]


async def heard(config: Config) -> Run:
    """Play the whole sample into a hub as fast as it takes it."""
    async with running(config) as (_, port):
        return await play(port, speed=0.0)


async def heard_by(kind: type[FakeProvider], hearing: EngineHearing) -> Run:
    async with kind(ear=hearing.ear) as fake:
        if kind is FakeDeepgram:
            return await heard(Config(port=0, drain_seconds=0.0, transcriber="deepgram", deepgram_key="k", deepgram_url=fake.url))
        return await heard(Config(port=0, drain_seconds=0.0, transcriber="assemblyai", assemblyai_key="k", assemblyai_url=fake.url))


async def test_the_words_are_the_same_through_every_provider() -> None:
    here = await heard(Config(port=0, drain_seconds=0.0, transcriber="local"))
    for kind in (FakeDeepgram, FakeAssemblyAI):
        with EngineHearing() as hearing:
            there = await heard_by(kind, hearing)
        assert there.gaps == 0
        for track in TRACKS:
            assert len(plain(here.text(track)).split()) > 50
            assert plain(there.text(track)) == plain(here.text(track))
            ours = [final for _, final in here.finals if final.track == track]
            theirs = [final for _, final in there.finals if final.track == track]
            assert len(ours) == len(theirs)
            for one, other in zip(ours, theirs, strict=True):
                assert abs(one.start - other.start) <= 0.1
                assert abs(one.end - other.end) <= 0.1
