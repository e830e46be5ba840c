"""`board` as people run it: on a terminal, with keys."""

import pytest

from hub.events import ToolReturned
from tests.house import House, house
from tests.publishing import ScriptedCall

pytest.importorskip("pty")

from tests.clients.terminal.screen import board

WHY = (
    "not transcribed: deepgram refused",
    "scripted lost, trying again",
    "only one side was heard",
    "tool book_flight failed",
    "20 % of the audio was lost",
)
"""What is wrong with five of sixty calls, the most urgent first."""


def begin(hub: House) -> None:
    """Begin sixty calls, five of them in trouble, none of them among the newest."""
    calls = [
        ScriptedCall(hub.state, f"CA{at:032d}", from_=f"+1415555{at:04d}", parameters={"queue": ("billing", "orders")[at % 2]})
        for at in range(60)
    ]
    calls[3].refused()
    calls[11].lost()
    calls[20].condition(unheard="outbound")
    returned = ToolReturned(call_sid=calls[33].call, invocation="i", tool="book_flight", outcome="failed", detail="", time=1.0, seconds=0.5)
    calls[33].publish(returned)
    calls[41].condition(lost_percent=20.0)


async def test_a_supervisor_sees_the_five_of_sixty_first_and_goes_through_the_rest_by_keys() -> None:
    async with house() as hub:
        begin(hub)
        async with board(hub) as screen:
            lines = await screen.shows("5 need attention, 60 live", "Needs attention · 5", *WHY, "Live · 55")
            assert len(lines) <= 24
            screen.press("f")
            assert "Live ·" not in "\n".join(await screen.shows("show: attention"))
            screen.press("\x1b")
            await screen.shows("show: all")
            screen.press("/0007\r")
            await screen.shows("filter: 0007", "Live · 1", "+14155550007")
            screen.press("\x1b")
            screen.press("\x1b[F")
            await screen.shows("+14155550000", "s order")
