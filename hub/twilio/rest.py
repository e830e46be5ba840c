"""The Twilio account that the calls belong to: asks its REST API about a call, changes a call, and brings a lost stream back.

Nothing here is on the way of the audio: no coroutine that takes audio in awaits any of it. Knows HTTP and Twilio's answers. Does not know
the hub's own calls. Source: twilio.com/docs/voice/api/call-resource and stream-resource.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from hub.audio.g711 import Track
from hub.backoff import Backoff, happens
from hub.config import Config
from hub.errors import AccountError
from hub.twilio.twiml import AGENT_DOOR, COLLEAGUE, answer_by_agent, invite, transfer

log = logging.getLogger(__name__)

OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
"""A call's `status` once it has ended. It has another one while it lives."""

TRACKS_IN_USE = b"31941"
"""Twilio's error where a call has as many forked tracks as it may have, which is four. A stream to a node that hangs holds two of them
until it ends, and so does one whose node has not joined it yet: asking again later helps. The tracks that the hub asks for are valid."""

_SID = re.compile(r"(AC|CA)[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the hub waits for Twilio. The defaults are the hub's own numbers; only tests pass others."""

    answer_seconds: float = 5.0
    """How long a request may take: Twilio answers in a fraction of a second, and meanwhile a call is without a stream."""
    come_seconds: float = 3.0
    """How long a requested stream may take to arrive before another one is requested: Twilio connects about 0.3 s after a request."""
    first_wait_seconds: float = 0.5
    """The pause after the first failed attempt. It doubles with each further one."""
    longest_wait_seconds: float = 10.0
    """The longest pause between two attempts: a Twilio that works again is then asked soon enough for the call to be worth it."""
    give_up_seconds: float = 120.0
    """How long a stream is requested for a call that lives. Meanwhile the provider's session stays open and is billed."""


class CallFacts(msgspec.Struct, frozen=True):
    """What Twilio knows of a call: the fields that the hub uses."""

    status: str
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    direction: str | None = None
    end_time: str | None = None

    @property
    def ended_at(self) -> float | None:
        """Unix seconds of the call's end; None while it lives, and if Twilio does not say."""
        try:
            return parsedate_to_datetime(self.end_time).timestamp() if self.end_time else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Over:
    """No stream will come any more. `ended_at`: when the call ended, Unix seconds; None if unknown."""

    ended_at: float | None = None


class TwilioAccount:
    """One Twilio account. Call `close()` when done."""

    def __init__(self, config: Config, patience: Patience = Patience()) -> None:
        self._config = config
        self.patience = patience
        self._session: aiohttp.ClientSession | None = None
        """The connections to Twilio; None before the first request."""
        self.listening = asyncio.Event()
        """Set while the hub takes streams. A requested stream arrives at once, so none is requested before the hub listens, or while it
        stops: Twilio would find the door closed, report an error to the account's owner, and not try again."""

    async def find(self, account_sid: str, call_sid: str) -> CallFacts | None:
        """Return what Twilio knows of a call; None if there is no such call. Raises: AccountError.

        `account_sid`: the account that the call itself names. It may be a subaccount of ours.
        """
        if not _SID.fullmatch(call_sid):
            return None  # not a call of the real Twilio
        try:
            return msgspec.json.decode(await self._ask("GET", f"{self._path(account_sid, call_sid)}.json"), type=CallFacts)
        except msgspec.DecodeError as error:
            raise AccountError("gave an answer that could not be read", retryable=True) from error
        except AccountError as error:
            if error.status == 404:
                return None
            raise

    async def attach(self, account_sid: str, call_sid: str, tracks: Sequence[Track], parameters: Mapping[str, str]) -> None:
        """Request another stream of a call, with these tracks and <Parameter>s. Twilio connects at once. Raises: AccountError."""
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

    async def connect(self, account_sid: str, call_sid: str, whom: str, label: str, back_to: str = "") -> None:
        """Connect a call with a person instead of its agent. `whom` is written as in HUB_DIAL; `label` names the person in the transcript.

        `back_to`: the agent that goes on if the person does not answer. Empty: the call ends then, and it does where Twilio's webhooks
        cannot be told from others.
        The stream to the agent ends with that, perhaps before this returns. What is said afterwards comes to /twilio. Raises: AccountError.
        """
        invitation = invite(self._config, call_sid, {"outboundTrackLabel": label}) if self._config.public_url else None
        back = invitation is not None and back_to and invitation.status_url
        action = f"{self._config.public_url.rstrip('/')}/twiml/agent?{urlencode({'agent': back_to})}" if back else ""
        await self._ask("POST", f"{self._path(account_sid, call_sid)}.json", {"Twiml": transfer(invitation, whom, action)})

    async def connect_agent(self, account_sid: str, call_sid: str, parameters: Mapping[str, str], apology: str, dial: str) -> None:
        """Connect a call with another agent. `parameters`: the stream's, which name the agent. `apology`, `dial`: for when that one cannot.

        The stream to the present agent ends with that. Needs HUB_PUBLIC_URL. Raises: AccountError, ConfigError.
        """
        invitation = invite(self._config, call_sid, parameters, door=AGENT_DOOR)
        afterwards = invite(self._config, call_sid, {**parameters, **COLLEAGUE})
        text = answer_by_agent(invitation, apology, dial, afterwards)
        await self._ask("POST", f"{self._path(account_sid, call_sid)}.json", {"Twiml": text})

    async def bring_back(
        self, account_sid: str, call_sid: str, tracks: Sequence[Track], parameters: Mapping[str, str], came: asyncio.Event
    ) -> Over | None:
        """Request another stream until one has arrived, which sets `came`; then return None.

        Asks about the call first, every time: a call whose stream broke has usually just been hung up, and needs no stream. Returns Over if
        the call has ended, if Twilio refuses for good, or after `Patience.give_up_seconds`. Safe to cancel.
        """
        patience = self.patience
        try:
            async with asyncio.timeout(patience.give_up_seconds):
                async for _ in Backoff(patience.first_wait_seconds, patience.longest_wait_seconds).until(came):
                    await self.listening.wait()
                    try:
                        facts = await self.find(account_sid, call_sid)
                        if facts is None or facts.status in OVER:
                            return Over(facts.ended_at if facts is not None else None)
                        await self.attach(account_sid, call_sid, tracks, parameters)
                        if await happens(came, patience.come_seconds):
                            break
                    except AccountError as error:
                        log.warning("call=%s %s", call_sid, error)
                        if not error.retryable:
                            return Over()
        except TimeoutError:
            log.warning("call=%s no stream arrived within %.0f s", call_sid, patience.give_up_seconds)
            return Over()
        return None

    async def close(self) -> None:
        """Close the connections to Twilio."""
        if self._session is not None:
            await self._session.close()

    def _path(self, account_sid: str, call_sid: str) -> str:
        account = account_sid if _SID.fullmatch(account_sid) else self._config.twilio_account
        return f"/2010-04-01/Accounts/{account}/Calls/{call_sid}"

    async def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> bytes:
        """Send a request with the API key, then with each auth token, until Twilio accepts one.

        During a change of tokens it knows the old one, the new one, or both.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.patience.answer_seconds))
        status, body = 0, b""
        for name, password in self._config.twilio_credentials:
            options: dict[str, Any] = {
                "headers": {"Authorization": aiohttp.encode_basic_auth(name, password)},
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
        # The code alone: Twilio's text may repeat a phone number, and twilio.com/docs/api/errors explains the code.
        code = re.search(rb'"code"\s*:\s*(\d{4,6})', body)
        said = f"says {status}" + (f", error {code[1].decode()}" if code else "")
        crowded = code is not None and code[1] == TRACKS_IN_USE
        raise AccountError(said, retryable=status == 429 or status >= 500 or crowded, status=status)
