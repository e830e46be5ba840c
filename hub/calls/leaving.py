"""Moves the calls of a node that stops to the other nodes, so that a deploy ends no call and loses no word.

Twilio is asked for a second stream of each call that is transcribed. The balancer gives it to another node, which asks this one to hand the
call over (`giving.py`). Twilio allows four tracks of a call to be streamed at the same time: a stream that is there and another one beside
it. So no further stream is asked for while one may be on its way.

A call that an agent answers cannot be moved, nor one whose streams Twilio does not send: they are waited for as on a hub of its own.

Knows the calls and Twilio's account. Does not know where a stream arrives.
"""

import asyncio
import logging
from contextlib import suppress

from hub.backoff import Backoff, happens
from hub.broker.broker import BrokerError
from hub.calls.calls import Calls
from hub.calls.transcribed import TranscribedCall
from hub.cluster.cluster import Cluster
from hub.errors import AccountError
from hub.twilio.rest import TwilioAccount

log = logging.getLogger(__name__)

MOVED_AT_ONCE = 20
"""Calls that are moved at the same time, so that the other nodes are not asked to begin hundreds of calls in one moment."""

LOOK_SECONDS = 1.0
"""How often it is looked for calls that are to be moved: some begin to be transcribed while the node stops."""


class Leaving:
    """The calls of a node that stops."""

    def __init__(self, calls: Calls, cluster: Cluster, account: TwilioAccount, notice_seconds: float) -> None:
        """`notice_seconds`: how long a balancer may take to notice that this node takes no streams."""
        self._calls = calls
        self._cluster = cluster
        self._account = account
        self._notice_seconds = notice_seconds
        self._room = asyncio.Semaphore(MOVED_AT_ONCE)

    @property
    def _is_possible(self) -> bool:
        """Whether there is another node that takes calls. A broker that has just lost its data knows no other one for a second."""
        return bool(self._cluster.membership.others(staying=True))

    async def run(self) -> None:
        """Move all calls that can be moved, until cancelled. The node must take no streams any more."""
        membership = self._cluster.membership
        membership.leaving = True
        with suppress(BrokerError):  # the next beat tells it
            await membership.beat()
        await asyncio.sleep(self._notice_seconds)
        seen: set[TranscribedCall] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for call in self._calls.everyone():
                    if isinstance(call, TranscribedCall) and call.streams and call not in seen:
                        seen.add(call)
                        group.create_task(self._move(call))
                await asyncio.sleep(LOOK_SECONDS)

    async def _move(self, call: TranscribedCall) -> None:
        """Ask Twilio for another stream of a call, until the call has moved, or is over, or Twilio refuses."""
        patience = self._account.patience
        async with self._room:
            async for _ in Backoff(patience.first_wait_seconds, patience.longest_wait_seconds).until():
                if self._calls.newest(call.record.call_sid) is not call or not call.streams:
                    return
                if not self._is_possible:
                    continue
                try:
                    if not call.departs.is_set():
                        await self._ask(call)
                except AccountError as error:
                    log.warning("call=%s cannot be moved to another node: %s", call.record.call_sid, error)
                    if not error.retryable:
                        return
                    continue
                if await happens(call.departs, patience.come_seconds):
                    departure = call.departure
                    if departure is not None and await departure.decided():
                        return

    async def _ask(self, call: TranscribedCall) -> None:
        """Ask Twilio for another stream of a call. Raises: AccountError."""
        entry = call.entry()
        await self._account.attach(entry.account_sid, call.record.call_sid, entry.tracks, entry.parameters)
