"""What is wrong with a live call's record is published while something can still be done, and its end says what stayed wrong."""

from typing import Any

from hub import events
from hub.audio.g711 import silence
from hub.calls.condition import AGAIN_SECONDS, SILENT_SECONDS
from hub.errors import ProviderError
from hub.transcribers.transcriber import Lost, Restored
from hub.transcribers.utterances import NotTranscribed
from tests.calls.call_desk import CallDesk, FakePeer, call_desk, gaps, published, start, turns

LOUD, SILENT = b"\x01" * 160, silence(160)


def conditions(desk: CallDesk) -> list[str]:
    return [event.completeness.summary for event in published(desk.record()) if isinstance(event, events.ConditionChanged)]


def end(desk: CallDesk) -> events.CallEnded:
    ended = published(desk.record())[-1]
    assert isinstance(ended, events.CallEnded)
    return ended


def speak(stream: Any, from_ms: int, to_ms: int, inbound: bytes | None = LOUD, outbound: bytes | None = LOUD, lose_each: int = 0) -> None:
    for number, at_ms in enumerate(range(from_ms, to_ms, 20)):
        if lose_each and number % lose_each == 0:
            continue
        if inbound is not None:
            stream.chunk("inbound", at_ms, inbound)
        if outbound is not None:
            stream.chunk("outbound", at_ms, outbound)


async def test_a_side_that_is_silent_while_the_other_speaks_is_told_after_half_a_minute_and_at_the_end() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        for second in range(29):
            speak(stream, second * 1000, second * 1000 + 1000, outbound=SILENT)
            desk.transcribers[0].final("words", "inbound", second, second + 1)
        assert conditions(desk) == []
        speak(stream, 29_000, 32_000, outbound=SILENT)
        assert conditions(desk) == ["only one side was heard"]
        assert desk.record().summary().completeness.unheard == "outbound"
        stream.stop()
        await desk.idle()
    assert end(desk).completeness.summary == "only one side was heard"


async def test_a_side_that_no_stream_carries_is_told_too() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        await turns()
        desk.transcribers[0].final("words", "inbound", 0, 1)
        speak(stream, 0, 32_000, outbound=None)
        assert conditions(desk) == ["only one side was heard"]
        stream.stop()
        await desk.idle()


async def test_two_people_who_both_speak_are_a_complete_record_and_nothing_is_told() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        for second in range(0, 90, 10):
            speak(stream, second * 1000, second * 1000 + 10_000)
            desk.transcribers[0].final("words", "inbound" if second % 20 else "outbound", second, second + 5)
        stream.stop()
        await desk.idle()
    assert conditions(desk) == []
    assert end(desk).completeness.summary == "complete"


async def test_a_side_that_only_listens_and_is_heard_breathing_is_not_silent() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].final("words", "inbound", 0, 1)
        speak(stream, 0, 60_000)
        assert conditions(desk) == []
        stream.stop()
        await desk.idle()


async def test_a_side_that_falls_silent_is_told_and_taken_back_when_it_makes_a_sound() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].final("hello", "outbound", 0, 1)
        speak(stream, 0, 5000)
        speak(stream, 5000, 5000 + int(SILENT_SECONDS) * 1000, outbound=SILENT)
        desk.transcribers[0].final("are you there", "inbound", 20, 30)
        speak(stream, 35_000, 38_000, outbound=SILENT)
        assert conditions(desk) == ["one side is silent"]
        speak(stream, 38_000, 40_000)
        assert conditions(desk) == ["one side is silent", "complete"]
        stream.stop()
        await desk.idle()
    assert end(desk).completeness.summary == "complete"


async def test_audio_that_is_lost_is_told_with_how_much_and_no_oftener_than_it_is_news() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.clock.now += 3600
        speak(stream, 0, 60_000, lose_each=5)
        assert conditions(desk) == ["20 % of the audio was lost"], "the same sentence is told once"
        speak(stream, 60_000, 120_000, lose_each=2)
        assert len(conditions(desk)) <= 1 + 120 / AGAIN_SECONDS
        assert conditions(desk)[-1] != conditions(desk)[0], "more was lost since"
        stream.stop()
        await desk.idle()
    ended = end(desk)
    assert ended.completeness.summary == "35 % of the audio was lost"
    assert ended.completeness.lost_percent == 35.0
    assert ended.audio["inbound"].lost_ms == ended.audio["inbound"].filled_ms - 20  # the first frame of all was lost, too


async def test_one_lost_frame_in_a_hundred_is_no_condition() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.clock.now += 3600
        speak(stream, 0, 60_000, lose_each=110)
        stream.stop()
        await desk.idle()
    assert conditions(desk) == []
    assert end(desk).completeness.summary == "complete"


async def test_a_provider_that_refused_is_told_while_the_call_lives_and_at_its_end() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].hear(Lost("deepgram", "refused the key (401); check DEEPGRAM_API_KEY", 0))
        speak(stream, 0, 2000)
        assert conditions(desk) == ["not transcribed: deepgram refused the key"]
        stream.stop()
        await desk.idle()
    assert end(desk).completeness.summary == "not transcribed: deepgram refused the key"
    assert end(desk).completeness.state == "not-transcribed"


