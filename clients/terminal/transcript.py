"""One call in the terminal: finals stay, and interims are rewritten below them until they are final.

Knows what of a call is printed, and when. Does not know how the call is followed.
"""

import sys
from collections.abc import AsyncIterator, Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from clients.follow import Followed, Refused
from clients.terminal.colours import COLOURS, style
from hub import events
from hub.audio.g711 import Track
from hub.text.foreign_text import line
from hub.transcript.wording import clock, figured, sentence

UNFINISHED = "not finished when the hub was restarted"
"""Said of words that were on the screen and never became final."""

NEAR_SECONDS = 0.05
"""Call times of one moment may differ by so much."""

REFRESHES_PER_SECOND = 12
"""Interims come up to ten times per second and side."""


class CallView:
    """What the terminal shows of one call."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._open: dict[str, events.Interim] = {}
        """The newest interim of each utterance that is not final, by utterance."""
        self._epoch: str | None = None
        """The log that the events come from. None before the first durable event."""
        self._figures: events.CallStatistics | None = None
        """The call's figures so far, as the hub says. None before the first."""
        self._speakers: dict[Track, str] = {}
        """How the transcript calls those who have spoken, or of whom the start of the call tells."""

    def receive(self, event: Followed) -> None:
        """Print what stays. Keep what may still change for `unsettled()`."""
        if isinstance(event, events.Interim):
            self._open[event.utterance] = event
            return
        if isinstance(event, events.Statistics):
            self._figures = event.figures
            if not event.offset:
                return
        if self._epoch not in {None, event.epoch}:
            self.abandon()
        self._epoch = event.epoch
        match event:
            case events.CallStarted(speakers=speakers):
                self._speakers.update(speakers)
            case events.Final():
                self._speakers[event.track] = event.speaker
                self._open.pop(event.utterance, None)
                if event.text:
                    words = self._words(event.track, event.speaker, event.marked())
                    self.console.print(self._stamped(event.start, words))
                return
            case events.Gap(track=track, start=start, reason="no stream"):
                # Nobody hears again what an earlier process of the hub was hearing when it died.
                self._abandon([each for each in self._in_order() if each.track == track and each.start >= start - NEAR_SECONDS])
            case events.CallEnded():
                self._open.clear()
                self._figures = None
        if (note := sentence(event, speakers=self._speakers)) is not None:
            self.console.print(Text(f"— {line(note)}", style=style(event)))

    def abandon(self) -> None:
        """Print what is open: the hub has lost it, so no final will follow. Words that a reader saw do not vanish."""
        self._abandon(self._in_order())

    def _abandon(self, interims: Iterable[events.Interim]) -> None:
        for interim in interims:
            self.console.print(self._interim(interim, f" … ({UNFINISHED})"))
            del self._open[interim.utterance]

    def unsettled(self) -> Group:
        """Return the utterances that are not final yet, dimmed, oldest first, and the call's figures so far."""
        so_far = [] if self._figures is None else [Text(f"— {line(figured(self._figures, self._speakers))}", style="dim")]
        return Group(*(self._interim(each, " …") for each in self._in_order()), *so_far)

    def _in_order(self) -> list[events.Interim]:
        return sorted(self._open.values(), key=lambda interim: interim.start)

    def _interim(self, interim: events.Interim, mark: str) -> Text:
        return self._stamped(interim.start, self._words(interim.track, interim.speaker, interim.text + mark), "dim italic")

    def _words(self, track: Track, speaker: str, text: str) -> Text:
        return Text.assemble((f"{line(speaker)}: ", f"bold {COLOURS[track]}"), line(text))

    def _stamped(self, at: float, words: Text, style: str = "") -> Text:
        stamped = Text.assemble((clock(at) + "  ", "dim"), words)
        stamped.stylize(style)
        return stamped


async def show(followed: AsyncIterator[Followed]) -> None:
    """Show a call until it ends: with interims in a terminal, finals only in a pipe."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())  # lines in a pipe are never broken: other programs read them
    view = CallView(console)
    if not console.is_terminal:
        await _receive(view, followed)
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_SECOND, get_renderable=view.unsettled, transient=True):
        await _receive(view, followed)


async def _receive(view: CallView, followed: AsyncIterator[Followed]) -> None:
    try:
        async for event in followed:
            view.receive(event)
    except Refused:  # the hub was restarted and does not know the call any more
        view.abandon()
        raise


async def show_json(followed: AsyncIterator[Followed]) -> None:
    """Print each event as one line of JSON, until the call ends."""
    async for event in followed:
        sys.stdout.buffer.write(events.encode(event) + b"\n")
        sys.stdout.buffer.flush()
