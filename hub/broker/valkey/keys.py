"""The names of all keys and channels. Each begins with `{prefix:`, so an ACL can allow these and nothing else.

A user for the hub:

    ACL SETUSER hub on >PASSWORD ~{hub:* &{hub:* -@all +@read +@write +@pubsub +@connection +@scripting -@dangerous +info +time

In a Cluster it may also ask where the slots are: `+cluster|slots`, and `+command`.

What stands between the braces decides the slot in a Cluster: everything about one call is in one slot, and what concerns all calls in
another. So one script can change either at once, and not both.

Pure.
"""

from typing import Final


class Keys:
    """The names under one prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        registry = f"{{{prefix}:reg}}"
        names = ("state", "rows", "nodes", "leases", "live", "agents", "ended", "erased", "news")
        self.registry: Final[tuple[str, ...]] = tuple(f"{registry}:{name}" for name in names)
        """All keys about all calls, in the order in which scripts know them."""
        self.rows: Final = self.registry[1]
        self.news: Final = f"{registry}:news"
        """The channel of news. Channels and keys do not share names with each other."""

    def call(self, call_sid: str) -> tuple[str, str]:
        """Return the keys of a call's head and log."""
        tagged = f"{{{self._prefix}:{call_sid}}}"
        return f"{tagged}:head", f"{tagged}:log"

    def channel(self, topic: str) -> str:
        """Return the channel of a topic `kind:name`: in a Cluster it is where the call of that name is."""
        kind, _, name = topic.partition(":")
        return f"{{{self._prefix}:{name}}}:{kind}"
