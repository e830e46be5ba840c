"""Brings back what one live call has lost at Twilio: a stream in place of one that broke, and numbers that no stream brought.

Twilio is asked beside the call, never in its way: audio that still comes is taken in meanwhile. Knows Twilio's account, and no audio; the
call says which tracks are carried.
"""

import asyncio
import logging
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from hub.audio.g711 import Track
from hub.errors import AccountError
from hub.twilio.rest import CallFacts, Over, TwilioAccount

TWILIOS_CLOCK_MS = 2000.0
"""Twilio tells the end of a call in whole seconds, by a clock of its own: a call that ended so little after its audio lost nothing."""


@dataclass(slots=True, eq=False)
class BrokenStream:
    """A stream that broke, and whose tracks no other stream has carried since."""

    stream_sid: str
    account_sid: str
    tracks: tuple[Track, ...]
    parameters: dict[str, str]
    """What the stream brought: the next one brings it again."""
    missing_from_ms: float
    """Call time from which the tracks are missing."""
    asked: bool = False
    """Whether Twilio is being asked for another stream."""
    replaced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once other streams carry the tracks."""


class Recovery:
    """One call's. Run it in the call's TaskGroup, and cancel it when the call is over."""

    def __init__(self, call_sid: str, account: TwilioAccount | None, log: logging.LoggerAdapter[logging.Logger]) -> None:
        """Without an account nobody is asked; what is missing is known all the same."""
        self.can_ask = account is not None
        self.hopeless = False
        """Whether Twilio says that no stream will come any more."""
        self._call_sid = call_sid
        self._account = account
        self._log = log
        self._broken: list[BrokenStream] = []
        self._gone: list[BrokenStream] = []
        """Those of which Twilio says that no stream will come in their place."""
        self._news = asyncio.Event()
        """Set when there is a broken stream that Twilio was not asked about."""

    def broke(self, stream: BrokenStream) -> None:
        """Take note that a stream's tracks are missing. Never waits."""
        self._broken.append(stream)
        self._news.set()

    @property
    def missing(self) -> list[BrokenStream]:
        """The broken streams whose tracks nothing carries, also those that Twilio will not send again."""
        return [*self._broken, *self._gone]

    def carried(self, tracks: Container[Track]) -> list[BrokenStream]:
        """Take note which tracks are carried now. Returns the streams that are replaced by that."""
        replaced = [stream for stream in self.missing if all(track in tracks for track in stream.tracks)]
        for stream in replaced:
            stream.replaced.set()
        self._broken = [stream for stream in self._broken if stream not in replaced]
        self._gone = [stream for stream in self._gone if stream not in replaced]
        self.hopeless = False
        return replaced

    def published_up_to(self, call_ms: float) -> None:
        """Take note that gaps were published for what is missing before this call time."""
        for stream in self.missing:
            stream.missing_from_ms = call_ms

    async def run(self, on_hopeless: Callable[[Over], None]) -> None:
        """Whenever a stream breaks, have Twilio send another, until cancelled.

        `on_hopeless` is called when Twilio says that no stream will come.
        """
        if self._account is None:
            return
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                self._news.clear()
                for stream in self._broken:
                    if not stream.asked:
                        stream.asked = True
                        group.create_task(self._bring_back(self._account, stream, on_hopeless))

    async def _bring_back(self, account: TwilioAccount, stream: BrokenStream, on_hopeless: Callable[[Over], None]) -> None:
        self._log.info("asking Twilio for another stream in place of %s", stream.stream_sid)
        over = await account.bring_back(stream.account_sid, self._call_sid, stream.tracks, stream.parameters, stream.replaced)
        if over is not None and stream in self._broken:
            self._log.info("no stream will come in place of %s", stream.stream_sid)
            self._broken.remove(stream)
            self._gone.append(stream)
            self.hopeless = True
            on_hopeless(over)

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
