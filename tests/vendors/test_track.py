"""One track on its way to text, without the models: where utterances begin and end, what is settled, when an interim is due."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audio import g711
from hub.transcribers.utterances import Recognized
from hub.vendors.moonshine import track as rules
from hub.vendors.moonshine.detector import WINDOW_BYTES
from hub.vendors.moonshine.echo import RecentSound
from hub.vendors.moonshine.track import TrackRecognizer
from tests.vendors.fake_engine import CONFIDENCE, CountingRecognizer, LevelPool, noise, voice

WINDOW_MS = g711.ms(WINDOW_BYTES)
PAUSE = noise(rules.CLOSING_MS / WINDOW_MS + 2)
"""Long enough to end an utterance."""


class Bench:
    """One track with a detector and a recognizer that can be foreseen."""

    def __init__(self, other: bytes | None = None) -> None:
        """`other` is what the other side says."""
        self.pool, self.recognizer = LevelPool(), CountingRecognizer()
        sound = None
        if other is not None:
            sound = RecentSound()
            sound.take(0.0, other)
        self.track = TrackRecognizer("inbound", self.pool, self.recognizer, sound)
        self.at_ms = 0.0

    def take(self, mulaw: bytes, piece_bytes: int = 800) -> list[Recognized]:
        """Give the track audio that follows; return what it reports."""
        reports = []
        for at in range(0, len(mulaw), piece_bytes):
            piece = mulaw[at : at + piece_bytes]
            reports += self.track.recognize(self.at_ms, piece)
            self.at_ms += g711.ms(len(piece))
        return reports

    def texts(self, mulaw: bytes, piece_bytes: int = 800) -> list[tuple[float, float, str]]:
        """Give the track a whole call; return its finals."""
        return [(each.start, each.end, each.text) for each in self.take(mulaw, piece_bytes) + self.track.interrupt()]


def test_speech_between_pauses_is_one_final_with_the_times_of_its_voice() -> None:
    bench = Bench()
    finals = bench.take(noise(50) + voice(30) + PAUSE)
    assert finals == [Recognized("inbound", 50 * WINDOW_MS / 1000, 80 * WINDOW_MS / 1000, f"{30 * 256} loud", True, True, CONFIDENCE)]
    (stretch,) = bench.recognizer.stretches
    assert g711.ms(len(stretch)) == rules.PRE_ROLL_MS + 30 * WINDOW_MS + rules.POST_ROLL_MS


def test_a_pause_inside_a_sentence_does_not_end_it() -> None:
    short = noise(rules.CLOSING_MS / WINDOW_MS - 1)
    assert len(Bench().texts(voice(30) + short + voice(30) + PAUSE)) == 1


def test_a_long_utterance_ends_at_a_breath() -> None:
    breath = noise(rules.BREATH_MS / WINDOW_MS + 1)
    long = voice(rules.LONG_MS / WINDOW_MS + 1)
    assert len(Bench().texts(long + breath + voice(30) + PAUSE)) == 2


def test_ten_minutes_without_a_pause_make_finals_that_are_cut_in_time_and_lose_no_byte() -> None:
    bench, speech = Bench(), voice(600_000 / WINDOW_MS)
    finals = bench.texts(speech)
    assert sum(len(stretch) for stretch in bench.recognizer.stretches) == len(speech)
    assert b"".join(bench.recognizer.stretches) == speech
    assert all((end - start) * 1000 <= rules.LONGEST_MS for start, end, _ in finals)
    for (_, end, _), (start, _, _) in pairwise(finals):
        assert math.isclose(start, end, abs_tol=0.001)


def test_the_cut_is_at_the_quietest_moment() -> None:
    dip_at = round((rules.CUT_FROM_MS + 800) / WINDOW_MS)
    speech = voice(dip_at) + noise(rules.QUIET_MS / WINDOW_MS) + voice(300)
    first, second, *_ = Bench().texts(speech)
    middle = (dip_at * WINDOW_MS + rules.QUIET_MS / 2) / 1000
    assert math.isclose(first[1], dip_at * WINDOW_MS / 1000, abs_tol=2 * WINDOW_MS / 1000)
    assert math.isclose(second[0], middle, abs_tol=rules.QUIET_STEP_MS / 1000)


def test_a_click_is_not_worth_the_models_time() -> None:
    bench = Bench()
    assert bench.texts(noise(50) + voice(2) + PAUSE) == []
    assert bench.recognizer.stretches == []


def test_a_lone_you_that_is_short_is_dropped_and_other_short_words_are_not() -> None:
    for text, windows, kept in (("You", 10, False), ("you.", 18, False), ("You", 20, True), ("Yes.", 10, True), ("You too", 10, True)):
        bench = Bench()
        bench.recognizer.texts = [text]
        assert [final for _, _, final in bench.texts(noise(50) + voice(windows) + PAUSE)] == [text] * kept


@pytest.mark.parametrize(("sure", "goes_on"), [(rules.LOUD_VOICE + 0.01, True), (rules.LOUD_VOICE - 0.01, False)])
def test_loud_letters_that_the_detector_hardly_takes_for_voice_keep_an_utterance_open(sure: float, goes_on: bool) -> None:
    bench = Bench()
    bench.take(noise(20) + voice(30))
    bench.pool.detectors[0].sure = sure
    finals = bench.take(voice(rules.CLOSING_MS / WINDOW_MS + 2))
    assert (finals == []) == goes_on


def test_loudness_alone_begins_no_utterance() -> None:
    bench = Bench()
    bench.take(noise(20))
    bench.pool.detectors[0].sure = rules.ONSET - 0.01
    assert bench.texts(voice(100)) == []


def test_an_interim_that_came_to_nothing_is_taken_back() -> None:
    bench = Bench()
    bench.recognizer.texts = ["hello", ""]
    bench.take(voice(30))
    (interim,) = bench.track.interim()
    (final,) = bench.take(PAUSE)
    assert (interim.text, interim.settled, final.text, final.settled) == ("hello", False, "", True)
    assert interim.start == final.start
    assert (interim.confidence, final.confidence) == (CONFIDENCE, None)


def test_after_twenty_seconds_without_an_utterance_the_detector_forgets_the_noise() -> None:
    bench = Bench()
    bench.take(noise(1))
    (detector,) = bench.pool.detectors
    detector.deaf = True
    assert bench.texts(noise(20_000 / WINDOW_MS) + voice(30) + PAUSE)
    assert [round(g711.ms(taken), -3) for taken in detector.forgotten] == [rules.FORGET_MS]


def test_forgetting_moves_nothing() -> None:
    bench, waited = Bench(), noise(600_000 / WINDOW_MS)
    ((start, _, _),) = bench.texts(waited + voice(30) + PAUSE, 730)
    assert len(bench.pool.detectors[0].forgotten) > 20
    assert math.isclose(start, g711.ms(len(waited)) / 1000, abs_tol=WINDOW_MS / 1000)


def test_on_a_noisy_line_the_detector_forgets_at_the_end_of_each_utterance() -> None:
    for at_rest, forgotten in ((noise, 0), (rumble, 3)):
        bench = Bench()
        bench.take(at_rest(50))
        for _ in range(3):
            assert len(bench.take(voice(30) + at_rest(40))) == 1
        assert len(bench.pool.detectors[0].forgotten) == forgotten


def test_the_detector_does_not_forget_while_people_talk_nor_every_few_seconds() -> None:
    bench = Bench()
    bench.take((voice(100) + noise(300)) * 6)
    assert bench.pool.detectors[0].forgotten == []
    bench.take(noise(110_000 / WINDOW_MS))
    assert len(bench.pool.detectors[0].forgotten) == 5


def test_a_mute_track_takes_no_detector_and_one_that_falls_mute_gives_it_back() -> None:
    bench = Bench()
    bench.take(g711.silence(8000) + b"\x7f" * 8000)
    assert bench.pool.detectors == []
    (final,) = bench.take(voice(30) + g711.silence(rules.MUTE_MS * 8 - 800))
    assert final.start == 2.0
    assert bench.pool.lent == 1
    bench.take(g711.silence(2400))
    assert bench.pool.lent == 0
    assert bench.track.settled_ms == bench.at_ms
    began = bench.at_ms
    (final,) = bench.take(voice(30) + PAUSE)
    assert final.start == began / 1000
    assert len(bench.pool.detectors) == 2


def test_a_leap_ends_the_utterance_and_begins_at_the_new_time() -> None:
    bench = Bench()
    bench.take(noise(50) + voice(30))
    bench.at_ms += 60_000
    first, second = bench.take(noise(50) + voice(30) + PAUSE)
    assert math.isclose(second.start - first.end, 60 + 50 * WINDOW_MS / 1000, abs_tol=WINDOW_MS / 1000)
    assert bench.pool.lent == 1


def test_the_end_of_the_audio_ends_the_utterance_to_its_last_byte() -> None:
    bench = Bench()
    speech = voice(30.5)
    ((start, end, _),) = bench.texts(speech)
    assert (start, end) == (0.0, g711.ms(len(speech)) / 1000)
    assert bench.recognizer.stretches == [speech]
    assert bench.pool.lent == 0
    assert bench.track.interrupt() == []


def test_leaving_says_nothing() -> None:
    bench = Bench()
    bench.take(voice(30))
    bench.track.leave()
    bench.track.leave()
    assert bench.recognizer.stretches == []
    assert bench.pool.lent == 0


def test_what_is_settled_never_reaches_into_an_open_utterance_nor_back() -> None:
    bench, before = Bench(), 0.0
    for piece in (noise(50), voice(30), noise(5), voice(10), PAUSE, noise(100), voice(1), PAUSE):
        for at in range(0, len(piece), 800):
            finals = bench.take(piece[at : at + 800])
            settled_ms = bench.track.settled_ms
            assert before <= settled_ms <= bench.at_ms
            assert all(final.start * 1000 >= before for final in finals)
            before = settled_ms
    assert bench.at_ms - before < 1000


def test_an_interim_is_due_when_the_utterance_has_grown_and_none_in_a_pause() -> None:
    bench = Bench()
    bench.take(noise(50))
    assert bench.track.interim_due() == 0
    assert bench.track.interim() == []
    bench.take(voice(rules.INTERIM_MS / WINDOW_MS - 1))
    assert 0 < bench.track.interim_due() < 1
    bench.take(voice(4))
    assert bench.track.interim_due() >= 1
    (interim,) = bench.track.interim()
    assert not interim.settled
    assert bench.track.interim_due() < 1
    assert bench.track.interim() == []  # nothing new was said
    bench.take(PAUSE)
    assert bench.track.interim_due() == 0


def test_the_longer_an_utterance_the_rarer_its_interims() -> None:
    bench, gaps = Bench(), list[float]()
    for _ in range(int(5000 / WINDOW_MS)):
        bench.take(voice(1), WINDOW_BYTES)
        if bench.track.interim_due() >= 1:
            bench.track.interim()
            gaps.append(bench.at_ms)
    assert 3 <= len(gaps) <= 5
    assert [after - before for before, after in pairwise(gaps)] == sorted(after - before for before, after in pairwise(gaps))


def test_an_interim_at_a_pause_saves_the_final_its_work() -> None:
    bench = Bench()
    bench.take(voice(30) + noise(rules.POST_ROLL_MS / WINDOW_MS + 1), WINDOW_BYTES)
    assert bench.track.interim_due() >= 1
    (interim,) = bench.track.interim()
    assert bench.track.interim_due() == 0
    (final,) = bench.take(PAUSE)
    assert final.text == interim.text
    assert len(bench.recognizer.stretches) == 1


def rumble(windows: float) -> bytes:
    """So much noise of a car."""
    return bytes([0xD0, 0x50]) * round(windows * WINDOW_BYTES / 2)


def shout(windows: float) -> bytes:
    """So much of the other side's voice, of which `voice` may be the echo: the same wave, and 13 dB louder."""
    return bytes([0x01, 0x81]) * round(windows * WINDOW_BYTES / 2)


