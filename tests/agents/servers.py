"""What agents' tools reach: a webhook, and Twilio's REST API for calls, both judged by Twilio's own package."""

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
    told: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.text()
        if not RequestValidator(SECRET).validate(str(request.url), body, request.headers["X-Hub-Signature"]):
            return web.Response(status=403, text="not signed")
        self.told.append(await request.json())
        self.keys.append(request.headers["Idempotency-Key"])
        self.came.set()
        if self.hang is not None:
            await self.hang.wait()
        status, text = self.answer(len(self.told))
        return web.Response(status=status, text=text)


@dataclass
class Rest:
    """The part of Twilio's REST API that changes a call."""

    status: int = 200
    updates: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Basic ")
        self.updates.append((request.match_info["call"], {name: str(value) for name, value in (await request.post()).items()}))
        self.came.set()
        if self.status != 200:
            return web.json_response({"code": 20404, "message": "not found", "status": self.status}, status=self.status)
        return web.json_response({"sid": request.match_info["call"], "status": "in-progress"})


@asynccontextmanager
async def serving(hook: Hook | None = None, rest: Rest | None = None) -> AsyncIterator[None]:
    app = web.Application()
    if hook is not None:
        app.router.add_post("/hook", hook.take)
    if rest is not None:
        app.router.add_post("/2010-04-01/Accounts/{account}/Calls/{call}.json", rest.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    if hook is not None:
        hook.url = f"{url}/hook"
    if rest is not None:
        rest.url = url
    try:
        yield
    finally:
        if hook is not None and hook.hang is not None:
            hook.hang.set()
        await runner.cleanup()
