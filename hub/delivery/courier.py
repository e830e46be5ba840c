"""Serves one webhook: sends what is due, one event of a call after the other, and several calls at the same time.

An event is sent after the one before it was taken, or became a dead letter. So a receiver gets the events of a call in their order. Where
it gets one twice, since the hub was killed before it could note the first time, it has had all that stand before it.

After each message the archive says whether it still has the call, so that nothing more is sent of one that was erased. Knows queues and one
receiver. Does not know what the other webhooks do.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from hub.archive.archive import ArchiveError, StoredCall
from hub.archive.threads import ArchiveThreads
from hub.archive.undelivered import Pending, Queue, type_of
from hub.backoff import happens
from hub.delivery.health import GIVE_UP_SECONDS, OF_CALL, Health, is_over, next_attempt
from hub.delivery.messages import WebhookMessage, message
from hub.delivery.receiver import Outcome, WebhookReceiver
from hub.delivery.webhook import Webhook
from hub.ops.counters import WebhookCounters

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked for what is due: for messages whose wait is over, for what other nodes have stored, and for what a command wants
to be sent again. What this hub stores is noticed at once."""

PORTIONS = 10
"""So many portions of one call are sent before other calls get their turn."""

AWAY = "the receiver had been failing for a day"

WITH_RECORD = "call-ended"