async def test_a_gap_is_told_and_an_outage_that_lost_nothing_is_not() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        hear = desk.transcribers[0].hear
        hear(Lost("deepgram", "lost the connection", 1))
        speak(stream, 0, 2000)
        hear(Restored("deepgram", "back", 1))
        speak(stream, 2000, 4000)
        assert conditions(desk) == []
        hear(NotTranscribed("inbound", 1.0, 3.5, "the provider was away too long"))
        speak(stream, 4000, 6000)
        assert conditions(desk) == ["incomplete: 2.5 s not transcribed"]
        assert desk.record().summary().completeness.untranscribed_seconds == 2.5
        stream.stop()
        await desk.idle()


async def test_what_a_broken_stream_missed_until_the_end_is_a_gap() -> None:
    async with call_desk() as desk:
        left = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        right = desk.calls.join(start("MZ2", "outbound"), FakePeer())
        await turns()
        for at_ms in range(0, 10_000, 20):
            left.chunk("inbound", at_ms, LOUD)
            right.chunk("outbound", at_ms, LOUD)
        left.lost()
        for at_ms in range(10_000, 14_000, 20):
            right.chunk("outbound", at_ms, LOUD)
        right.stop()
        await desk.idle()
    assert gaps(desk.record()) == [("inbound", 10.0, 14.0, "no stream")]
    assert end(desk).completeness.summary == "incomplete: 4.0 s not transcribed"
    assert end(desk).completeness.lost_percent == 0.0, "what the gap tells is not told once more"


async def test_a_hand_over_of_a_moment_is_no_gap() -> None:
    async with call_desk() as desk:
        left = desk.calls.join(start("MZ1", "inbound"), FakePeer())
        right = desk.calls.join(start("MZ2", "outbound"), FakePeer())
        await turns()
        for at_ms in range(0, 1000, 20):
            left.chunk("inbound", at_ms, LOUD)
            right.chunk("outbound", at_ms, LOUD)
        left.lost()
        right.stop()
        await desk.idle()
    assert gaps(desk.record()) == []


async def test_a_stream_whose_clock_goes_back_to_zero_goes_on_and_the_leap_is_a_gap() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        speak(stream, 0, 5000)
        speak(stream, 0, 5000)
        stream.stop()
        await desk.idle()
        audio = desk.transcribers[0].audio("inbound")
    assert [(start_s, end_s) for _, start_s, end_s, _ in gaps(desk.record())] == [(5.0, 5.1)] * 2
    assert audio.count(LOUD[:1]) == 8 * 10_000, "no audio is lost"
    assert end(desk).completeness.state == "incomplete"


async def test_a_transcriber_that_cannot_start_is_told_as_such() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        desk.transcribers[0].run = failing  # type: ignore[method-assign]
        await turns()
        speak(stream, 0, 3000)
        assert conditions(desk) == ["not transcribed: scripted refused the key"]
        stream.stop()
        await desk.idle()


async def failing(_: object) -> bool:
    raise ProviderError("Scripted", "refused the key", retryable=False)


async def test_what_an_earlier_part_of_the_call_lost_stays_lost_when_the_call_comes_back_after_its_end() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].complete = False
        desk.clock.now += 3600
        speak(stream, 0, 20_000, lose_each=2)
        stream.stop()
        await desk.idle()
        assert end(desk).completeness.summary == "incomplete: words may be missing; 50 % of the audio was lost"
        again = desk.calls.join(start("MZ2"), FakePeer())
        await turns()
        assert desk.record().summary().completeness.summary == end_of(desk, 0)
        speak(again, 0, 2000)
        assert desk.record().summary().completeness.summary == end_of(desk, 0), "nothing new is missing"
        speak(again, 2000, 20_000)
        again.stop()
        await desk.idle()
    assert end(desk).completeness.summary == "incomplete: words may be missing; 25 % of the audio was lost"


async def test_what_a_part_lost_that_gave_way_is_in_the_end_of_the_call() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].may_end.clear()
        desk.clock.now += 3600
        speak(stream, 0, 20_000, lose_each=2)
        stream.stop()
        await turns()
        again = desk.calls.join(start("MZ2"), FakePeer())
        await turns()
        speak(again, 0, 20_000)
        desk.transcribers[0].may_end.set()
        again.stop()
        await desk.idle()
    assert end(desk).completeness.summary == "25 % of the audio was lost"


def end_of(desk: CallDesk, part: int) -> str:
    return [event.completeness.summary for event in published(desk.record()) if isinstance(event, events.CallEnded)][part]


async def test_what_was_wrong_is_taken_back_where_the_call_goes_on_with_another_transcriber() -> None:
    async with call_desk() as desk:
        stream = desk.calls.join(start(), FakePeer())
        await turns()
        desk.transcribers[0].may_end.clear()
        desk.transcribers[0].hear(Lost("openai", "lost the connection", 0))
        speak(stream, 0, 2000)
        assert conditions(desk) == ["not transcribed: openai lost the connection"]
        stream.stop()
        await turns()
        again = desk.calls.join(start("MZ2"), FakePeer())
        await turns()
        speak(again, 0, 2000)
        assert conditions(desk)[1:] == ["complete"]
        assert desk.record().summary().completeness.summary == "complete"
        desk.transcribers[0].may_end.set()
        again.stop()
        await desk.idle()
