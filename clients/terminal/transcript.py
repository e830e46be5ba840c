"""One call in the terminal: finals stay, and interims are rewritten below them until they are final.

Knows what of a call is printed, and when. Does not know how the call is followed.
"""

import sys
from collections.abc import AsyncIterator

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from clients.follow import Followed
from hub import events
from hub.audio.g711 import Track
from hub.foreign_text import line
from hub.transcript.wording import clock, sentence

COLOURS: dict[Track, str] = {"inbound": "cyan", "outbound": "green"}
"""The colours of the two sides."""

REFRESHES_PER_SECOND = 12
"""Interims come up to ten times per second and side."""


class CallView:
    """What the terminal shows of one call."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._open: dict[str, events.Interim] = {}
        """The newest interim of each utterance that is not final, by utterance."""

    def receive(self, event: Followed) -> None:
        """Print what stays. Keep what may still change for `unsettled()`."""
        match event:
            case events.Interim():
                self._open[event.utterance] = event
                return
            case events.Final():
                self._open.pop(event.utterance, None)
                if event.text:
                    words = self._words(event.track, event.speaker, event.marked())
                    self.console.print(self._stamped(event.start, words))
                return
            case events.CallEnded():
                self._open.clear()
        if (note := sentence(event)) is not None:
            self.console.print(Text(f"— {line(note)}", style="dim"))

    def unsettled(self) -> Group:
        """Return the utterances that are not final yet, dimmed, oldest first."""
        lines = sorted(self._open.values(), key=lambda interim: interim.start)
        return Group(*(self._stamped(each.start, self._words(each.track, each.speaker, each.text + " …"), "dim italic") for each in lines))

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
        async for event in followed:
            view.receive(event)
        return
    with Live(console=console, refresh_per_second=REFRESHES_PER_SECOND, get_renderable=view.unsettled, transient=True):
        async for event in followed:
            view.receive(event)


async def show_json(followed: AsyncIterator[Followed]) -> None:
    """Print each event as one line of JSON, until the call ends."""
    async for event in followed:
        sys.stdout.buffer.write(events.encode(event) + b"\n")
        sys.stdout.buffer.flush()
