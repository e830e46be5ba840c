"""The one thread that writes recordings into the spool, so that the event loop never touches the disk.

Twice a second it takes what has come of every recording, and writes it together with a header whose lengths are right. So `kill -9` costs
half a second, and what is left can be played. A disk that is full or slow costs sound, which becomes silence, and never a call.

Knows threads, files and disks. Does not know the store.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from hub.audio import g711
from hub.audio.timeline import CALL_MS, Block
from hub.recordings.recording import Recording, SoundLost
from hub.recordings.spool_file import SpoolFile
from hub.recordings.wav import frame_at

FLUSH_SECONDS = 0.5
"""How often sound is written. A hub that is killed loses so much, and the block that had not left the timeline: less than a second."""

FILL_MOST_BYTES = 16 * 1024 * 1024
"""Silence that is written into one file before the others have their turn: a clock that leaps by hours would keep them waiting."""


class SoundWritten(NamedTuple):
    """Sound of a recording with a problem could be written."""

    recording: Recording


class SpoolClosed(NamedTuple):
    """A recording is over, and all that could be written of it is in its file. Where there was nothing there is no file."""

    recording: Recording


SpoolNews: TypeAlias = SoundLost | SoundWritten | SpoolClosed


class _NotWritten(Exception):
    """Blocks are lost, from and to these moments of call time."""

    def __init__(self, start_ms: float, end_ms: float, reason: str) -> None:
        self.start_ms, self.end_ms, self.reason = start_ms, end_ms, reason


class SpoolThread:
    """Writes the recordings of one process. The event loop calls the methods that are public."""

    def __init__(self, tell: Callable[[SpoolNews], None], flush_seconds: float = FLUSH_SECONDS) -> None:
        """`tell` is called in the thread. It must not wait and must not raise."""
        self._tell = tell
        self._flush_seconds = flush_seconds
        self._open: dict[Recording, SpoolFile | None] = {}
        """Recordings that are not closed, with their files. A recording of which nothing was written has none."""
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, recording: Recording) -> None:
        """Write this recording from now on. Never waits."""
        self._open[recording] = None

    def end(self, recording: Recording, call_ms: float) -> None:
        """End a recording at this call time, with silence up to there. `SpoolClosed` is told when all of it is written. Never waits."""
        recording.end_ms = min(call_ms, CALL_MS)
        self._wake.set()

    def hurry(self) -> None:
        """Write what has come at once. Never waits."""
        self._wake.set()

    def stop(self) -> None:
        """Write what is left, and stop the thread. Blocks. What was not ended can be played as it is."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._wake.wait(self._flush_seconds)
            self._wake.clear()
            stopping = self._stopping
            for recording in list(self._open):
                self._flush(recording)
        for file in self._open.values():
            if file is not None:
                with suppress(OSError):
                    file.close()

    def _flush(self, recording: Recording) -> None:
        """Write what has come of one recording, and close it if it is over."""
        over, wrote, done = recording.end_ms is not None, False, True
        try:
            wrote, done = self._write(recording)
        except _NotWritten as lost:
            self._tell(SoundLost(recording, lost.start_ms, lost.end_ms, lost.reason))
        if recording.muted:
            self._mute(recording)
        if over and done:
            self._close(recording)
        elif wrote and recording.problem is not None:
            self._tell(SoundWritten(recording))

    def _write(self, recording: Recording) -> tuple[bool, bool]:
        """Write a recording's blocks, and at its end silence. Return whether any was written, and whether all was. Raises: _NotWritten."""
        wrote = False
        while recording.waiting:
            run = _run_of(recording)
            try:
                file = self._file(recording, frame_at(run[0].start_ms))
                if not file.fill(frame_at(run[0].start_ms), FILL_MOST_BYTES):
                    recording.waiting.extendleft(reversed(run))
                    file.write_header()
                    return wrote, False
                sound = g711.interleaved(b"".join(block.inbound for block in run), b"".join(block.outbound for block in run))
                file.write(frame_at(run[0].start_ms), sound)
                file.write_header()
                wrote = True
            except OSError as error:
                raise _NotWritten(run[0].start_ms, run[-1].end_ms, error.strerror or str(error)) from error
        return wrote, self._fill_to_end(recording)

    def _mute(self, recording: Recording) -> None:
        """Take out of the file what is to be muted, as far as it is written. The rest has its turn when it is."""
        file = self._open[recording]
        for _ in range(len(recording.muted) if file is not None else 0):
            muted = recording.muted.popleft()
            with suppress(OSError):  # the disk is away: the next round tries again
                assert file is not None
                file.mute(muted.track, frame_at(muted.start_ms), frame_at(muted.end_ms))
                if frame_at(muted.end_ms) <= file.end:
                    continue
            recording.muted.append(muted)

    def _fill_to_end(self, recording: Recording) -> bool:
        """Write the silence behind the last block of a recording that is over. Return whether all of it is written."""
        file, end_ms = self._open[recording], recording.end_ms
        if file is None or end_ms is None:
            return True
        try:
            return file.fill(frame_at(end_ms), FILL_MOST_BYTES)
        except OSError as error:
            raise _NotWritten(end_ms, end_ms, error.strerror or str(error)) from error

    def _file(self, recording: Recording, start: int) -> SpoolFile:
        file = self._open[recording]
        if file is None:
            file = self._open[recording] = SpoolFile.make(recording.path, start)
        return file

    def _close(self, recording: Recording) -> None:
        file = self._open.pop(recording)
        if file is not None:
            with suppress(OSError):
                file.close()
        self._tell(SpoolClosed(recording))


def _run_of(recording: Recording) -> list[Block]:
    """Take blocks that follow one another without a hole."""
    waiting = recording.waiting
    run = [waiting.popleft()]
    while waiting and waiting[0].start_ms == run[-1].end_ms:
        run.append(waiting.popleft())
    return run
