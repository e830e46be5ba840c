"""The seam of these commands: what is kept, at a hub that runs, or in an archive that no hub uses."""

from collections.abc import AsyncIterator
from typing import Protocol

from hub.archive.archive import AccessFilter, AuditRow
from hub.archive.erasing import Erased
from hub.errors import HubError

PAGE = 1000
"""Rows of the audit log that are read at once."""


class UpkeepError(HubError):
    """What a command was to do could not be done. The text is for the person who gave it."""

    code = "upkeep"


class Keeping(Protocol):
    """What is kept. The methods raise UpkeepError, ArchiveError and ConfigError."""

    async def erase_call(self, call_sid: str) -> Erased:
        """Erase a call, and return when every byte is gone."""

    async def erase_number(self, number: str) -> Erased:
        """Erase all calls from or to a number that have ended."""

    async def hold(self, call_sid: str, *, held: bool) -> None:
        """Put a legal hold on a call, or release it."""

    def audit(self, wanted: AccessFilter) -> AsyncIterator[list[AuditRow]]:
        """Yield the rows of the audit log that fit, a page at a time, in their order."""