BREAK = noise(math.ceil(rules.STRETCH_PAUSE_MS / WINDOW_MS) + 1)
"""Long enough to tell an echo from what follows, and too short to end an utterance."""


def test_an_echo_of_the_other_side_is_no_utterance() -> None:
    bench = Bench(noise(50) + shout(30) + noise(100))
    ((start, end, _),) = bench.texts(noise(55) + voice(30) + noise(65) + voice(20) + PAUSE)
    assert (start, end) == (150 * WINDOW_MS / 1000, 170 * WINDOW_MS / 1000)
    assert len(bench.recognizer.stretches) == 1


def test_what_is_as_loud_as_the_other_side_is_no_echo() -> None:
    assert len(Bench(noise(50) + voice(30) + noise(100)).texts(noise(55) + voice(30) + PAUSE)) == 1


def test_an_answer_that_follows_an_echo_is_told_without_it() -> None:
    bench = Bench(shout(30) + noise(200))
    ((start, end, text),) = bench.texts(noise(5) + voice(30) + BREAK + voice(20) + PAUSE)
    began = 35 * WINDOW_MS + g711.ms(len(BREAK))
    assert (start * 1000, end * 1000, text) == (pytest.approx(began), pytest.approx(began + 20 * WINDOW_MS), f"{20 * WINDOW_BYTES} loud")


