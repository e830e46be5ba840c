"""Follow a call as an async iterator that reconnects and resumes. The library for other Python programs.

    from clients.follow import follow
    from hub import events

    async for event in follow("ws://127.0.0.1:5000/client", "CA…"):
        match event:
            case events.Final(speaker=speaker, text=text):
                print(speaker, text)

Knows the subscriber protocol: positions, close codes, reconnecting. Does not know what the events are used for. Needs none of the extras.
"""

from clients.follow.address import door_address, page_address
from clients.follow.call_list import FoundUtterance, ListedCall, call_page, described, listed, read_listed
from clients.follow.connection import HubConnection, Refused, Request
from clients.follow.subscription import Followed, follow, newest, subscription
from hub.events import Position

__all__ = [
    "Followed", "FoundUtterance", "HubConnection", "ListedCall", "Position", "Refused", "Request", "call_page", "described", "door_address",
    "follow", "listed",
    "newest", "page_address", "read_listed", "subscription",
]  # fmt: skip
