"""What Twilio is asked to do with a call that goes on, over its REST API: hang it up, connect it to somebody.

By Twilio's own package. Knows an account; knows no agent.
"""

import logging
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from hub.errors import HubError

log = logging.getLogger(__name__)

REST_SECONDS = 8.0
"""Twilio answers within a second; who waits is on the telephone."""

API = "https://api.twilio.com"
"""What Twilio's package calls, whatever it is to reach."""


class NotDone(HubError):
    """Twilio did not do what it was asked to; the call goes on as it was."""

    code = "not-done"


class _Http(HttpClient):  # type: ignore[misc]  # an untyped package
    """Twilio's requests, over a session of ours and to an address of ours."""

    def __init__(self, base: str) -> None:
        super().__init__(logging.getLogger("twilio.async_http_client"), True, None)
        self._base = base.rstrip("/")

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """See twilio.http.HttpClient."""
        where = self._base + url.removeprefix(API)
        login = {"Authorization": aiohttp.encode_basic_auth(*auth)} if auth is not None else {}
        limit = aiohttp.ClientTimeout(total=timeout or REST_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.request(
                method, where, params=params, data=data, headers={**(headers or {}), **login}, allow_redirects=allow_redirects
            ) as answer,
        ):
            return Response(answer.status, await answer.text(), dict(answer.headers))


class Carrier:
    """One Twilio account."""

    def __init__(self, account_sid: str, auth_token: str, base: str = API) -> None:
        self._client: Any = Client(account_sid, auth_token, http_client=_Http(base))

    async def hang_up(self, call_sid: str) -> None:
        """End a call. Raises: NotDone."""
        await self._update(call_sid, status="completed")

    async def connect(self, call_sid: str, number: str) -> None:
        """Have a call go on with a number; its stream ends with that. Raises: NotDone."""
        answer = VoiceResponse()
        answer.dial(number)
        await self._update(call_sid, twiml=str(answer))

    async def _update(self, call_sid: str, **what: str) -> None:
        try:
            await self._client.calls(call_sid).update_async(**what)
        except TwilioException as error:
            status = getattr(error, "status", None)
            log.warning("Twilio refused to change a call: %s %s", status, getattr(error, "code", ""))
            raise NotDone(f"Twilio refused ({status})" if status else "Twilio refused") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotDone("Twilio cannot be reached") from error
