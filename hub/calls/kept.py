"""What of a running hub outlives the process: the archive with its threads, and what stands around it. The same parts, idle, without one.

Opened before the hub takes calls and closed after the last was finished. Knows which parts there are; does not know how they work.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from hub.archive.access_log import AccessLog
from hub.archive.archive import ArchiveError
from hub.archive.mark import BehindMark, mark_of
from hub.archive.opening import open_archive
from hub.archive.threads import ArchiveThreads
from hub.calls.keeper import Keeper
from hub.calls.recall import Recall, restored
from hub.calls.takeover import LeftCall
from hub.errors import ConfigError
from hub.topics.registry import Registry
from hub.topics.stores import Stores

log = logging.getLogger(__name__)

SEAL_SECONDS = 5.0
"""How often it is looked whether calls have ended and are to be sealed. Until then their words are found in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPast:
    """The parts of a hub that calls outlive the process by."""

    recall: Recall
    access_log: AccessLog
    archive: ArchiveThreads | None = None
    """None where everything is in memory only."""
    keeper: Keeper | None = None
    stores: Stores | None = None
    """Where events are stored. None where nothing outlives the process."""
    left: list[LeftCall] = field(default_factory=list)
    """Calls that an earlier process left behind."""

    async def seal(self) -> None:
        """Seal calls that have ended, until cancelled."""
        if (threads := self.archive) is None:
            return
        while True:
            try:
                while await threads.upkeep(threads.archive.seal):
                    pass
            except ArchiveError as error:
                log.warning("ended calls are not sealed yet: %s", error.problem)
            await asyncio.sleep(SEAL_SECONDS)


@asynccontextmanager
async def kept(where: str, registry: Registry, keep_seconds: float, node: str = "") -> AsyncIterator[KeptPast]:
    """Open the archive that `where` names (see HUB_ARCHIVE) and make the calls known again that were live. Empty: there is no archive.

    `node`: the id of a cluster's node. It shares the archive with the other nodes, whose calls go on: they are not made known here.
    Raises: ConfigError if it cannot be opened, or belongs to another hub that runs.
    """
    if not where:
        yield KeptPast(recall=Recall(registry, None, keep_seconds), access_log=AccessLog(time.time))
        return
    try:
        threads = await ArchiveThreads.opened(partial(open_archive, where, node=node))
    except ArchiveError as error:
        raise ConfigError("HUB_ARCHIVE", error.problem) from error
    try:
        async with _keeping(registry, threads, keep_seconds, None if node else BehindMark(mark_of(where))) as past:
            yield past
    finally:
        await threads.close()


@asynccontextmanager
async def _keeping(registry: Registry, threads: ArchiveThreads, keep_seconds: float, mark: BehindMark | None) -> AsyncIterator[KeptPast]:
    """Keep all calls of the registry in the archive, from those on that were left behind. `mark`: None in a cluster, which has its own."""
    access_log = AccessLog(time.time, lambda: keeper.audit_soon())
    registry.stored_first = True
    try:
        left = await restored(registry, threads, trusted=mark.trusted) if mark is not None else []
    except ArchiveError as error:
        raise ConfigError("HUB_ARCHIVE", error.problem) from error
    stores = Stores(registry, mark)
    keeper = Keeper(registry, stores, threads, access_log)
    stores.add(keeper)
    try:
        recall = Recall(registry, threads, keep_seconds)
        yield KeptPast(recall=recall, access_log=access_log, archive=threads, keeper=keeper, stores=stores, left=left)
    finally:
        await keeper.close()
        stores.close()
