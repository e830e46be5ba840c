"""The spool: what lies in a call's files, whatever comes, and whatever happens to the hub and the disk."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audio.g711 import to_pcm
from hub.recordings.recording import HURRY_BLOCKS, MOST_WAITING, Recording, SoundLost
from hub.recordings.spool import Spool, SpoolPart, call_sid_of, file_name, pieces
from hub.recordings.spool_file import SpoolFile
from hub.recordings.spool_thread import SoundWritten, SpoolClosed, SpoolNews, SpoolThread
from hub.recordings.wav import HEADER_BYTES, WavSpan, header, span
from tests.recordings.sounds import CALL, block, expected, recorded, samples


class Desk:
    """A spool with its thread, and what the thread told."""

    def __init__(self, directory: Path) -> None:
        self.spool = Spool(directory)
        self.news: list[SpoolNews] = []
        self._told = threading.Condition()
        self.thread = SpoolThread(self._tell, flush_seconds=0.02)
        self.thread.start()

    def _tell(self, news: SpoolNews) -> None:
        with self._told:
            self.news.append(news)
            self._told.notify_all()

    def wait_for(self, kind: type[SpoolNews]) -> SpoolNews:
        """Wait until news of this kind was told, and return it."""
        with self._told:
            assert self._told.wait_for(lambda: any(isinstance(each, kind) for each in self.news), 60)
            return next(each for each in self.news if isinstance(each, kind))

    def begin(self, call_sid: str = CALL) -> Recording:
        recording = Recording(call_sid, self.spool.new_path(call_sid), self._tell)
        self.thread.add(recording)
        return recording

    def end(self, recording: Recording, end_ms: float) -> None:
        self.thread.end(recording, end_ms)
        with self._told:
            assert self._told.wait_for(lambda: SpoolClosed(recording) in self.news, 60)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.thread.stop()


def test_every_byte_lies_where_call_time_says_and_the_file_plays(desk: Desk) -> None:
    recording = desk.begin()
    for at_ms in range(0, 2000, 100):
        recording.take(block(at_ms))
    desk.end(recording, 2000)
    assert recorded(desk.spool) == expected((0, 2000), end_ms=2000)
    (part,) = desk.spool.parts(CALL)
    stereo = bytes(byte for pair in zip(*recorded(desk.spool), strict=True) for byte in pair)
    assert samples(part.path) == to_pcm(stereo)
    assert part.path.stat().st_mode & 0o077 == 0, "nobody else may listen"


def test_what_is_missing_is_silence_in_the_middle_and_at_the_end(desk: Desk) -> None:
    recording = desk.begin()
    recording.take(block(0))
    recording.take(block(700, 60))
    desk.end(recording, 1500)
    assert recorded(desk.spool) == expected((0, 100), (700, 760), end_ms=1500)


def test_a_call_that_begins_late_is_silent_before(desk: Desk) -> None:
    recording = desk.begin()
    recording.take(block(5000))
    desk.end(recording, 5100)
    assert recorded(desk.spool) == expected((5000, 5100), end_ms=5100)
    assert desk.spool.parts(CALL)[0].path.stat().st_size == HEADER_BYTES + 1600, "without the silence, which may be hours"


def test_a_recording_without_a_block_leaves_no_file(desk: Desk) -> None:
    desk.end(desk.begin(), 1500)
    assert list(desk.spool.directory.iterdir()) == []


def test_a_pause_is_silence_from_and_to_the_millisecond(desk: Desk) -> None:
    recording = desk.begin()
    recording.take(block(0))
    recording.pause(130)
    recording.take(block(100))
    recording.resume(150)
    recording.pause(160)
    recording.resume(170)
    recording.take(block(200))
    recording.pause(310)
    recording.take(block(300))
    recording.take(block(400))
    recording.resume(525)
    recording.take(block(500))
    desk.end(recording, 600)
    assert recorded(desk.spool) == expected((0, 130), (200, 310), (525, 600), end_ms=600)


def test_several_pauses_in_one_block_are_all_silent(desk: Desk) -> None:
    recording = desk.begin()
    for start, end in ((110, 120), (140, 150)):
        recording.pause(start)
        recording.resume(end)
    recording.take(block(100))
    desk.end(recording, 200)
    assert recorded(desk.spool) == expected((100, 110), (120, 140), (150, 200), end_ms=200)


def test_parts_are_one_call_and_the_later_one_counts_where_they_overlap(desk: Desk) -> None:
    first = desk.begin()
    for at_ms in (0, 100, 200):
        first.take(block(at_ms))
    desk.end(first, 300)
    second = desk.begin()
    second.take(block(250, 50))
    second.take(block(1000))
    desk.end(second, 1100)
    assert recorded(desk.spool) == expected((0, 300), (1000, 1100), end_ms=1100)


def test_a_disk_that_stands_still_costs_sound_and_is_told_and_never_waits(tmp_path: Path) -> None:
    told: list[SoundLost] = []
    recording = Recording(CALL, tmp_path / "x.wav", told.append)
    for at_ms in range(0, 100 * (MOST_WAITING + 2), 100):
        recording.take(block(at_ms))
    assert told == [SoundLost(recording, float(at_ms), at_ms + 100.0, "the disk is too slow") for at_ms in (30_000, 30_100)]
    assert len(recording.waiting) == MOST_WAITING


def test_sound_that_comes_faster_than_people_speak_is_written_at_once(tmp_path: Path) -> None:
    spool, news = Spool(tmp_path), list[SpoolNews]()
    thread = SpoolThread(news.append, flush_seconds=3600.0)
    thread.start()
    recording = Recording(CALL, spool.new_path(CALL), news.append, thread.hurry)
    thread.add(recording)
    for at_ms in range(0, 100 * HURRY_BLOCKS, 100):
        recording.take(block(at_ms))
    while recording.waiting:
        time.sleep(0.001)
    thread.stop()
    assert recorded(spool) == expected((0, 100 * HURRY_BLOCKS), end_ms=100 * HURRY_BLOCKS)
    assert news == []


def test_a_disk_that_fails_costs_what_comes_meanwhile_and_the_recording_goes_on(desk: Desk) -> None:
    recording = desk.begin()
    away = desk.spool.directory.with_name("away")
    desk.spool.directory.rename(away)
    recording.take(block(0))
    lost = desk.wait_for(SoundLost)
    assert isinstance(lost, SoundLost)
    assert (lost.start_ms, lost.end_ms, lost.reason) == (0.0, 100.0, os.strerror(errno.ENOENT))
    recording.problem = lost.reason
    away.rename(desk.spool.directory)
    recording.take(block(100))
    desk.wait_for(SoundWritten)
    desk.end(recording, 200)
    assert recorded(desk.spool) == expected((100, 200), end_ms=200)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_told_in_its_own_words_and_the_end_is_not_waited_for(desk: Desk) -> None:
    recording = Recording(CALL, Path("/dev/full"), desk.news.append)
    desk.thread.add(recording)
    recording.take(block(0))
    desk.end(recording, 100)
    lost = desk.wait_for(SoundLost)
    assert isinstance(lost, SoundLost)
    assert lost.reason == "No space left on device"


def test_kill_9_costs_less_than_a_second_and_the_file_plays(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.recordings.recording_process", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    for line in program.stdout:
        if (spoken_ms := int(line)) >= 3000:
            break
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    (part,) = Spool(tmp_path).parts(CALL)
    held_ms = part.span.end // 8
    assert held_ms >= spoken_ms - 1000
    assert recorded(Spool(tmp_path))[0] == expected((0, held_ms), end_ms=held_ms)[0]
    assert len(samples(part.path)) >= (spoken_ms - 1000) * 8 * 4, "by its own header"


def test_zeros_are_never_left_in_a_hole_however_long_it_is(tmp_path: Path) -> None:
    file = SpoolFile.make(tmp_path / "x.wav", 0)
    file.write(0, b"\x01\x02")
    assert not file.fill(3_000_000, most_bytes=1_000_000)
    assert file.fill(3_000_000, most_bytes=16_000_000)
    file.write(3_000_000, b"\x01\x02")
    file.close()
    sound = (tmp_path / "x.wav").read_bytes()[HEADER_BYTES:]
    assert (len(sound), sound[2:-2].strip(b"\xff")) == (6_000_002, b"")


@given(st.text(min_size=1, max_size=40))
def test_a_call_sid_is_never_a_path_and_comes_back_from_its_name(call_sid: str) -> None:
    try:
        call_sid.encode()
    except UnicodeEncodeError:
        return
    name = file_name(call_sid)
    assert not {"/", "\\", ".", ":", "*", "\0"} & set(name)
    assert call_sid_of(name) == call_sid


def test_other_calls_files_are_not_taken_for_this_calls(desk: Desk) -> None:
    for call_sid in ("CA1", "CA12", "CA1-2"):
        recording = desk.begin(call_sid)
        recording.take(block(0))
        desk.end(recording, 100)
    assert sorted(desk.spool.calls()) == ["CA1", "CA1-2", "CA12"]
    desk.spool.remove("CA1")
    assert sorted(desk.spool.calls()) == ["CA1-2", "CA12"]
    assert desk.spool.parts("CA1") == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=6))
def test_any_parts_make_one_call_without_a_hole(spans: list[tuple[int, int]]) -> None:
    parts = sorted(
        (SpoolPart(Path(str(number)), WavSpan(start, start + size)) for number, (start, size) in enumerate(spans)),
        key=lambda part: part.span.start,
    )
    made = pieces(parts)
    assert [piece.start for piece in made] == [0, *(piece.end for piece in made)][: len(made)]
    assert (made[-1].end if made else 0) == max((part.span.end for part in parts), default=0)
    assert all(piece.part is None or piece.part.span.start <= piece.start <= piece.end <= piece.part.span.end for piece in made)


def test_a_file_that_is_no_recording_is_none() -> None:
    assert span(b"", 0) is None
    assert span(b"x" * 200, 200) is None
    assert span(header(WavSpan(8, 16)), HEADER_BYTES + 33) == WavSpan(8, 24), "the size counts, and half a frame does not"
