"""What one node asks another, and its answers. A request that is not answered in time fails; whoever asks decides whether to ask again.

Knows messages. Does not know what is asked.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import msgspec

from hub.broker.bodies import node_topic
from hub.broker.broker import Broker, BrokerError
from hub.errors import HubError

log = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
"""How long a node has for an answer, unless whoever asks says otherwise."""

UNANSWERED = 0
"""The number of what a node is told, and does not answer."""

Raw = msgspec.Raw
Handler: TypeAlias = Callable[[str, Raw], Awaitable[object]]
"""Takes the id of the node that asks, and what it asks as JSON. Returns what is answered, or raises a HubError whose text is."""

T = TypeVar("T")


class NodeRefused(HubError):
    """Another node answered that it does not do what it was asked."""

    code = "refused"


class _Asked(msgspec.Struct, tag="ask", tag_field="t"):
    id: int
    by: str
    kind: str
    body: Raw


class _Answered(msgspec.Struct, tag="answer", tag_field="t", omit_defaults=True):
    id: int
    body: Raw = Raw(b"null")
    refused: str = ""


_messages = msgspec.json.Decoder(_Asked | _Answered)


class Requests:
    """This node's questions to others, and theirs to it."""

    def __init__(self, broker: Broker, node_id: str, group: asyncio.TaskGroup) -> None:
        """Handlers run in tasks of `group`. The node's own topic is listened to from here on."""
        self._broker = broker
        self._node_id = node_id
        self._group = group
        self._handlers: dict[str, Handler] = {}
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[_Answered]] = {}
        self.topic = node_topic(node_id)
        broker.listen(self.topic)

    def on(self, kind: str, handler: Handler) -> None:
        """Have requests of this kind answered by `handler`."""
        self._handlers[kind] = handler

    async def ask(self, node_id: str, kind: str, body: object, answer: type[T], seconds: float = ANSWER_SECONDS) -> T:
        """Ask another node and return its answer. Raises: BrokerError if none comes in time; NodeRefused."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        asked = _Asked(number, self._node_id, kind, Raw(msgspec.json.encode(body)))
        try:
            async with asyncio.timeout(seconds):
                await self._broker.send([(node_topic(node_id), msgspec.json.encode(asked))])
                answered = await future
        except TimeoutError as error:
            raise BrokerError(f"node {node_id} does not answer") from error
        finally:
            del self._waiting[number]
        if answered.refused:
            raise NodeRefused(answered.refused)
        try:
            return msgspec.json.decode(answered.body, type=answer)
        except msgspec.DecodeError as error:
            raise BrokerError(f"node {node_id} gave an answer that could not be read") from error

    async def tell(self, node_id: str, kind: str, body: object) -> None:
        """Tell another node something that it does not answer. It may be lost. Raises: BrokerError."""
        asked = _Asked(UNANSWERED, self._node_id, kind, Raw(msgspec.json.encode(body)))
        await self._broker.send([(node_topic(node_id), msgspec.json.encode(asked))])

    def received(self, body: bytes) -> None:
        """Take a message to this node. Never waits."""
        try:
            message = _messages.decode(body)
        except msgspec.DecodeError:
            log.warning("another node sent something that cannot be read; is its version newer?")
            return
        match message:
            case _Asked():
                self._group.create_task(self._answer(message))
            case _Answered(id=number):
                future = self._waiting.get(number)
                if future is not None and not future.done():
                    future.set_result(message)

    async def _answer(self, asked: _Asked) -> None:
        handler = self._handlers.get(asked.kind)
        try:
            if handler is None:
                raise NodeRefused(f"this version does not know the request {asked.kind}")
            answered = _Answered(asked.id, Raw(msgspec.json.encode(await handler(asked.by, asked.body))))
        except HubError as error:
            answered = _Answered(asked.id, refused=str(error))
        except Exception:
            log.exception("a request of another node failed")
            answered = _Answered(asked.id, refused="the node failed; its log says more")
        if asked.id == UNANSWERED:
            return
        try:
            await self._broker.send([(node_topic(asked.by), msgspec.json.encode(answered))])
        except BrokerError as error:
            log.warning("node %s gets no answer: %s", asked.by, error.problem)