def test_an_echo_that_follows_what_was_said_is_left_out() -> None:
    bench = Bench(noise(50 + len(BREAK) / WINDOW_BYTES) + shout(20) + noise(200))
    ((start, end, text),) = bench.texts(noise(20) + voice(30) + BREAK + voice(20) + PAUSE)
    assert (start, end, text) == (20 * WINDOW_MS / 1000, 50 * WINDOW_MS / 1000, f"{30 * WINDOW_BYTES} loud")


def test_an_echo_has_no_interims_and_is_not_looked_at_again_until_it_has_grown() -> None:
    bench = Bench(shout(300))
    bench.take(noise(10) + voice(rules.INTERIM_MS / WINDOW_MS + 2))
    assert bench.track.interim_due() >= 1
    assert bench.track.interim() == []
    assert bench.recognizer.stretches == []
    assert bench.track.interim_due() < 1


def test_interims_of_what_turns_out_to_be_an_echo_are_taken_back() -> None:
    bench = Bench(noise(30) + shout(300))
    bench.take(voice(27))
    (interim,) = bench.track.interim()
    (final,) = bench.take(voice(60) + BREAK)
    assert (interim.settled, interim.text) == (False, f"{27 * WINDOW_BYTES} loud")
    assert (final.settled, final.text, final.start) == (True, "", interim.start)


