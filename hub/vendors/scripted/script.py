"""A transcriber that recognizes nothing: it publishes the lines of a file when the audio reaches the times that the file gives them.

It lets a hub be shown, and a client be developed, where no provider's key is set and the speech engine has no wheel. The words arrive as
a provider's words do, as interims that grow and then a final, so that every part of the hub after the transcriber runs for real. They are
right only for the recording that the file belongs to. In any other call they are still the file's words, which is why every call says
`scripted` and the file's name where it names its transcriber.
"""

import asyncio
from pathlib import Path

import msgspec

from hub.audio.g711 import Track
from hub.audio.timeline import Block
from hub.errors import ConfigError
from hub.text.text_file import read_text
from hub.transcribers.transcriber import OnReport, Report
from hub.transcribers.utterances import Recognized

PROVIDER = "scripted"


class ScriptLine(msgspec.Struct, frozen=True):
    """One utterance of the file, in seconds of call time. Other fields of the file, such as the speaker's name, are ignored."""

    track: Track
    text: str
    start: float
    end: float

    def __post_init__(self) -> None:
        """Raises: ValueError, which msgspec turns into a ValidationError that names the line's place in the file."""
        if not self.text.strip():
            raise ValueError("text must not be empty")
        if not 0 <= self.start < self.end:
            raise ValueError("start must not be negative, and end must be after start")

    def said_until(self, seconds: float) -> str:
        """Return the words that are over at this moment.

        The file has times for lines and not for words, so each word gets a share of the line's time in proportion to its letters.
        """
        words = self.text.split()
        letters_per_second = sum(map(len, words)) / (self.end - self.start)
        letters, said = (seconds - self.start) * letters_per_second, 0
        for number, word in enumerate(words):
            said += len(word)
            if said > letters + 1e-6:
                return " ".join(words[:number])
        return self.text


class Script:
    """The lines of a file, for any number of calls."""

    def __init__(self, name: str, lines: list[ScriptLine]) -> None:
        """`name` is shown as the transcriber's model."""
        self.name = name
        self.lines = sorted(lines, key=lambda line: line.start)

    @classmethod
    def read(cls, path: Path) -> "Script":
        """Read a JSON file: an array of objects with track, text, start and end. Raises: ConfigError, one sentence."""
        try:
            lines = msgspec.json.decode(read_text(path), type=list[ScriptLine])
        except ConfigError as error:
            raise ConfigError("--script", str(error)) from error
        except msgspec.DecodeError as error:
            raise ConfigError("--script", f"{path} is not a script: {error}") from error
        return cls(path.name, lines)

    def open(self, _start: object) -> "ScriptTranscriber":
        """Open the transcriber of one call. Every call has the same lines."""
        return ScriptTranscriber(self)


class ScriptTranscriber:
    """One call's way through the script. Implements `Transcriber`."""

    def __init__(self, script: Script) -> None:
        self.provider = PROVIDER
        self.model = script.name
        self._ahead = list(script.lines)
        """Lines that have not begun, the next one first."""
        self._open: dict[Track, tuple[ScriptLine, str]] = {}
        """Per track the line that is being said, and its words so far. A track has one line at a time."""
        self._until = 0.0
        """Call time up to which audio came, in seconds."""
        self._finished = asyncio.Event()
        self._early: list[Report] = []
        """Reports from before `run`, as audio may be pushed earlier."""
        self._report: OnReport = self._early.append

    def push(self, block: Block) -> None:
        """See Transcriber. Advances the script to the block's end."""
        start, end = block.start_ms / 1000, block.end_ms / 1000
        # A line that lies in audio that never came is not said: the call was taken up later, or its clock leapt over the line.
        self._ahead = [line for line in self._ahead if line.end > start]
        self._until = end
        self._say(end)
        while self._ahead and self._ahead[0].start < end:
            line = self._ahead.pop(0)
            if line.track in self._open:
                self._settle(line.track)
            self._open[line.track] = line, ""
            self._say(end)

    def finish(self) -> None:
        """See Transcriber. A line that the end of the call cuts off is final with the words that were said."""
        for track in tuple(self._open):
            self._settle(track)
        self._finished.set()

    async def run(self, report: OnReport) -> bool:
        """See Transcriber. Never raises: the script cannot be lost."""
        self._report = report
        for each in self._early:
            report(each)
        await self._finished.wait()
        return True

    def unsettled(self) -> list[Block]:
        """See Transcriber. Empty: `run` never raises, so no other transcriber ever needs the audio."""
        return []

    def _say(self, now: float) -> None:
        for track, (line, before) in tuple(self._open.items()):
            said = line.said_until(now)
            self._open[track] = line, said
            if now >= line.end:
                self._settle(track)
            elif said != before:
                self._report(Recognized(track, line.start, now, said, settled=False, closes=False))

    def _settle(self, track: Track) -> None:
        line, said = self._open.pop(track)
        if said:
            self._report(Recognized(track, line.start, min(line.end, self._until), said, settled=True, closes=True))
