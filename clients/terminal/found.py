"""Calls that a search has found, in the terminal: who called whom and when, and below it who said what, with the words marked.

Knows what is printed of a call. Does not know how calls are found.
"""

from datetime import datetime

from rich.console import Console
from rich.text import Text

from clients.follow import FoundUtterance, ListedCall
from clients.terminal.colours import ALARMS, COLOURS
from hub.text.foreign_text import line
from hub.transcript.wording import clock

MARK = "bold reverse"
"""How words look that were searched for."""


def show_found(console: Console, call: ListedCall) -> None:
    """Print a call in a line, and what was found in it in further ones. Moments are in this machine's time zone."""
    console.print(_head(call))
    for utterance in call.found:
        console.print(Text.assemble((f"    {clock(utterance.start)}  ", "dim"), _said(utterance)))
    if (more := call.hits - len(call.found)) > 0:
        console.print(Text(f"    and {more} more {'line' if more == 1 else 'lines'}", "dim"))


def _head(call: ListedCall) -> Text:
    numbers = " → ".join(line(number) for number in (call.from_, call.to) if number) or "no number"
    about = [f"agent {line(call.agent)}"] if call.agent else []
    about.append("live" if call.live else clock(call.duration or 0.0))
    if call.completeness.state != "complete":
        about.append(line(call.completeness.summary))
    began = datetime.fromisoformat(call.started_at).astimezone().strftime("%Y-%m-%d %H:%M:%S") if call.started_at else "not begun"
    return Text.assemble(
        (f"{began}  ", "bold"),
        numbers,
        "  ",
        (", ".join(about), ALARMS[call.completeness.state]),
        (f"  {line(call.call_sid)}", "dim"),
    )


def _said(utterance: FoundUtterance) -> Text:
    said = Text(line(utterance.text))
    if utterance.text.isprintable() and utterance.text == said.plain:  # otherwise the places are those of another text
        for start, length in utterance.matches:
            said.stylize(MARK, _characters(utterance.text, start), _characters(utterance.text, start + length))
    return Text.assemble((f"{line(utterance.speaker)}: ", f"bold {COLOURS[utterance.track]}"), said)


def _characters(text: str, units: int) -> int:
    """Return how many characters of a text so many UTF-16 code units are."""
    return units if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "surrogatepass"))
