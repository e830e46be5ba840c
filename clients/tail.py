"""One call in the terminal: finals stay, interims rewrite themselves below them."""

import argparse
import asyncio
import os
import sys
from contextlib import aclosing
from json import dumps

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from clients.follow import Followed, follow, newest
from clients.line import plain
from hub import events
from hub.audio.g711 import Track

OUTCOMES = {"result": "answered", "refused": "refused", "failed": "failed", "timeout": "took too long"}
"""What came of a tool, as a verb."""

COLOURS: dict[Track, str] = {"inbound": "cyan", "outbound": "green"}

REFRESHES = 12
"""Screen updates a second: interims come up to ten times a second and side."""


def clock(seconds: float) -> str:
    """Return call time as minutes, seconds and tenths."""
    tenths = round(seconds * 10)
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


class Page:
    """What the terminal shows of one call."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._open: dict[str, events.Interim] = {}
        """Newest interim by utterance."""

    def take(self, event: Followed) -> None:
        """Print what stays; keep what may still change for `unsettled()`."""
        match event:
            case events.Interim():
                self._open[event.utterance] = event
            case events.Final():
                self._open.pop(event.utterance, None)
                if event.text:
                    self._say(event.start, self._line(event.track, event.speaker, event.text + (" —" if event.interrupted else "")))
            case events.CallStarted():
                numbers = " → ".join(number for number in (event.from_, event.to) if number)
                work = f"answered by the agent {event.agent}," if event.agent else "transcribed by"
                about = ", ".join(part for part in (numbers, f"{work} {event.transcriber.provider} ({event.transcriber.model})") if part)
                self._note(f"call {event.call_sid}: {about}")
            case events.CallEnded():
                self._open.clear()
                self._note(f"call ended: {event.reason}, {clock(event.duration)}, transcript {event.transcript}")
            case events.Gap():
                self._note(f"{event.track} from {clock(event.start)} to {clock(event.end)} was not transcribed: {event.reason}")
            case events.Dtmf():
                self._note(f"key {event.digit}")
            case events.ToolCalled():
                self._note(f"the agent uses {event.tool}: {dumps(event.arguments, ensure_ascii=False)}")
            case events.ToolReturned():
                self._note(f"{event.tool} {OUTCOMES[event.outcome]}: {event.detail}")
            case events.AgentInterrupted():
                self._note(f"the agent was interrupted after {event.heard:.1f} of {event.generated:.1f} s")
            case events.StreamFailed():
                self._note(f"Twilio says that a stream failed: {event.reason}")
            case events.TranscriberLost():
                self._note(f"{event.provider} lost: {event.reason}")
            case events.TranscriberRestored():
                self._note(f"{event.provider} transcribes again")
            case events.TranscriberSwitched():
                self._note(f"{event.provider} transcribes from here: {event.reason}")
            case events.Subscribed():
                self._note("earlier parts of this call are no longer known to the hub")

    def unsettled(self) -> Group:
        """Return the utterances that are still open, dimmed, oldest first."""
        lines = sorted(self._open.values(), key=lambda interim: interim.start)
        return Group(*(self._stamped(each.start, self._line(each.track, each.speaker, each.text + " …"), "dim italic") for each in lines))

    def _line(self, track: Track, speaker: str, text: str) -> Text:
        return Text.assemble((f"{plain(speaker)}: ", f"bold {COLOURS[track]}"), plain(text))

    def _stamped(self, at: float, line: Text, style: str = "") -> Text:
        stamped = Text.assemble((clock(at) + "  ", "dim"), line)
        stamped.stylize(style)
        return stamped

    def _say(self, at: float, line: Text) -> None:
        self.console.print(self._stamped(at, line))

    def _note(self, words: str) -> None:
        self.console.print(Text(f"— {plain(words)}", style="dim"))


async def tail(url: str, call_sid: str | None, *, json: bool, interims: bool = True, token: str | None = None) -> None:
    """Show a call, or the newest live one, until it ends. Raises: Refused."""
    if call_sid is None:
        if not json:
            Console(stderr=True).print("waiting for a call …", style="dim")
        call_sid = await newest(url, token)
    async with aclosing(follow(url, call_sid, interims=interims, token=token)) as followed:
        if json:
            async for event in followed:
                sys.stdout.buffer.write(events.encode(event) + b"\n")
                sys.stdout.buffer.flush()
            return
        console = Console(highlight=False)
        page = Page(console)
        if not console.is_terminal:
            async for event in followed:
                page.take(event)
            return
        with Live(console=console, refresh_per_second=REFRESHES, get_renderable=page.unsettled, transient=True):
            async for event in followed:
                page.take(event)


def add_hub_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the hub is and what lets us in."""
    parser.add_argument("--url", default="ws://127.0.0.1:5000/client", help="the hub's /client (default: %(default)s)")
    parser.add_argument(
        "--token",
        default=os.environ.get("HUB_TOKEN") or None,
        help="the token for a hub that wants one (default: the variable HUB_TOKEN, which other users of this machine cannot see)",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `transcript-client tail`."""
    parser.add_argument(
        "call_sid", nargs="?", metavar="CALLSID", help="the call to follow; without it, the newest live call, once there is one"
    )
    add_hub_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print each event as a line of JSON, for pipes")
    parser.add_argument("--no-interims", action="store_true", help="only what is settled")


def run(options: argparse.Namespace) -> int:
    """Run `transcript-client tail`; return its exit code. Raises: Refused."""
    asyncio.run(tail(options.url, options.call_sid, json=options.json, interims=not options.no_interims, token=options.token))
    return 0
