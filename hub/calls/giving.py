"""Gives calls of this node to another one that asks for them, since the call's stream has come there.

The order is what makes it safe. First the call is cut and its last words are published, while everything behind the cut is kept. Then the
broker has all events, and a note for whoever may have to go on with the call. Only then the broker makes the call the other node's. After
that the streams here are closed. Whatever fails before leaves the call here, and what was kept is transcribed here.

Readers of the call on this node stay: it is another node's call from then on, which is read here as before.

Knows the calls of this node, and the broker. Does not know what the other node does with the call (`asking.py`).
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from hub import events
from hub.audio.g711 import Track
from hub.broker.broker import BrokerError, Claimed, Held
from hub.calls.call import Call
from hub.calls.calls import Calls
from hub.calls.departure import LAST_WORDS_SECONDS, SEARCH_SECONDS, Departure
from hub.calls.hand_over import HAND_OVER, HandedOver, Wanted
from hub.calls.publisher import Publisher
from hub.calls.takeover import TakeOver
from hub.calls.transcribed import TranscribedCall
from hub.cluster.cluster import Cluster
from hub.cluster.requests import NodeRefused
from hub.topics.record import LeftOff, Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

SURE_MS = 500.0
"""The cut lies so far behind what the other node says is the beginning of its audio: the clocks of the two differ by less, and the second
before the cut, by which they agree, is partly there."""

KEPT_SECONDS = 5.0
"""How long the broker may take to have the last events. Meanwhile the call is transcribed by nobody."""

REMEMBERED_SECONDS = 60.0
"""How long an answer is remembered, for a node that asks again because it did not get it."""

REFUSED_SECONDS = 2.0
"""How long a refusal is remembered: a node asks three times in a second, and subscribers are told once."""

Given: TypeAlias = HandedOver | NodeRefused


@dataclass(slots=True)
class _Gift:
    """A call on its way to another node, or given a short while ago."""

    to: str
    given: "asyncio.Future[Given]"

    @property
    def handed_over(self) -> bool:
        """Whether the answer is that it is given."""
        return self.given.done() and isinstance(self.given.result(), HandedOver)

    @property
    def refused(self) -> bool:
        """Whether the answer is that it is not given."""
        return self.given.done() and isinstance(self.given.result(), NodeRefused)


class Giving:
    """Gives this node's calls to others."""

    def __init__(self, registry: Registry, calls: Calls, cluster: Cluster, take_over: TakeOver, group: asyncio.TaskGroup) -> None:
        """Calls are given in tasks of `group`."""
        self._registry = registry
        self._calls = calls
        self._cluster = cluster
        self._take_over = take_over
        self._group = group
        self._gifts: dict[str, _Gift] = {}
        """By callSid."""
        cluster.requests.on(HAND_OVER, self._asked)

    async def _asked(self, by: str, body: msgspec.Raw) -> HandedOver:
        """Answer a node that asks for a call. Raises: NodeRefused."""
        try:
            wanted = msgspec.json.decode(body, type=Wanted)
        except msgspec.DecodeError as error:
            raise NodeRefused("asked for a call in a way that this version cannot read") from error
        gift = self._gifts.get(wanted.call_sid)
        if gift is None or (gift.refused and gift.to != by) or (gift.handed_over and self._has(wanted.call_sid)):
            gift = self._gifts[wanted.call_sid] = _Gift(by, asyncio.get_running_loop().create_future())
            self._group.create_task(self._run(wanted, gift))
        elif gift.to != by:
            raise NodeRefused("this call is on its way to another node")
        given = await asyncio.shield(gift.given)
        if isinstance(given, NodeRefused):
            raise given
        return given

    async def _run(self, wanted: Wanted, gift: _Gift) -> None:
        """Give a call, and remember the answer for a while."""
        given: Given = NodeRefused("the node failed; its log says more")
        try:
            given = await self._give(wanted, gift.to)
        except Exception:  # a call is a unit: it goes on here, and so do the others
            log.exception("call=%s could not be given to node %s", wanted.call_sid, gift.to)
        finally:
            gift.given.set_result(given)
            seconds = REFUSED_SECONDS if gift.refused else REMEMBERED_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._forget, wanted.call_sid, gift)

    def _has(self, call_sid: str) -> bool:
        """Return whether a call is this node's. One that was given away may have come back, for example from a node that died."""
        record = self._registry.known(call_sid)
        return record is not None and not record.owner and bool(record.generation)

    def _forget(self, call_sid: str, gift: _Gift) -> None:
        if self._gifts.get(call_sid) is gift:
            del self._gifts[call_sid]

    async def _give(self, wanted: Wanted, to: str) -> Given:
        record = self._registry.known(wanted.call_sid)
        if record is None or not self._has(wanted.call_sid):
            return NodeRefused("this call is not this node's")
        call = self._calls.newest(wanted.call_sid)
        if call is None:
            if not self._take_over.awaits(wanted.call_sid) or record.left_off is None:
                return NodeRefused("this call is over")
            given = await self._hand(record, to, record.left_off)
            if isinstance(given, HandedOver):
                self._take_over.stream_came(wanted.call_sid)
            return given
        if isinstance(call, TranscribedCall) and call.accepts:
            return await self._give_transcribed(call, wanted, to)
        if call.holds:
            return NodeRefused("this call is served already")
        return await self._give_ending(call, to)

    async def _give_ending(self, call: Call, to: str) -> Given:
        """Give a call whose stream has left, once its last words are published."""
        call.give_way()
        await self._calls.published(call)
        record, left_off = call.record, call.record.left_off
        assert left_off is not None
        given = await self._hand(record, to, left_off)
        if isinstance(given, NodeRefused) and not record.owner:
            Publisher(record, self._registry).ended("stream-lost", left_off.call_ms, {}, complete=False, lost=left_off.lost)
        return given

    async def _give_transcribed(self, call: TranscribedCall, wanted: Wanted, to: str) -> Given:
        """Give a call that is transcribed: up to a cut here, and from there on at the other node."""
        record = call.record
        missing = [track for track in call.sources if track not in wanted.tracks]
        if missing and not wanted.agent:
            reason = f"it came to another node than the stream of the {missing[0]} track: use one stream with both_tracks"
            Publisher(record, self._registry).publish(
                events.StreamFailed(call_sid=record.call_sid, stream_sid=wanted.stream_sid, reason=reason)
            )
            return NodeRefused(f"this stream does not bring the {missing[0]} track, which comes by a stream to another node")
        began_ms = call.spoken_ms - (self._registry.wall() - wanted.since) * 1000
        departure = Departure(began_ms + SURE_MS, at_once=wanted.agent)
        call.depart(departure)
        try:
            async with asyncio.timeout(SEARCH_SECONDS + LAST_WORDS_SECONDS + 1.0):
                await departure.said.wait()
            if departure.stays:
                return NodeRefused("this call goes on at this node")
            assert departure.cut_ms is not None
            at = self._registry.clock() - (call.spoken_ms - departure.cut_ms) / 1000
            left_off = LeftOff(departure.cut_ms, at, call.timeline.lost())
            given = await self._hand(record, to, left_off, departure.sample())
            departure.decide(moved=isinstance(given, HandedOver))
            return given
        except TimeoutError:
            return NodeRefused("this call's last words take too long")
        finally:
            departure.decide(moved=False)

    async def _hand(self, record: Record, to: str, left_off: LeftOff, sample: dict[Track, bytes] | None = None) -> Given:
        """Make a call another node's, all of whose words are published here."""
        try:
            async with asyncio.timeout(KEPT_SECONDS):
                await self._cluster.keeper.kept(record)
        except TimeoutError:
            return NodeRefused("the broker does not take this call's events")
        if record.owner:
            return NodeRefused("this call is another node's by now")
        if self._cluster.membership.named(to) is None:
            return NodeRefused(f"node {to} is gone")
        generation = record.generation
        record.held_back, record.owner = [], to  # the news of it may come before the broker's answer
        try:
            claim = await self._cluster.broker.hand_over(record.call_sid, generation, to)
            moved = isinstance(claim, Claimed) or (isinstance(claim, Held) and claim.row.owner == to)
        except BrokerError as error:
            log.warning("call=%s is not handed over: %s", record.call_sid, error.problem)
            moved = record.generation > generation
        if not moved:
            self._registry.own(record, generation)
            return NodeRefused("the broker does not hand this call over")
        record.generation, record.held_back = generation + 1, None
        recorded = self._calls.recorder is not None and self._calls.recorder.moved(record, left_off.call_ms)
        self._cluster.gave(record)
        log.info("call=%s goes on at node %s", record.call_sid, to)
        return HandedOver(
            generation=record.generation,
            offset=record.topic.log.entered,
            cut_ms=left_off.call_ms,
            at=self._registry.wall() - (self._registry.clock() - left_off.at),
            settled_ms=left_off.settled_ms,
            lost=left_off.lost,
            words_missing=record.words_missing,
            recorded=recorded or bool(record.recorded_ms),
            utterances=record.utterances.numbers,
            sample=sample or {},
        )
