"""A scripted provider does what its script says, because every test of a transcriber stands on it."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio import g711
from hub.vendors.assemblyai import wire as assemblyai
from hub.vendors.deepgram import wire as deepgram
from tests.providers.dialling import CALLER, finals, hear, line, stereo
from tests.providers.fake_assemblyai import FakeAssemblyAI
from tests.providers.fake_deepgram import FakeDeepgram
from tests.providers.script import Ear, FakeProvider, Script, Word, spoken


@settings(deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=40))
def test_frames_of_any_size_are_heard_alike(sizes: list[int]) -> None:
    sound, told, at = spoken(CALLER, 3.5), [], 0
    whole, cut = Ear(), Ear()
    while at < len(sound):
        for size in sizes:
            told += cut.feed(sound[at : at + size])
            at += size
    assert told + cut.end() == whole.feed(sound) + whole.end()


@given(st.integers(0, 200), st.booleans())
def test_a_word_is_heard_if_six_tenths_of_it_came(cells: int, beginning: bool) -> None:
    word = spoken([Word("hello", 0.0, 0.25)])  # 200 cells of 10 bytes
    ear = Ear()
    *_, last = ear.feed(word[: cells * 10] if beginning else word[len(word) - cells * 10 :]) + ear.end()
    assert (len(last.words), ear.fragments) == (cells >= 120, 0 < cells < 120)


def test_halves_of_two_equal_words_are_no_word() -> None:
    word = spoken([Word("no", 0.0, 0.25)])
    ear = Ear()
    heard = ear.feed(word[:1000] + g711.silence(800) + word[1000:]) + ear.end()
    assert (heard[-1].words, ear.fragments) == ((), 2)


def test_each_word_is_heard_where_it_was_said_through_pcm_and_with_silence_mixed_in() -> None:
    ear = Ear()
    sound = g711.mixed(spoken(CALLER, 4.0), g711.silence(32_000))
    words = [word for piece in ear.feed(sound) + ear.end() if piece.settled for word in piece.words]
    assert [(w.text, round(w.start, 6), round(w.end, 6)) for w in words] == [(w.text, round(w.start, 6), round(w.end, 6)) for w in CALLER]


async def test_a_cut_falls_on_a_byte_and_a_new_connection_hears_what_it_is_sent_from_zero() -> None:
    cut = 29_200  # 1.825 s: half of "to"
    async with FakeDeepgram(Script(drop_after_bytes=[cut])) as fake:
        async with line(fake) as first:
            await hear(first, stereo(), deepgram.CLOSE_STREAM)
        await fake.until(lambda: not fake.open_sessions)
        assert (first.close_code, len(fake.visits[0].audio)) == (1006, cut)
        async with line(fake) as second:
            after = await hear(second, stereo()[cut:], deepgram.CLOSE_STREAM)
    assert finals(fake.visits[0].sent, 0) == "hello I would like"
    assert finals(after, 0) == "order some flowers"  # neither connection got enough of "to"
    assert next(m for m in after if m["type"] == "Results")["start"] == 0.0


async def test_a_connection_can_be_dropped_with_a_close_code() -> None:
    async with FakeDeepgram(Script(drop_after_bytes=[1600], drop_with=(1011, "NET-0000"))) as fake, line(fake) as socket:
        await hear(socket, stereo(), deepgram.CLOSE_STREAM)
        assert (socket.close_code, socket.close_reason) == (1011, "NET-0000")
    async with FakeAssemblyAI(Script(drop_after_bytes=[800], drop_with=(3008, ""))) as fake, line(fake, "u3-rt-pro") as socket:
        came = await hear(socket, spoken(CALLER, 4.0), assemblyai.TERMINATE, size=800)
        assert (came[-1]["error_code"], socket.close_code) == (3008, 3008)


async def test_assemblyai_refuses_by_script_and_then_does_not() -> None:
    async with FakeAssemblyAI(Script(refuse=[(1008, "Too many concurrent sessions"), None, 3005])) as fake:
        for code in (1008, None, 3005):
            async with line(fake, "u3-rt-pro") as socket:
                message = json.loads(await socket.recv())
                assert message.get("error_code") == code
                assert code is None or assemblyai.refused(code, message["error"]).retryable


async def test_a_handshake_hangs_as_long_as_it_is_told_and_not_beyond_the_test() -> None:
    loop = asyncio.get_running_loop()
    async with FakeDeepgram(Script(hang_handshake_seconds=[0.2, 60.0])) as fake:
        began = loop.time()
        async with line(fake):
            assert loop.time() - began >= 0.2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), line(fake):
                pass
    assert loop.time() - began < 5


@pytest.mark.parametrize(
    ("script", "least_seconds"),
    [(Script(slow_seconds=0.3), 0.3), (Script(last_words_delay_seconds=0.3), 0.3), (Script(throttle=True), 0.8), (Script(), 0.0)],
)
@pytest.mark.parametrize(("kind", "model"), [(FakeDeepgram, "nova-3"), (FakeAssemblyAI, "u3-rt-pro")])
async def test_answers_come_as_late_as_they_are_told(script: Script, least_seconds: float, kind: type[FakeProvider], model: str) -> None:
    clock = asyncio.get_running_loop().time
    second = stereo(6.5)[:16_000] if kind is FakeDeepgram else spoken([Word("hello", 0.5, 1.0)])
    async with kind(script) as fake, line(fake, model) as socket:
        began = clock()
        came = await hear(socket, second, deepgram.CLOSE_STREAM if kind is FakeDeepgram else assemblyai.TERMINATE)
        assert clock() - began >= least_seconds - 0.01
        assert came[-1]["type"] in {"Metadata", "Termination"}


@pytest.mark.parametrize(("kind", "model"), [(FakeDeepgram, "nova-3"), (FakeAssemblyAI, "u3-rt-pro")])
async def test_a_fake_that_never_answers_reads_on(kind: type[FakeProvider], model: str) -> None:
    end = deepgram.CLOSE_STREAM if kind is FakeDeepgram else assemblyai.TERMINATE
    async with kind(Script(never_answer=True)) as fake, line(fake, model) as socket:
        await socket.send(stereo()[:8000])
        await socket.send(end)
        await fake.until(lambda: fake.visits[0].messages == [end])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await socket.recv()
        assert fake.open_sessions == 1
    assert fake.open_sessions == 0
