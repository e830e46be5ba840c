"""Keeps the copy of another node's call in step with what that node publishes, and makes it this node's call.

Nothing here awaits: an event is in the copy's log, and handed to everyone, before anything else can run. Knows events and records. Does not
know how they come.
"""

from hub.events import WHOLE_CALL, Durable, decode_durable
from hub.topics.past import Past
from hub.topics.record import Record, closed_by
from hub.topics.registry import Registry


def replicate(registry: Registry, record: Record, payload: bytes) -> str | None:
    """Hand everyone the next event of a call of another node, as that node numbered it.

    Returns what it ends: the utterance, if it is a final. An event of a type that this version does not know is passed on unread.
    """
    event = decode_durable(payload)
    topic = record.topic
    past = record.past = record.past or record.so_far()
    topic.log.enter_payload(payload)
    topic.log.release(topic.log.entered)
    was_live = record.live
    if event is not None:
        past.read(event)
    if was_live and not record.live:
        registry.ended_elsewhere(record)
    closed = closed_by(event) if event is not None else None
    topic.audience.published(closes=closed, last=not record.live)
    _announce_once(registry, record, event, payload)
    return closed


def announce(registry: Registry, record: Record, payload: bytes) -> None:
    """Tell those who follow the list about an event of another node's call that concerns the call as a whole, unless they were told.

    Where the events of the call are here, it is told when its turn comes among them (`replicate`).
    """
    event = decode_durable(payload)
    if event is not None and (not record.loaded or event.offset <= record.topic.log.offset):
        _announce_once(registry, record, event, payload)


def take(registry: Registry, record: Record, past: Past, generation: int) -> None:
    """Make a call of another node, which is gone, a call of this one. `past`: all that is stored of it."""
    if record.loaded:
        for payload in past.payloads[record.topic.log.offset + 1 - past.first :]:
            replicate(registry, record, payload)
        record.go_on_after(past)
    else:
        registry.fill(record, past)
    registry.own(record, generation)


def _announce_once(registry: Registry, record: Record, event: Durable | None, payload: bytes) -> None:
    if event is not None and event.offset > record.announced:
        record.announced = event.offset
        if isinstance(event, WHOLE_CALL):
            registry.announce(record, event, payload)
