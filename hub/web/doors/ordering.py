"""Takes an order of somebody who steers a call, for `/client` and for HTTP alike: checks who gives it, notes it, has it taken.

Knows tokens and requests. Does not know what becomes of an order (`hub/calls/orders.py`).
"""

import secrets

from hub.archive.archive import ArchiveError, Tombstone
from hub.broker.broker import BrokerError
from hub.calls.order import NotTaken, Order, spoken_text
from hub.events import Steering
from hub.tokens import Grant
from hub.topics.record import Record
from hub.web.doors import protocol as wire
from hub.web.doors.subscriptions import NO_SUCH_CALL
from hub.web.state import State

ID_BYTES = 9
"""The length of an id that the hub makes for an order without one."""


async def ordered(state: State, grant: Grant, request: wire.SteeringRequest) -> Steering:
    """Have an order taken; return how far it is. Raises: NotTaken."""
    if not grant.may("steer"):
        lacks = "the token lacks the right 'steer'" if state.config.secret else "without HUB_SECRET, nobody steers calls on this hub"
        raise NotTaken("not-allowed", lacks)
    order = order_of(request, grant.subject)
    record = await _call(state, grant, request.call_sid)
    await _noted(state, grant, order, record)
    try:
        event = await state.steering.steer(record, order)
    except BrokerError as error:
        raise NotTaken("unavailable", f"{error.problem}: send the order again, with the same id") from error
    return Steering(
        call_sid=record.call_sid, order=event.order, action=event.action, state=event.state, reason=event.reason, at=state.registry.now()
    )


def order_of(request: wire.SteeringRequest, subject: str) -> Order:
    """Return the order that a request is. Raises: NotTaken."""
    named = request.order or secrets.token_urlsafe(ID_BYTES)
    match request:
        case wire.SayRequest(text=text):
            order = Order(id=named, action="say", by=subject, text=spoken_text(text), when=request.when)
        case wire.TransferRequest(to=to):
            order = Order(id=named, action="transfer", by=subject, to=to.strip(), when=request.when)
        case wire.HangUpRequest():
            order = Order(id=named, action="hang-up", by=subject, when=request.when)
        case wire.TakeOverRequest(to=to):
            order = Order(id=named, action="take-over", by=subject, to=to.strip(), when=request.when)
    order.check()
    return order


async def _call(state: State, grant: Grant, call_sid: str) -> Record:
    """Return the call of an order. Raises: NotTaken."""
    try:
        found = await state.recall.find(grant, call_sid)
    except (ArchiveError, BrokerError) as error:
        raise NotTaken("unavailable", f"{error}: send the order again, with the same id") from error
    if isinstance(found, Tombstone):
        raise NotTaken("call-over", f"this call was erased: {found.reason}")
    if found is None:
        raise NotTaken("unknown-call", NO_SUCH_CALL)
    return found


async def _noted(state: State, grant: Grant, order: Order, record: Record) -> None:
    """Note who steers a call, before it is done: what cannot be noted is not done. Raises: NotTaken."""
    state.access_log.note(grant.subject, "steer", record.call_sid, order.action)
    try:
        await state.access_log.stored()
    except ArchiveError as error:
        raise NotTaken(error.code, str(error)) from error
