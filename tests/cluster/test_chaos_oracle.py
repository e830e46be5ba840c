"""The oracle of the chaos proof finds what it has to find: each kind of fault is planted into a good log, and coded sound is read back."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.audio.g711 import TRACKS
from tests.bench.chaos.code import WORD_SECONDS, Ear, Script, spelled
from tests.bench.chaos.oracle import Part, Truth, Verdict, judge, same

SCRIPT = Script(call=7, quiet_frames=40)
BEFORE, AFTER = Part(10, 610, hit=True), Part(900, 1500)
"""A stream, whose node was killed, and the one that came in its place 6 s later."""
GAP = (600 * 0.02, (900 - 10) * 0.02)
TRUTH = Truth("CA7", SCRIPT, (BEFORE, AFTER), (1, 1))

Log = list[dict[str, Any]]


def good_log() -> Log:
    """The events of a call that was transcribed as well as can be: a final for each word."""
    said = [
        {"type": "final", "track": track, "words": [{"text": spelled(7, word), "start": start, "end": start + WORD_SECONDS}]}
        for part in (BEFORE, AFTER) for track in TRACKS for word in SCRIPT.words(track, part.first, part.last)
        for start in [(SCRIPT.begins(word) - BEFORE.first) * 0.02]
    ]  # fmt: skip
    said.sort(key=lambda event: event["words"][0]["start"])
    at = next(at for at, event in enumerate(said) if event["words"][0]["start"] >= GAP[1])
    said[at:at] = [{"type": "gap", "track": track, "start": GAP[0], "end": GAP[1], "reason": "no stream"} for track in TRACKS]
    return [{"type": "call-started"}, *said, {"type": "call-ended"}]


def payloads(log: Log) -> list[bytes]:
    return [json.dumps({"epoch": "e", "offset": offset} | event).encode() for offset, event in enumerate(log, 1)]


def faults(log: Log) -> set[str]:
    verdict = Verdict()
    judge(TRUTH, payloads(log), verdict)
    return {kind for kind, _ in verdict.faults}


def finals(log: Log, track: str = "inbound") -> list[int]:
    return [at for at, event in enumerate(log) if event["type"] == "final" and event["track"] == track]


def test_a_good_log_has_no_fault() -> None:
    verdict = Verdict()
    judge(TRUTH, payloads(good_log()), verdict)
    assert not verdict.faults
    assert verdict.gaps == 2
    assert verdict.words == len(good_log()) - 4
    assert verdict.lost_in_gaps > 10


def lose_a_word(log: Log) -> None:
    del log[finals(log)[-3]]


def lose_a_word_before_the_kill(log: Log) -> None:
    del log[finals(log)[2]]


def double_a_word(log: Log) -> None:
    at = finals(log)[5]
    log.insert(at, dict(log[at]))


def swap_two_words(log: Log) -> None:
    first, second = finals(log)[-3:-1]
    log[first], log[second] = log[second], log[first]


def move_a_word(log: Log) -> None:
    log[finals(log)[-1]]["words"][0]["start"] += 1.5


def tear_a_word(log: Log) -> None:
    log[finals(log)[-1]]["words"][0]["text"] += "?012"


def put_a_word_on_the_other_side(log: Log) -> None:
    log[finals(log)[-1]]["track"] = "outbound"


def take_a_word_of_another_call(log: Log) -> None:
    log[finals(log)[-1]]["words"][0]["text"] = spelled(8, 4)


def lose_a_gap(log: Log) -> None:
    del log[next(at for at, event in enumerate(log) if event["type"] == "gap")]


def double_a_gap(log: Log) -> None:
    at = next(at for at, event in enumerate(log) if event["type"] == "gap")
    log.insert(at, dict(log[at]))


def end_twice(log: Log) -> None:
    log.insert(3, {"type": "call-ended"})


def never_end(log: Log) -> None:
    log.pop()


def begin_a_new_epoch(log: Log) -> None:
    log[-1]["epoch"] = "f"


def skip_an_offset(log: Log) -> None:
    log[-1]["offset"] = 99


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (lose_a_word, "words lost"), (lose_a_word_before_the_kill, "words lost"), (double_a_word, "words doubled"),
        (swap_two_words, "words reordered"), (move_a_word, "words misplaced"), (tear_a_word, "words torn"),
        (put_a_word_on_the_other_side, "words strange"), (take_a_word_of_another_call, "words strange"), (lose_a_gap, "gaps"),
        (double_a_gap, "gaps"), (end_twice, "ends"), (never_end, "ends"), (begin_a_new_epoch, "epoch changed"),
        (skip_an_offset, "offsets"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(plant: Callable[[Log], None], kind: str) -> None:
    log = good_log()
    plant(log)
    assert kind in faults(log)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda log: log[:-1], "lost"),
        (lambda log: [*log, b"more"], "never told"),
        (lambda log: [log[0], b"other", *log[2:]], "altered"),
        (lambda log: [*log[:2], *log[3:]], "altered"),
    ],
)
def test_a_place_that_has_something_else_than_was_seen_is_found(change: Callable[[list[bytes]], list[bytes]], kind: str) -> None:
    seen, verdict = payloads(good_log()), Verdict()
    same("CA7", seen, {"a node": seen}, verdict)
    assert not verdict.faults
    same("CA7", seen, {"a node": seen, "the archive": change(seen)}, verdict)
    assert kind in {kind for kind, _ in verdict.faults}


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("first", [0, 3])
def test_coded_sound_is_read_back_word_by_word(track: Any, first: int) -> None:
    ear, heard = Ear(), []
    sound = b"".join(SCRIPT.frame(track, number) for number in range(first, 600))
    for at in range(0, len(sound), 777):
        heard += ear.feed(sound[at : at + 777])
    heard += ear.settle()
    words = [(word.text, round(word.start / 160) + first) for word in heard if "?" not in word.text]
    assert words == [(spelled(7, word), SCRIPT.begins(word)) for word in SCRIPT.words(track, first, 600)]


def test_a_word_of_which_a_part_is_missing_or_comes_twice_is_torn() -> None:
    frames = [SCRIPT.frame("inbound", number) for number in range(40)]
    for sound in (b"".join(frames[:13] + frames[15:]), b"".join(frames[:14] + frames[12:])):
        ear = Ear()
        heard = [*ear.feed(sound), *ear.settle()]
        assert "?" in heard[1].text
        assert [word.text for word in heard if word.word != 2] == [spelled(7, word) for word in (0, 4, 6)]
