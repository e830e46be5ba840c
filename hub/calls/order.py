"""What somebody who steers an agent's call wants: an order, its text and its target, read and checked. Pure.

Knows what an order may be. Does not know the call, nor who may give orders.
"""

import re
from typing import Literal, TypeAlias

import msgspec

from hub.agents import Agent
from hub.errors import HubError
from hub.events import SteeringAction
from hub.text.foreign_text import line

When: TypeAlias = Literal["now", "turn"]
"""`turn`: once the agent has been heard to the end and nobody speaks. `now`: the agent breaks off."""

TEXT_CHARACTERS = 500
"""The longest text that an agent is told to say: half a minute of speech."""

_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")

_MARKUP = re.compile(r"<[/!?A-Za-z][^<>]*>")
"""A tag of SSML, XML or HTML. A voice model reads it out."""


class NotTaken(HubError):
    """An order that is not taken, and of which the call says nothing. `refusal_code` is for programs."""

    def __init__(self, refusal_code: str, message: str) -> None:
        self.refusal_code = refusal_code
        super().__init__(message)


class BadOrder(NotTaken):
    """An order that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-order", message)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with a call. Nodes send it to each other."""

    id: str
    """Whoever gives an order names it, so that it is done once, however often it is sent."""
    action: SteeringAction
    by: str
    """Who gives it."""
    text: str = ""
    """What the agent is to say. Empty for other actions."""
    to: str = ""
    """Whom the call goes to, as it was asked for. Empty where it goes to nobody."""
    when: When = "turn"

    def check(self) -> None:
        """Raise BadOrder unless the order makes sense."""
        if not _ID.fullmatch(self.id):
            raise BadOrder("the id of an order has 1 to 64 letters, digits and _ . : -")
        if self.action in {"transfer", "take-over"} and not self.to:
            raise BadOrder(f"{self.action} needs `to`: whom the caller is to be connected with")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call goes on."""

    whom: str = ""
    """A number, or `sip:…` or `client:…`. Empty where an agent goes on."""
    label: str = ""
    """What the transcript calls them."""
    agent: Agent | None = None
    """The agent that goes on. None where a person does."""


def spoken_text(text: str) -> str:
    """Return a text as an agent can say it: one line. Raises: BadOrder."""
    words = " ".join(text.split())
    if not words:
        raise BadOrder("there is nothing to say: the text is empty")
    if len(words) > TEXT_CHARACTERS:
        raise BadOrder(f"the text is too long to be said: {len(words)} characters, and {TEXT_CHARACTERS} are the most")
    if line(words) != words:
        raise BadOrder("the text contains characters that nobody can say, such as control characters")
    if _MARKUP.search(words):
        raise BadOrder("the text contains markup, which the agent would read out: write plain words")
    return words
