"""What a call's log says of orders to steer it: the log is all that is remembered of them.

Knows events. Does not know how an order is taken or done.
"""

from collections.abc import Iterator

import msgspec

from hub.calls.order import BadOrder, Order
from hub.events import Steered
from hub.topics.record import Record

GONE = "the hub that was doing it is gone, and nobody knows whether it was done"

_STEERED = b'{"type":"steered"'
"""How the payload of such an event begins: the others need not be decoded to be told apart."""

_decoder = msgspec.json.Decoder(Steered)


def known(record: Record, order: Order) -> Steered | None:
    """Return the newest event about an order. None if the call has none. Raises: BadOrder if its id is another order's."""
    event: Steered | None = None
    for each in _steered(record):
        if each.order == order.id:
            event = each
    if event is not None and (event.by, event.action) != (order.by, order.action):
        raise BadOrder("the id of this order is another one's: choose a new id for each order")
    return event


def given_up(record: Record) -> list[Steered]:
    """Return what is to be published of orders of which nobody will ever tell what became: the process that was doing them is gone."""
    found = {event.order: event for event in _steered(record)}
    return [msgspec.structs.replace(event, state="failed", reason=GONE, text=None) for event in found.values() if event.state == "asked"]


def _steered(record: Record) -> Iterator[Steered]:
    log = record.topic.log
    return (_decoder.decode(payload) for payload in log.entered_after(log.first - 1) if payload.startswith(_STEERED))
