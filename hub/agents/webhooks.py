"""Runs the webhooks that are an agent's tools: checks arguments against their schema, posts them, and always returns an outcome.

Each request is signed as Twilio signs its own JSON webhooks (twilio.com/docs/usage/webhooks/webhooks-security): the body's SHA-256 goes
into the query as bodySHA256, and HEADER is the HMAC-SHA1 of that URL. So Twilio's own libraries can check it with the tool's secret. Knows
no call and no model.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec
from twilio.request_validator import RequestValidator
from yarl import URL

from hub.agents.roster import Tool
from hub.backoff import Backoff

log = logging.getLogger(__name__)

HEADER = "X-Hub-Signature"

TRY_AGAIN = Backoff(first_seconds=0.25, longest_seconds=0.5, attempts=3)
"""For a webhook that answers 5xx, or not at all, within the tool's time. The waits are short: somebody waits on the telephone."""

ANSWER_BYTES = 16 * 1024
"""How much of an answer is read: a model reads it, not a program."""


ARGUMENT_CHARACTERS = 64 * 1024
"""A model that writes longer arguments has lost its way. They would be kept in the call's log, and checked while every other call waits."""

OutcomeKind: TypeAlias = Literal["result", "refused", "failed", "timeout"]
"""What can come of a tool. `refused`: the arguments do not fit, or the tool declined."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What came of a tool. `detail` is the webhook's answer, or one sentence that says why there is none."""

    kind: OutcomeKind
    detail: str

    def for_model(self) -> str:
        """Return what the model is told: the result as it is, or what went wrong, so that the agent can say so."""
        return self.detail if self.kind == "result" else msgspec.json.encode({"error": self.kind, "message": self.detail}).decode()


def read_arguments(schema: Mapping[str, Any] | None, text: str) -> tuple[Any, str]:
    """Return a tool call's arguments, and what is wrong with them. Empty when nothing is. Without a schema any JSON will do."""
    if len(text) > ARGUMENT_CHARACTERS:
        return text[:ANSWER_BYTES], f"the arguments are longer than {ARGUMENT_CHARACTERS} characters"
    try:
        arguments = msgspec.json.decode(text or "{}")
    except (ValueError, RecursionError):
        return text[:ANSWER_BYTES], "the arguments are not JSON"
    if schema is None:
        return arguments, ""
    import jsonschema  # not at the top: the roster makes sure of it before it lets an agent have a tool

    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    error = jsonschema.exceptions.best_match(checker.iter_errors(arguments))
    if error is None:
        return arguments, ""
    where = "/".join(str(part) for part in error.absolute_path)
    return arguments, f"the arguments do not fit{f' at {where}' if where else ''}: {error.message[:200]}"


def sign(url: str, body: bytes, secret: str) -> tuple[str, str]:
    """Return the URL to post to and the signature to send."""
    parts = urlsplit(url)
    digest = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
    signed = urlunsplit(parts._replace(query=f"{parts.query}&{digest}" if parts.query else digest))
    return signed, str(RequestValidator(secret).compute_signature(signed, {}))


class Webhooks:
    """Posts to webhooks, for all calls. To be entered with `async with`."""

    async def __aenter__(self) -> Self:
        # No proxy of the environment and no cookies: one tool's answer must have no part in another's request.
        # No limit of connections: a slow tool must not have another one wait for a connection.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, tool: Tool, key: str, told: dict[str, Any]) -> ToolOutcome:
        """Post `told` as JSON, with further tries until the tool's time is up. Safe to cancel.

        `key` is the same for each try, so that the webhook can recognize one that it has served already.
        """
        body = msgspec.json.encode(told)
        url, signature = sign(tool.url, body, tool.secret)
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, HEADER: signature, "User-Agent": "transcript-hub"}
        outcome = ToolOutcome("timeout", f"{tool.name} did not answer within {tool.timeout_seconds:g} s")
        try:
            async with asyncio.timeout(tool.timeout_seconds):
                async for _ in TRY_AGAIN.until():
                    outcome = await self._try(tool, url, headers, body)
                    if outcome.kind != "failed":
                        return outcome
        except TimeoutError:
            return ToolOutcome("timeout", f"{tool.name} did not answer within {tool.timeout_seconds:g} s")
        return outcome

    async def _try(self, tool: Tool, url: str, headers: dict[str, str], body: bytes) -> ToolOutcome:
        try:
            # The URL as it was signed, not as a library would write it.
            async with self._session.post(URL(url, encoded=True), headers=headers, data=body, allow_redirects=False) as answer:
                text = (await _beginning(answer.content)).decode(errors="replace").strip()
                status = answer.status
        except aiohttp.ClientError as error:
            log.warning("tool %s cannot be reached: %s", tool.name, type(error).__name__)
            return ToolOutcome("failed", f"{tool.name} cannot be reached")
        if 200 <= status < 300:
            return ToolOutcome("result", text or "done")
        log.warning("tool %s answered %d", tool.name, status)
        if status >= 500:
            return ToolOutcome("failed", f"{tool.name} failed ({status})")
        return ToolOutcome("refused", f"{tool.name} refused ({status}){f': {text[:500]}' if text else ''}")


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """Return all of an answer, in however many pieces it comes, up to ANSWER_BYTES."""
    try:
        return await content.readexactly(ANSWER_BYTES)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
