"""Asks a model behind an OpenAI-compatible API (platform.openai.com/docs/api-reference/chat/create), and gives its answer.

The API may be anywhere, answer anything, or nothing. So no redirect is followed, an answer is read up to a bound, and all of it has to
happen in time. What it says of an error is put into no log, since it can repeat what it was asked; the names that it has for errors are.

Knows HTTP. Does not know what is asked.
"""

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from hub import __version__
from hub.errors import HubError
from hub.notes.request import ModelMessage, body
from hub.notes.settings import PATH, NotesSettings
from hub.ops.counters import NoteCounters

ANSWER_BYTES = 1024 * 1024
"""A longer answer is refused. A note, and what a model thinks before it, has some kilobytes."""

WAIT_SECONDS_MOST = 3600.0
"""An API that asks to be left alone for longer is asked all the same: its clock or its answer may be wrong."""

OF_REQUEST = frozenset({400, 413, 422})
"""The API refuses what it was asked. It may answer another request."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
"""What an API calls an error or a parameter. Anything else could be words of a call."""


class ModelFailed(HubError):
    """The model gave no answer that can be used. The sentence goes on from "the model": `answered 503`."""

    code = "notes"

    def __init__(self, problem: str, *, of_request: bool = False, late: bool = False, wait_seconds: float = 0.0) -> None:
        self.problem = problem
        self.of_request = of_request
        """Whether it is this request that fails, so that others may succeed."""
        self.late = late
        """Whether the model took too long: it may be away, or the request may be too much for it."""
        self.wait_seconds = wait_seconds
        """For how long the API asks to be left alone. 0: it does not say."""
        super().__init__(f"the model {problem}")


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class _Problem(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None
    param: str | None = None


class _Failure(msgspec.Struct):
    error: _Problem


_completion, _failure = msgspec.json.Decoder(_Completion), msgspec.json.Decoder(_Failure)


class ChatModel:
    """The model that the settings name. To be entered with `async with`."""

    def __init__(self, settings: NotesSettings, counters: NoteCounters) -> None:
        self._settings = settings
        self._counters = counters
        self._url = settings.url.rstrip("/") + PATH
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        """What the API calls the model."""
        return self._settings.model

    async def __aenter__(self) -> Self:
        # No cookies, no answer unpacked: one that is a kilobyte on the wire can be a gigabyte.
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, messages: Sequence[ModelMessage]) -> str:
        """Return the model's answer. Safe to cancel: the model may have begun to answer. Raises: ModelFailed."""
        self._counters.requests += 1
        try:
            return await self._ask(body(self._settings.model, self._settings.form, messages))
        except ModelFailed:
            self._counters.failed += 1
            raise

    async def _ask(self, asked: bytes) -> str:
        assert self._session is not None, "the model was not entered"
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": f"transcript-hub/{__version__}"}
        if self._settings.key:
            headers["Authorization"] = f"Bearer {self._settings.key}"
        timeout = aiohttp.ClientTimeout(total=self._settings.seconds)
        try:
            posting = self._session.post(self._url, data=asked, headers=headers, allow_redirects=False, timeout=timeout)
            async with posting as answer:
                return self._read(answer, await _body(answer))
        except TimeoutError as error:
            raise ModelFailed(f"did not answer within {self._settings.seconds:g} s", late=True) from error
        except aiohttp.ClientConnectorError as error:
            raise ModelFailed(f"cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ModelFailed(f"broke the connection or sent no HTTP ({type(error).__name__})") from error

    def _read(self, answer: aiohttp.ClientResponse, given: bytes) -> str:
        if answer.status != 200:
            raise _refused(answer, given)
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise ModelFailed("sent an answer that is packed, though it was asked for one that is not")
        try:
            completion = _completion.decode(given)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise ModelFailed(
                "sent something that is no chat completion: is HUB_NOTES_URL the address of an OpenAI-compatible API?"
            ) from error
        if completion.usage is not None:
            self._counters.tokens_read += max(0, completion.usage.prompt_tokens)
            self._counters.tokens_written += max(0, completion.usage.completion_tokens)
        first = completion.choices[0] if completion.choices else None
        if first is not None and first.finish_reason == "length":
            raise ModelFailed("stopped in the middle of its answer, which became too long", of_request=True)
        if first is None or not first.message.content:
            raise ModelFailed("refused to answer, or answered nothing", of_request=True)
        return first.message.content


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Return an answer's body. Raises: ModelFailed if it is too long."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > ANSWER_BYTES:
            answer.close()
            raise ModelFailed(f"sent an answer of more than {ANSWER_BYTES // 1024} KB", of_request=True)
        parts.append(part)
    return b"".join(parts)


def _refused(answer: aiohttp.ClientResponse, given: bytes) -> ModelFailed:
    status = answer.status
    if 300 <= status < 400:
        return ModelFailed(f"answered {status}: redirects are not followed, set HUB_NOTES_URL to where the API is")
    told = _told(given)
    if status in {401, 403}:
        return ModelFailed(f"answered {status}{told}: check HUB_NOTES_KEY")
    if status == 404:
        return ModelFailed(f"answered 404{told}: check HUB_NOTES_MODEL and HUB_NOTES_URL")
    wait = answer.headers.get("Retry-After", "")
    seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else 0.0
    return ModelFailed(f"answered {status}{told}", of_request=status in OF_REQUEST, wait_seconds=min(seconds, WAIT_SECONDS_MOST))


def _told(given: bytes) -> str:
    """Return the API's own names for an error, for a sentence. Empty where it has none."""
    try:
        problem = _failure.decode(given).error
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return ""
    names = dict.fromkeys(name for name in (problem.type, str(problem.code or ""), problem.param) if name and _NAME.fullmatch(name))
    return f" ({', '.join(names)})" if names else ""
