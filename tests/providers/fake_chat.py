"""An OpenAI-compatible API as a server on this machine: takes chat completions, and answers as a test wants it to.

After platform.openai.com/docs/api-reference/chat/create and openai 3.54.0, whose own types judge each request. By default its model writes
a note that rests on the first and the last utterance, which is what a model does that was asked as the hub asks.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter, ValidationError

judge: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)


@dataclass
class FakeChat:
    """What the API was asked, and how it answers."""

    key: str = "k"
    model: str = "test-model"
    url: str = ""
    answers: list[str | int] = field(default_factory=list)
    """What the next requests are answered: the model's text, or an HTTP status. Then as `writes` does."""
    writes: Callable[[dict[str, Any]], str] = field(default=lambda said: written(said))
    """Writes the answer to what the user's message has, as an object."""
    down: int = 0
    """The HTTP status of all answers. 0 while the API is well."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of each answer that is an error."""
    holds: asyncio.Event | None = None
    """While it is set to an event that is not set, no request is answered."""
    serves: Callable[[web.Request], Any] | None = None
    """Answers in place of all this. None while the API is one."""
    usage: dict[str, int] = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110})
    finish: str = "stop"
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of all requests that came."""
    wrong: list[str] = field(default_factory=list)
    """What was wrong with requests, as OpenAI's own types see it."""
    cut: int = 0
    """How many requests were given up by whoever asked, before they were answered."""
    under_way: int = 0
    most_under_way: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, requests: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < requests:
            self.came.clear()
            await self.came.wait()

    def user(self, number: int = -1) -> dict[str, Any]:
        """What the user's message of a request has, as an object."""
        found: dict[str, Any] = json.loads(self.requests[number]["messages"][1]["content"])
        return found

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        asked = await request.json()
        self._judge(asked)
        self.requests.append(asked)
        self.under_way += 1
        self.most_under_way = max(self.under_way, self.most_under_way)
        self.came.set()
        try:
            if self.holds is not None:
                await self.holds.wait()
            if self.serves is not None:
                answer: web.StreamResponse = await self.serves(request)
                return answer
            return self._answer(request, asked)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        finally:
            self.under_way -= 1

    def _judge(self, asked: dict[str, Any]) -> None:
        try:
            judge.validate_python(asked)
        except ValidationError as error:
            self.wrong.append(str(error))
        if unknown := asked.keys() - CompletionCreateParamsNonStreaming.__annotations__.keys() - _base_fields():
            self.wrong.append(f"unknown: {unknown}")

    def _answer(self, request: web.Request, asked: dict[str, Any]) -> web.Response:
        answer = self.down or (self.answers.pop(0) if self.answers else "")
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            answer = 401
        elif asked["model"] != self.model:
            answer = 404
        if isinstance(answer, int):
            return web.json_response(problem(answer), status=answer, headers=self.headers)
        text = answer or self.writes(json.loads(asked["messages"][1]["content"]))
        return web.json_response(self.completion(text))

    def completion(self, text: str) -> dict[str, Any]:
        """Return an answer of the API."""
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1795000000, "model": self.model, "usage": self.usage,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}],
            "service_tier": "default", "system_fingerprint": None,
        }  # fmt: skip


def _base_fields() -> set[str]:
    return {name for base in CompletionCreateParamsNonStreaming.__orig_bases__ for name in base.__annotations__}  # type: ignore[attr-defined]


def problem(status: int) -> dict[str, Any]:
    """Return an error as the vendor words it. Its message repeats what was asked, as some do."""
    kinds = {401: ("invalid_request_error", "invalid_api_key"), 404: ("invalid_request_error", "model_not_found")}
    kind, code = kinds.get(status, ("rate_limit_error" if status == 429 else "server_error", None))
    return {"error": {"message": "what the caller has said in secret", "type": kind, "param": None, "code": code}}


def note(summary: list[tuple[str, list[int]]], next_steps: Any = (), open_questions: Any = ()) -> str:
    """Return a note as a model writes it."""
    lists = {"summary": summary, "next_steps": next_steps, "open_questions": open_questions}
    return json.dumps({name: [{"text": text, "offsets": offsets} for text, offsets in each] for name, each in lists.items()})


def written(user: dict[str, Any]) -> str:
    """Write a note as a model does that follows its instructions."""
    if "portions" in user:
        sentences = [sentence for portion in user["portions"] for sentence in portion["summary"]]
        return note([(f"{len(user['portions'])} portions.", sentences[0]["offsets"]), ("The end.", sentences[-1]["offsets"])])
    said = user["said"]
    first, last = said[0]["offset"], said[-1]["offset"]
    return note([("They talked.", sorted({first, last}))], [("The caller writes.", [last])], [("Is it paid?", [first])])


@asynccontextmanager
async def serving(chat: FakeChat) -> AsyncIterator[FakeChat]:
    """Serve the API until this is left."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.post("/v1/chat/completions", chat.complete)])
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    chat.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield chat
    finally:
        await runner.cleanup()


def settings(chat: FakeChat, **others: Any) -> dict[str, Any]:
    """Return the settings of a hub that has this API write its notes."""
    return {"notes_url": chat.url, "notes_model": chat.model, "notes_key": "k", **others}
