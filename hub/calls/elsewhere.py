"""What has to be done by the node that owns a call: this node asks for it where the call is another's, and does it for other nodes.

Knows what nodes ask each other about calls. Does not know how messages travel (`hub/cluster/requests.py`).
"""

import asyncio
import logging

import msgspec

from hub import events
from hub.broker.broker import Claimed
from hub.calls.calls import Calls
from hub.calls.order import NotTaken, Order
from hub.calls.publisher import Publisher
from hub.calls.steering import SteeringDesk
from hub.calls.taking import Taking
from hub.cluster.cluster import Cluster
from hub.cluster.replicas import LISTENING
from hub.cluster.requests import NodeRefused
from hub.errors import HubError
from hub.events import Durable, decode_durable, encode
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

STREAM_FAILED, SWITCH_RECORDING, PUBLISH, ORDER = "stream-failed", "switch-recording", "publish", "order"


class _StreamFailed(msgspec.Struct, frozen=True):
    call_sid: str
    stream_sid: str
    reason: str


class _SwitchRecording(msgspec.Struct, frozen=True):
    call_sid: str
    paused: bool


class _Ordered(msgspec.Struct, frozen=True):
    call_sid: str
    order: Order


class _Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far an order is. None where it was not taken: then there is a code, and why."""

    event: events.Steered | None = None
    code: str = ""
    problem: str = ""


class Elsewhere:
    """The calls of other nodes, as far as something has to be done with them, and this node's calls for the other nodes."""

    def __init__(self, registry: Registry, calls: Calls, cluster: Cluster, taking: Taking, group: asyncio.TaskGroup) -> None:
        """From here on other nodes are answered. What takes its time runs in tasks of `group`."""
        self._registry = registry
        self._calls = calls
        self._cluster = cluster
        self._taking = taking
        self._group = group
        self.steering: SteeringDesk | None = None
        """What takes the orders for this node's calls. It is set before the first call."""
        cluster.directory.on_erased = self._erased_elsewhere
        for kind, handler in {
            LISTENING: self._on_listening,
            STREAM_FAILED: self._on_stream_failed,
            SWITCH_RECORDING: self._on_switch_recording,
            PUBLISH: self._on_publish,
            ORDER: self._on_order,
        }.items():
            cluster.requests.on(kind, handler)

    async def stream_failed(self, record: Record, stream_sid: str, reason: str) -> None:
        """Have a call's owner publish what Twilio says went wrong with a stream. It is lost where the owner cannot be reached."""
        try:
            await self._cluster.requests.ask(record.owner, STREAM_FAILED, _StreamFailed(record.call_sid, stream_sid, reason), type(None))
        except HubError as error:
            log.warning("call=%s its owner does not know that a stream failed: %s", record.call_sid, error)

    async def switch_recording(self, record: Record, *, paused: bool) -> str:
        """Have a call's owner pause or resume its recording. Returns why it is not recorded, empty if it is. Raises: HubError."""
        return await self._cluster.requests.ask(record.owner, SWITCH_RECORDING, _SwitchRecording(record.call_sid, paused), str)

    async def order(self, record: Record, order: Order) -> events.Steered:
        """Have a call's owner take an order. Raises: NotTaken, and BrokerError if it does not answer in time."""
        try:
            taken = await self._cluster.requests.ask(record.owner, ORDER, _Ordered(record.call_sid, order), _Taken)
        except NodeRefused as error:
            raise NotTaken("unavailable", f"node {record.owner}: {error}; send the order again, with the same id") from error
        if taken.event is None:
            raise NotTaken(taken.code, taken.problem)
        return taken.event

    async def publish(self, record: Record, event: Durable) -> None:
        """Have a call's owner publish an event. If that node is gone and the call is over, the call becomes this node's.

        Raises: HubError if it cannot be done now.
        """
        if record.live or self._cluster.membership.named(record.owner) is not None:
            await self._cluster.requests.ask(record.owner, PUBLISH, msgspec.Raw(encode(event)), type(None))
            return
        claim = await self._cluster.broker.claim(
            record.call_sid, self._cluster.node_id, epoch=record.topic.log.epoch, number=record.number, heard=record.generation
        )
        if not isinstance(claim, Claimed):
            raise NodeRefused("the call is another node's by now")
        left = await self._taking.take(claim)
        Publisher(left.record, self._registry).publish_late(event)

    # for other nodes

    async def _on_listening(self, _: str, body: msgspec.Raw) -> None:
        record = self._registry.known(msgspec.json.decode(body, type=str))
        if record is not None:
            self._cluster.keeper.listened(record)

    async def _on_stream_failed(self, _: str, body: msgspec.Raw) -> None:
        failed = msgspec.json.decode(body, type=_StreamFailed)
        self._calls.stream_failed(failed.call_sid, failed.stream_sid, failed.reason)

    async def _on_switch_recording(self, _: str, body: msgspec.Raw) -> str:
        wanted = msgspec.json.decode(body, type=_SwitchRecording)
        return self._calls.switch_recording(wanted.call_sid, paused=wanted.paused)

    async def _on_publish(self, _: str, body: msgspec.Raw) -> None:
        event = decode_durable(bytes(body))
        record = self._registry.known(event.call_sid) if event is not None else None
        if event is None or record is None or record.owner:
            raise NodeRefused("this call is not this node's, or not known any more")
        Publisher(record, self._registry).publish_late(event)

    async def _on_order(self, _: str, body: msgspec.Raw) -> _Taken:
        ordered = msgspec.json.decode(body, type=_Ordered)
        record = self._registry.known(ordered.call_sid)
        if self.steering is None or record is None or record.owner:
            raise NodeRefused("this call is not this node's, or not known any more")
        try:
            return _Taken(self.steering.take(record, ordered.order))
        except NotTaken as error:
            return _Taken(code=error.refusal_code, problem=str(error))

    def _erased_elsewhere(self, call_sid: str) -> None:
        if self._calls.recorder is not None:
            self._group.create_task(self._erase_spool(call_sid))

    async def _erase_spool(self, call_sid: str) -> None:
        assert self._calls.recorder is not None
        try:
            await self._calls.recorder.recordings.storing.erase_spool(call_sid)
        except (HubError, OSError) as error:
            log.warning("call=%s its sound on this node is erased later: %s", call_sid, error)
