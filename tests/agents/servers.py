"""A webhook for agents' tools that accepts only requests whose signature Twilio's own package accepts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from twilio.request_validator import RequestValidator

SECRET = "a secret of many characters"

Answer = Callable[[int], tuple[int, str]]


@dataclass
class Hook:
    """A webhook: answers by the number of the request, keeps what it was told, and refuses what is not signed."""

    answer: Answer = lambda _: (200, '{"ok":true}')
    hang: asyncio.Event | None = None  # no answer before this is set
    in_pieces: bool = False  # the answer comes in two or three
    told: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        if not RequestValidator(SECRET).validate(str(request.url), body, request.headers["X-Hub-Signature"]):
            return web.Response(status=403, text="not signed")
        self.told.append(await request.json())
        self.keys.append(request.headers["Idempotency-Key"])
        self.came.set()
        if self.hang is not None:
            await self.hang.wait()
        status, text = self.answer(len(self.told))
        if not self.in_pieces:
            return web.Response(status=status, text=text)
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        for at in range(0, len(text), len(text) // 2):
            await response.write(text[at : at + len(text) // 2].encode())
            await asyncio.sleep(0.05)  # so that it is read before there is more
        return response


@asynccontextmanager
async def serving(hook: Hook) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield
    finally:
        if hook.hang is not None:
            hook.hang.set()
        await runner.cleanup()
