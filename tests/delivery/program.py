"""A program that receives webhooks, as an integrator would write it: it verifies each message with Standard Webhooks' own library."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + "c2VjcmV0" * 5
"""`secret`, five times."""


@dataclass
class Program:
    """What the program got, and how it answers."""

    secret: str = SECRET
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    """What the next messages are answered. Then 200."""
    status_of: dict[int, int] = field(default_factory=dict)
    """What messages about an event with this offset are answered, whenever they come."""
    down: int | None = None
    """What all messages are answered. None while the program is well."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of each answer that is no 200."""
    holds: asyncio.Event | None = None
    """While it is set to an event that is not set, no message is answered."""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """All messages that came, also those that were not taken."""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Ids and contents of those that were answered with 200."""
    forged: list[str] = field(default_factory=list)
    """What was wrong with messages that could not be verified."""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        """Take a message."""
        body = await request.read()
        try:
            told = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.forged.append(str(error))
            return web.Response(status=401)
        assert told == json.loads(body)
        self.attempts.append(told)
        self.came.set()
        if self.holds is not None:
            await self.holds.wait()
        status = self._status(told)
        if status == 200:
            self.taken.append((request.headers["webhook-id"], told))
        self.came.set()
        return web.Response(status=status, headers=self.headers if status != 200 else None)

    def _status(self, told: dict[str, Any]) -> int:
        offset = told.get("data", {}).get("event", {}).get("offset", 0)
        if self.down is not None:
            return self.down
        return self.status_of.get(offset) or (self.statuses.pop(0) if self.statuses else 200)

    async def until(self, count: int) -> None:
        """Wait until so many messages were taken."""
        while len(self.taken) < count:
            self.came.clear()
            await self.came.wait()

    async def until_tried(self, count: int) -> None:
        """Wait until so many messages came."""
        while len(self.attempts) < count:
            self.came.clear()
            await self.came.wait()

    def offsets(self, call_sid: str = "CA1") -> list[int]:
        """Return the offsets of a call's events, in the order in which they were first taken: a message that comes again is known by its
        id."""
        seen: set[str] = set()
        found: list[int] = []
        for message_id, told in self.taken:
            event = told["data"]["event"]
            if event["callSid"] == call_sid and message_id not in seen:
                found.append(event["offset"])
            seen.add(message_id)
        return found

    def repeats(self) -> Counter[str]:
        """Return how often each message came."""
        return Counter(message_id for message_id, _ in self.taken)

    def by_call(self) -> dict[str, list[int]]:
        """Return the offsets of all calls: see `offsets`."""
        found: dict[str, list[int]] = defaultdict(list)
        for call_sid in dict.fromkeys(told["data"]["event"]["callSid"] for _, told in self.taken):
            found[call_sid] = self.offsets(call_sid)
        return found


@asynccontextmanager
async def serving(program: Program, port: int = 0) -> AsyncIterator[Program]:
    """Let a program listen until this is left."""
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/calls", program.receive)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        port = runner.addresses[0][1]
        program.url = f"http://127.0.0.1:{port}/calls"
        yield program
    finally:
        if program.holds is not None:
            program.holds.set()
        await runner.cleanup()
