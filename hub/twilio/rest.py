"""The Twilio account behind the calls: asks its REST API who a call is from and to, for another stream of one that
lives, and to end it or pass it on.

Off the audio path: nothing here is awaited by whoever takes audio in. Knows HTTP and Twilio's answers; does not know what a call is here.
Source: twilio.com/docs/voice/api/call-resource and stream-resource.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec

from hub.audio.g711 import Track
from hub.backoff import Backoff, happens
from hub.config import Config
from hub.errors import AccountError
from hub.twilio.twiml import invite, transfer

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""Twilio answers in a fraction of a second; a call is waiting for its stream."""

COME_SECONDS = 3.0
"""How long a stream that was asked for may take to come before another is: Twilio dials about a third of a second after it is told to."""

TRY_AGAIN = Backoff(first_seconds=0.5, longest_seconds=10.0)
"""After an answer, or a stream, that did not come: Twilio's own troubles last for seconds, its limits on requests for a second."""

GIVE_UP_SECONDS = 120.0
"""For so long a call that Twilio says lives is asked for a stream. A provider's session stays open meanwhile, and is billed."""

OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""What Twilio says of a call that has ended."""

_SID = re.compile(r"(AC|CA)[0-9a-fA-F]{32}")


class CallFacts(msgspec.Struct, frozen=True):
    """What Twilio knows of a call, as far as it matters here."""

    status: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    direction: str | None = None
    end_time: str | None = None

    @property
    def ended_at(self) -> float | None:
        """Unix seconds of its end; None while it lives, or when Twilio does not say."""
        try:
            return parsedate_to_datetime(self.end_time).timestamp() if self.end_time else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Over:
    """No stream will come. `ended_at`: since when the call is over, Unix seconds; None when nobody can say."""

    ended_at: float | None = None


class Account:
    """One Twilio account. Close it in the end."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        """Made with the first question."""
        self.listening = asyncio.Event()
        """Set while the hub takes streams: one that is asked for comes at once."""

    async def find(self, account_sid: str, call_sid: str) -> CallFacts | None:
        """Ask about a call; None when there is none. `account_sid` is the call's own: a subaccount's, perhaps. Raises: AccountError."""
        if not _SID.fullmatch(call_sid):
            return None  # of a pretend Twilio
        try:
            return msgspec.json.decode(await self._ask("GET", f"{self._path(account_sid, call_sid)}.json"), type=CallFacts)
        except msgspec.DecodeError as error:
            raise AccountError("gave an answer that makes no sense", retryable=True) from error
        except AccountError as error:
            if error.status == 404:
                return None
            raise

    async def attach(self, account_sid: str, call_sid: str, tracks: Sequence[Track], parameters: Mapping[str, str]) -> None:
        """Have Twilio send another stream of a call, with these tracks and <Parameter>s. It dials at once. Raises: AccountError."""
        invitation = invite(self._config, call_sid, parameters)
        form = {"Url": invitation.url, "Track": "both_tracks" if len(tracks) > 1 else f"{tracks[0]}_track"}
        if invitation.status_url:
            form |= {"StatusCallback": invitation.status_url, "StatusCallbackMethod": "POST"}
        for number, (name, value) in enumerate(invitation.parameters.items(), 1):
            form |= {f"Parameter{number}.Name": name, f"Parameter{number}.Value": value}
        await self._ask("POST", f"{self._path(account_sid, call_sid)}/Streams.json", form)

    async def hang_up(self, account_sid: str, call_sid: str) -> None:
        """End a call. Raises: AccountError."""
        await self._ask("POST", f"{self._path(account_sid, call_sid)}.json", {"Status": "completed"})

    async def connect(self, account_sid: str, call_sid: str, whom: str, label: str) -> None:
        """Have a call go on with somebody, called as HUB_DIAL calls them and heard at /twilio under that label.

        A <Connect>ed stream ends with that, perhaps before this returns. Raises: AccountError.
        """
        invitation = invite(self._config, call_sid, {"outboundTrackLabel": label}) if self._config.public_url else None
        await self._ask("POST", f"{self._path(account_sid, call_sid)}.json", {"Twiml": transfer(invitation, whom)})

    async def bring_back(
        self, account_sid: str, call_sid: str, tracks: Sequence[Track], parameters: Mapping[str, str], came: asyncio.Event
    ) -> Over | None:
        """Ask for another stream until one has come, which sets `came`; then return None.

        Returns Over when the call is, when Twilio will not, or when nothing helped for GIVE_UP_SECONDS. Safe to cancel.
        """
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                async for _ in TRY_AGAIN.until(came):
                    await self.listening.wait()
                    try:
                        facts = await self.find(account_sid, call_sid)
                        if facts is None or facts.status in OVER:
                            return Over(facts.ended_at if facts is not None else None)
                        await self.attach(account_sid, call_sid, tracks, parameters)
                        if await happens(came, COME_SECONDS):
                            break
                    except AccountError as error:
                        log.warning("call=%s %s", call_sid, error)
                        if not error.retryable:
                            return Over()
        except TimeoutError:
            log.warning("call=%s no stream came for %.0f s", call_sid, GIVE_UP_SECONDS)
            return Over()
        return None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    def _path(self, account_sid: str, call_sid: str) -> str:
        account = account_sid if _SID.fullmatch(account_sid) else self._config.twilio_account
        return f"/2010-04-01/Accounts/{account}/Calls/{call_sid}"

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> bytes:
        """Ask with each token until one is taken: while tokens are changed, Twilio knows the old one, the new one, or both."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS))
        status, body = 0, b""
        for token in self._config.auth_tokens:
            options: dict[str, Any] = {
                "headers": {"Authorization": aiohttp.encode_basic_auth(self._config.twilio_account, token)},
                "data": form,
            }
            try:
                async with self._session.request(method, self._config.twilio_url.rstrip("/") + path, **options) as answer:
                    status, body = answer.status, await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise AccountError(f"does not answer: {type(error).__name__}", retryable=True) from error
            if status != 401:
                break
        if status < 300:
            return body
        # Twilio's own words may repeat a number; its code says as much (twilio.com/docs/api/errors).
        code = re.search(rb'"code"\s*:\s*(\d{4,6})', body)
        said = f"says {status}" + (f", error {code[1].decode()}" if code else "")
        raise AccountError(said, retryable=status == 429 or status >= 500, status=status)
