"""What a running hub keeps, reached by its HTTP API at the address that the settings give it.

Knows the hub's own doors. The token is made for the occasion: whoever has HUB_SECRET may sign one.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec

from hub import tokens
from hub.archive.archive import Access, AccessFilter, AuditRow
from hub.archive.erasing import Erased
from hub.config import Config
from hub.events import stamped
from hub.upkeep.keeping import PAGE, UpkeepError

CONNECT_SECONDS = 5.0
"""A hub on this machine takes a connection in a thousandth of this."""

ERASE_SECONDS = 3600.0
"""To erase means to rebuild the files of the archive: minutes, where they have many gigabytes."""

TOKEN_SECONDS = 2 * ERASE_SECONDS

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # to connect to, not to listen on


class RunningHub:
    """A running hub. Implements Keeping. To be used in `async with`."""

    def __init__(self, settings: Config, subject: str) -> None:
        """`subject`: who gives the command, for the audit log."""
        if not settings.port:
            raise UpkeepError("HUB_PORT is 0, so it cannot be known where the hub listens: set it to the port of the hub that runs")
        host = _ANYWHERE.get(settings.host, settings.host)
        self.url = f"{'https' if settings.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{settings.port}"
        self._archive = settings.archive
        self._headers: dict[str, str] = {}
        if settings.secret:
            token = tokens.mint(settings.secret, ["*"], TOKEN_SECONDS, rights=tokens.RIGHTS, subject=subject)
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls = _trusting(settings.tls_cert) if settings.tls_cert else None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ERASE_SECONDS, connect=CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def erase_call(self, call_sid: str) -> Erased:
        """See Keeping."""
        status, answer = await self._ask("DELETE", f"/calls/{quote(call_sid, safe='')}", {})
        if status in {404, 409, 410}:
            return Erased([], {call_sid: answer["error"]["message"]})
        return _erased(answer)

    async def erase_number(self, number: str) -> Erased:
        """See Keeping."""
        _, answer = await self._ask("DELETE", "/calls", {"number": number})
        return _erased(answer)

    async def hold(self, call_sid: str, *, held: bool) -> None:
        """See Keeping."""
        status, answer = await self._ask("PUT" if held else "DELETE", f"/calls/{quote(call_sid, safe='')}/hold", {})
        if status != 200:
            raise UpkeepError(f"{call_sid}: {answer['error']['message']}")

    async def audit(self, wanted: AccessFilter) -> AsyncIterator[list[AuditRow]]:
        """See Keeping."""
        query = {
            "from": None if wanted.since is None else stamped(wanted.since), "to": None if wanted.until is None else stamped(wanted.until),
            "subject": wanted.subject, "action": wanted.action, "call": wanted.call_sid, "limit": str(PAGE), "after": "0",
        }  # fmt: skip
        while True:
            status, answer = await self._ask("GET", "/audit", {name: value for name, value in query.items() if value is not None})
            if status != 200:
                raise UpkeepError(answer["error"]["message"])
            yield [row_of(row) for row in answer["rows"]]
            if answer["next"] is None:
                return
            query["after"] = answer["next"]

    async def _ask(self, method: str, path: str, query: Mapping[str, str]) -> tuple[int, Any]:
        """Return status and body of an answer. Raises: UpkeepError if the hub cannot be reached, or refuses the command."""
        assert self._session is not None
        try:
            async with self._session.request(method, self.url + path, params=query, ssl=self._tls or True) as answer:
                body = msgspec.json.decode(await answer.read())
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            begins = "a hub uses the archive, and does not answer" if self._archive else "no hub answers"
            problem = f"{begins} at {self.url}: give the command the settings of the hub that runs"
            raise UpkeepError(problem) from error
        if status not in {200, 404, 409, 410}:
            raise UpkeepError(f"the hub at {self.url} says: {body['error']['message']}")
        return status, body


def row_of(shown: Mapping[str, Any]) -> AuditRow:
    """Return a row of the audit log from its JSON."""
    access = Access(at=shown["at"], subject=shown["subject"], action=shown["action"], call_sid=shown["callSid"], detail=shown["detail"])
    return AuditRow(id=shown["id"], access=access, previous=shown["previous"], digest=shown["digest"])


def _erased(answer: Any) -> Erased:
    if "error" in answer:
        raise UpkeepError(answer["error"]["message"])
    kept, recordings = ({each["callSid"]: each["reason"] for each in answer[name]} for name in ("kept", "recordings"))
    return Erased(answer["erased"], kept, recordings)


def _trusting(certificate: str) -> ssl.SSLContext:
    """Return what trusts the hub's own certificate and no other: it is known, so the name in it need not be that of this machine."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
