"""What nodes still have of a call that its owner cannot tell any more, and that the broker has lost: the events in their replicas.

Knows the registry and the other nodes. Does not know what becomes of the call.
"""

import asyncio

import msgspec

from hub.broker.broker import BrokerError
from hub.cluster.membership import Membership
from hub.cluster.requests import NodeRefused, Requests
from hub.topics.registry import Registry

COPY = "copy"
"""Asks a node for what it has of a call."""


class _Wanted(msgspec.Struct):
    call_sid: str
    epoch: str


class _Copy(msgspec.Struct):
    first: int
    payloads: list[msgspec.Raw]


class ReplicaLogs:
    """The logs that replicas have, on this node and on the others."""

    def __init__(self, registry: Registry, requests: Requests, membership: Membership) -> None:
        self._registry = registry
        self._requests = requests
        self._membership = membership
        requests.on(COPY, self._on_copy)

    async def longest(self, call_sid: str, epoch: str) -> tuple[int, list[bytes]]:
        """Return the offset of the first event and all events of the replica that has the newest ones. No events if there is none.

        A node that does not answer has nothing.
        """
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(node.id, call_sid, epoch)) for node in self._membership.others()]
        copies = [self._here(call_sid, epoch), *(task.result() for task in asked)]
        longest = max(copies, key=lambda copy: copy.first + len(copy.payloads))
        return longest.first, [bytes(payload) for payload in longest.payloads]

    def _here(self, call_sid: str, epoch: str) -> _Copy:
        record = self._registry.known(call_sid)
        if record is None or not record.loaded or record.topic.log.epoch != epoch:
            return _Copy(1, [])
        log = record.topic.log
        return _Copy(log.first, [msgspec.Raw(payload) for payload in log.after(log.first - 1)])

    async def _ask(self, node_id: str, call_sid: str, epoch: str) -> _Copy:
        try:
            return await self._requests.ask(node_id, COPY, _Wanted(call_sid, epoch), _Copy)
        except (BrokerError, NodeRefused):
            return _Copy(1, [])

    async def _on_copy(self, _: str, body: msgspec.Raw) -> _Copy:
        wanted = msgspec.json.decode(body, type=_Wanted)
        return self._here(wanted.call_sid, wanted.epoch)