def test_a_long_echo_without_a_pause_is_dropped_to_its_end() -> None:
    assert Bench(shout(900)).texts(noise(10) + voice(800) + PAUSE) == []
    broken_off = Bench(shout(900))
    assert broken_off.texts(noise(10) + voice(100)) == []
    assert broken_off.pool.lent == 0


SOUNDS = st.lists(
    st.tuples(st.sampled_from([voice, noise, lambda windows: g711.silence(round(windows * 256))]), st.integers(1, 90)), max_size=8
)


@settings(deadline=None, max_examples=40)
@given(SOUNDS, st.lists(st.booleans(), min_size=1, max_size=7))
def test_the_finals_depend_on_the_audio_alone(sounds: list[tuple[object, int]], interims: list[bool]) -> None:
    call = b"".join(make(windows) for make, windows in sounds)  # type: ignore[operator]
    at_once, paced = Bench(), Bench()
    expected, got = at_once.texts(call), list[Recognized]()
    for count, at in enumerate(range(0, len(call), 800)):
        got += paced.take(call[at : at + 800])
        if interims[count % len(interims)]:
            paced.track.interim()
    got += paced.track.interrupt()
    assert [(each.start, each.end, each.text) for each in got if each.text] == expected
    assert paced.pool.lent == 0


@settings(deadline=None, max_examples=40)
@given(SOUNDS, st.integers(100, 3000))
def test_block_sizes_change_no_final(sounds: list[tuple[object, int]], piece_bytes: int) -> None:
    # A mute stretch is told by its blocks, so what begins with sound in mid-block begins there: keep it free of mute stretches.
    call = noise(1) + b"".join(make(windows) for make, windows in sounds if make in (voice, noise))  # type: ignore[operator]
    assert Bench().texts(call, piece_bytes) == Bench().texts(call, 800)