class Courier:
    """Serves one webhook."""

    def __init__(self, webhook: Webhook, threads: ArchiveThreads, counters: WebhookCounters, wall: Callable[[], float]) -> None:
        """`wall`: Unix seconds, by which messages are due."""
        self._webhook = webhook
        self._threads = threads
        self._undelivered = threads.archive.undelivered
        self._counters = counters
        self._wall = wall
        self._busy: set[int] = set()
        """The numbers of the calls that are being served."""
        self._overlooked = False
        """Whether something may be due that the last look left out: its call was being served, or there was no room."""
        self._news = asyncio.Event()
        self._trouble = ""
        """Why the archive cannot be used now. Empty while it can."""
        self.health = Health()
        self.on_duty = False
        """Whether this process delivers, as far as it knows. In a cluster, one node does."""

    def look_soon(self) -> None:
        """Look for what is due now, and not in a second."""
        self._news.set()

    async def run(self) -> None:
        """Send what is due, until cancelled."""
        async with WebhookReceiver(self._webhook) as receiver, asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for queue in await self._due() if self.on_duty else ():
                    self._busy.add(queue.number)
                    group.create_task(self._serve(receiver, queue))
                await happens(self._news, LOOK_SECONDS)

    async def _due(self) -> list[Queue]:
        """Return the queues that are to be served now."""
        self._overlooked |= bool(self._busy)
        now, room = self._wall(), self.health.at_once - len(self._busy)
        until = now
        if self.health.hopeless(now) and now < self.health.rests_until:
            room = max(1, room)  # messages that are given up need no receiver
        elif now < self.health.rests_until:
            return []
        elif self.health.doubted:
            until = float("inf")  # one of those that wait, to find out whether the receiver is back
        if room <= 0:
            return []
        try:
            found = await self._threads.undelivered(self._undelivered.due, self._webhook.name, until, room, list(self._busy))
        except ArchiveError as error:
            self._note_trouble(error)
            return []
        self._overlooked |= len(found) == room
        return found

    async def _serve(self, receiver: WebhookReceiver, queue: Queue) -> None:
        """Send what is due of one call. Whatever goes wrong here ends this one call's turn."""
        try:
            await self._send_all(receiver, queue)
            self._note_recovery()
            if self._overlooked:
                self._overlooked = False
                self.look_soon()
        except ArchiveError as error:
            self._note_trouble(error)
        except Exception:
            log.exception("webhook %s: a call cannot be served now", self._webhook.name)
        finally:
            self._busy.discard(queue.number)

    async def _send_all(self, receiver: WebhookReceiver, queue: Queue) -> None:
        for _ in range(PORTIONS):
            found = await self._threads.undelivered(self._undelivered.pending, queue, self._webhook.events)
            if not found:
                await self._threads.undelivered(self._undelivered.settle, queue)
                return
            call = await self._threads.undelivered(self._threads.archive.find, found[0].call_sid)
            if not isinstance(call, StoredCall):
                return
            for pending in found:
                if not self.on_duty or (served := await self._send(receiver, queue, pending, call)) is None:
                    return
                queue = served
        self.look_soon()

    async def _send(self, receiver: WebhookReceiver, queue: Queue, pending: Pending, call: StoredCall) -> Queue | None:
        """Send an event. Return the queue as it is then. None if the next one of its call may not be sent at once, or there is none."""
        made = await self._message(pending, call)
        if made is None:
            return await self._delivered(queue, pending)
        now = self._wall()
        if self.health.hopeless(now) and now < self.health.rests_until:
            return await self._give_up(queue, pending, made, now)
        outcome = await receiver.post(made)
        if outcome.problem:
            return await self._failed(queue, pending, made, outcome)
        self._counters.delivered += 1
        served = await self._delivered(queue, pending)
        if self.health.succeeded():
            log.info("webhook %s: its receiver takes messages again", self._webhook.name)
            await self._threads.undelivered(self._undelivered.hurry, self._webhook.name)
            self.look_soon()
        return served

    async def _delivered(self, queue: Queue, pending: Pending) -> Queue | None:
        kept = await self._threads.undelivered(self._undelivered.delivered, queue, pending)
        done = queue.done if pending.again else pending.offset
        return replace(queue, done=done, failures=0, failing_since=None) if kept else None

    async def _message(self, pending: Pending, call: StoredCall) -> WebhookMessage | None:
        """Make the message of an event. None for one that is not to be sent: of a call that the webhook does not want."""
        name = self._webhook.name
        if not self._webhook.wants(call.facts):
            return None
        try:
            if self._webhook.record and type_of(pending.payload) == WITH_RECORD:
                return await self._threads.undelivered(self._with_record, pending)
            return message(name, pending.offset, pending.payload, call)
        except ValueError:
            log.error("webhook %s: call=%s event %d cannot be read, and is not sent", name, pending.call_sid, pending.offset)
            return None

    def _with_record(self, pending: Pending) -> WebhookMessage | None:
        """Read the whole call, in a thread. None if it was erased."""
        whole = self._threads.archive.log(pending.call_sid)
        return None if whole is None else message(self._webhook.name, pending.offset, pending.payload, whole.call, whole)

    async def _failed(self, queue: Queue, pending: Pending, made: WebhookMessage, outcome: Outcome) -> Queue | None:
        self._counters.failed += 1
        now, name = self._wall(), self._webhook.name
        log.info("webhook %s: call=%s event %d: the receiver %s", name, pending.call_sid, pending.offset, outcome.problem)
        if self.health.failed(outcome, now):
            log.warning("webhook %s: its receiver %s. It is tried again, and what it has not taken waits", name, outcome.problem)
        if not is_over(0.0 if pending.again else _unix(made.at), queue.failing_since, now):
            await self._put_off(queue, next_attempt(queue.failures + 1, outcome, now), outcome.problem)
            return None
        await self._set_aside(queue, pending, outcome.problem)
        return None if self.health.doubted else queue

    async def _give_up(self, queue: Queue, pending: Pending, made: WebhookMessage, now: float) -> Queue | None:
        """Do without an attempt what a failed one would lead to: the receiver has been failing for a day."""
        if pending.again or now - _unix(made.at) < GIVE_UP_SECONDS:
            await self._put_off(queue, now + OF_CALL.longest_seconds, AWAY)
            return None
        await self._set_aside(queue, pending, AWAY)
        return queue

    async def _put_off(self, queue: Queue, until: float, problem: str) -> None:
        await self._threads.undelivered(self._undelivered.failed, queue, self._wall(), until, problem)

    async def _set_aside(self, queue: Queue, pending: Pending, problem: str) -> None:
        self._counters.set_aside += 1
        await self._threads.undelivered(self._undelivered.set_aside, queue, pending, self._wall(), problem)
        log.error("webhook %s: call=%s event %d is a dead letter: %s", self._webhook.name, pending.call_sid, pending.offset, problem)

    def _note_trouble(self, error: ArchiveError) -> None:
        if not self._trouble:
            log.warning("webhook %s: nothing can be sent now: %s", self._webhook.name, error.problem)
        self._trouble = error.problem

    def _note_recovery(self) -> None:
        if self._trouble:
            log.info("webhook %s: messages are sent again", self._webhook.name)
        self._trouble = ""


def _unix(at: str) -> float:
    """Return a moment as events carry it in Unix seconds. 0 for what is no moment."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
