"""Brings a call that is about to be followed: from the archive, or from the node that owns it, as far as the subscriber has it already.

Knows where calls can be. Does not know the subscriber's connection.
"""

import asyncio

from hub.archive.archive import ArchiveError, Tombstone
from hub.broker.broker import BrokerError
from hub.events import Position
from hub.web.doors.subscriptions import Subscriptions
from hub.web.state import State

PATIENCE_SECONDS = 3.0
"""How long a call of another node is tried. A connection to the broker that was lost is noticed and made again in this time."""

AGAIN_SECONDS = 0.25
"""How often."""


async def bring(state: State, subscriptions: Subscriptions, call_sid: str, after: Position | None) -> bool | None:
    """Bring a call. `after`: what the subscriber has of it.

    Returns True if it may be followed in this turn of the event loop. False if it is gone for good, and None if the archive cannot be read
    now: the subscriber is told which. Raises: BrokerError for a call of another node that cannot be read now.
    """
    record = state.registry.find(call_sid)
    if record is not None and record.loaded and (not record.owner or after is None or after.offset <= record.topic.log.offset):
        return True
    try:
        found = await state.recall.find(subscriptions.grant, call_sid)
    except ArchiveError as error:
        subscriptions.refuse(error.code, str(error), call_sid)
        return None
    except BrokerError:
        pass
    else:
        if isinstance(found, Tombstone):
            subscriptions.refuse("erased", f"this call was erased: {found.reason}", call_sid)
            return False
        if found is None or state.cluster is None:
            return True  # whoever follows it is told that there is none
    return await _from_its_owner(state, call_sid, after)


async def reached(state: State, call_sid: str, after: Position | None) -> None:
    """Return once a call is here as far as a subscriber has it. Raises: BrokerError for one of another node that cannot be read now."""
    record = state.registry.find(call_sid)
    if state.cluster is None or record is None or not record.owner:
        return
    if not record.loaded or (after is not None and after.offset > record.topic.log.offset):
        await _from_its_owner(state, call_sid, after)


async def _from_its_owner(state: State, call_sid: str, after: Position | None) -> bool:
    """Bring a call of another node as far as the subscriber has it: a position can be newer than what is here. Raises: BrokerError."""
    assert state.cluster is not None
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (record := state.registry.find(call_sid)) is not None:
        is_late = asyncio.get_running_loop().time() >= until
        try:
            if await state.cluster.replicas.reach(record, after) or is_late:
                break  # a position that nobody has reached is answered as on one node: it is not whole
        except BrokerError:
            if is_late:
                raise
        await asyncio.sleep(AGAIN_SECONDS)
    return True
