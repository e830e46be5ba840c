"""What ties one call to Twilio beside its sockets: another stream where one broke, and its numbers where no stream brought them.

Asks beside the call, never in its way. Knows the account, and no audio; the call says which tracks are carried.
"""

import asyncio
import logging
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from hub.audio.g711 import Track
from hub.errors import AccountError
from hub.twilio.rest import CallFacts, TwilioAccount


@dataclass(slots=True, eq=False)
class Orphan:
    """Tracks that nobody carries since their stream broke."""

    stream_sid: str
    account_sid: str
    tracks: tuple[Track, ...]
    parameters: dict[str, str]
    """What the stream brought: the next one brings it again."""
    broke_ms: float
    """Call time from which they are missing."""
    asked: bool = False
    """Whether Twilio is being asked for them."""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once they are carried again."""


class Recovery:
    """One call's. Run it in the call's TaskGroup, and cancel it when the call is over."""

    def __init__(self, call_sid: str, account: TwilioAccount | None, log: logging.LoggerAdapter[logging.Logger]) -> None:
        """Without an account nobody is asked; what is missing is known all the same."""
        self.can_ask = account is not None
        self.forsaken = False
        """Whether Twilio says that no stream will come any more."""
        self._call_sid = call_sid
        self._account = account
        self._log = log
        self._orphans: list[Orphan] = []
        self._news = asyncio.Event()
        """Set when there is an orphan that nobody was asked for."""

    def lost(self, orphan: Orphan) -> None:
        """Take note that tracks are missing. Never waits."""
        self._orphans.append(orphan)
        self._news.set()

    def carried(self, tracks: Container[Track]) -> list[Orphan]:
        """Take note which tracks are carried now; return what was missing and no longer is."""
        found = [orphan for orphan in self._orphans if all(track in tracks for track in orphan.tracks)]
        for orphan in found:
            orphan.came.set()
            self._orphans.remove(orphan)
        self.forsaken = False
        return found

    def told_up_to(self, call_ms: float) -> None:
        """Take note that what is missing before this call time has been told."""
        for orphan in self._orphans:
            orphan.broke_ms = call_ms

    async def run(self, on_forsaken: Callable[[], None]) -> None:
        """Whenever a stream breaks, have Twilio send another, until cancelled. `on_forsaken` is called when it says that none will come."""
        if self._account is None:
            return
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                self._news.clear()
                for orphan in self._orphans:
                    if not orphan.asked:
                        orphan.asked = True
                        group.create_task(self._bring_back(self._account, orphan, on_forsaken))

    async def _bring_back(self, account: TwilioAccount, orphan: Orphan, on_forsaken: Callable[[], None]) -> None:
        self._log.info("asking Twilio for another stream in place of %s", orphan.stream_sid)
        over = await account.bring_back(orphan.account_sid, self._call_sid, orphan.tracks, orphan.parameters, orphan.came)
        if over is not None and orphan in self._orphans:
            self._log.info("no stream will come in place of %s", orphan.stream_sid)
            self._orphans.remove(orphan)
            self.forsaken = True
            on_forsaken()

    async def identify(self, account_sid: str, on_known: Callable[[CallFacts], None]) -> None:
        """Ask once who the call is from and to; `on_known` is called if Twilio knows."""
        if self._account is None:
            return
        try:
            facts = await self._account.find(account_sid, self._call_sid)
        except AccountError as error:
            self._log.warning("the call's numbers are not known: %s", error)
            return
        if facts is not None:
            on_known(facts)
