"""What has to be done by the node that owns a call: this node asks for it where the call is another's, and does it for other nodes.

Knows what nodes ask each other about calls. Does not know how messages travel (`hub/cluster/requests.py`).
"""

import logging

import msgspec

from hub.calls.calls import Calls
from hub.cluster.cluster import Cluster
from hub.cluster.replicas import LISTENING
from hub.errors import HubError
from hub.topics.record import Record
from hub.topics.registry import Registry

log = logging.getLogger(__name__)

STREAM_FAILED, SWITCH_RECORDING = "stream-failed", "switch-recording"


class _StreamFailed(msgspec.Struct, frozen=True):
    call_sid: str
    stream_sid: str
    reason: str


class _SwitchRecording(msgspec.Struct, frozen=True):
    call_sid: str
    paused: bool


class Elsewhere:
    """The calls of other nodes, as far as something has to be done with them, and this node's calls for the other nodes."""

    def __init__(self, registry: Registry, calls: Calls, cluster: Cluster) -> None:
        """From here on other nodes are answered."""
        self._registry = registry
        self._calls = calls
        self._cluster = cluster
        cluster.requests.on(LISTENING, self._on_listening)
        cluster.requests.on(STREAM_FAILED, self._on_stream_failed)
        cluster.requests.on(SWITCH_RECORDING, self._on_switch_recording)

    async def stream_failed(self, record: Record, stream_sid: str, reason: str) -> None:
        """Have a call's owner publish what Twilio says went wrong with a stream. It is lost where the owner cannot be reached."""
        try:
            await self._cluster.requests.ask(record.owner, STREAM_FAILED, _StreamFailed(record.call_sid, stream_sid, reason), type(None))
        except HubError as error:
            log.warning("call=%s its owner does not know that a stream failed: %s", record.call_sid, error)

    async def switch_recording(self, record: Record, *, paused: bool) -> str:
        """Have a call's owner pause or resume its recording. Returns why it is not recorded, empty if it is. Raises: BrokerError."""
        return await self._cluster.requests.ask(record.owner, SWITCH_RECORDING, _SwitchRecording(record.call_sid, paused), str)

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
