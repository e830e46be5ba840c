"""OpenAI's Realtime API as a server on this machine, GA form, mu-law both ways: hears what `spoken()` wrote, speaks the vendor's wire.

After developers.openai.com (guides realtime-websocket, realtime-conversations, realtime-vad), openai 3.54.0 and errors that users quote.
Its model is a script: one `Reply` for each response, in turn. Its voice is `spoken()` words by default, so that whoever listens to the
call can hear which of them were played. It detects speech as server_vad does, in the time of the audio it gets, and is strict where the
vendor is: beta names, audio before the formats are set, a truncate past an item's audio and a response beside another are errors.
"""

import asyncio
import json
from typing import Any, ClassVar

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Response

from tests.providers.fake_openai_session import FakeSession
from tests.providers.openai_objects import MODELS, REFUSALS, error_object
from tests.providers.openai_script import Model, Talk
from tests.providers.script import FakeProvider, Line, Visit


class FakeOpenAI(FakeProvider):
    """`async with FakeOpenAI(Model(...)) as fake`; `fake.talks` has one entry for each session."""

    path: ClassVar[str] = "/v1/realtime"
    models: ClassVar[set[str]] = MODELS

    def __init__(self, model: Model | None = None, **others: Any) -> None:
        super().__init__(**others)
        self.model = model or Model()
        self.talks: list[Talk] = []

    def admit(self, visit: Visit, socket: ServerConnection) -> Response | None:
        """Refuse as the vendor does: HTTP with a JSON body."""
        status, text = self.refusal(visit) or self._objection(visit) or (0, "")
        if not status:
            return None
        kind, code, message = REFUSALS.get(status, ("server_error", None, "The server had an error while processing your request."))
        body = {"error": {"message": text or message, "type": kind, "param": None, "code": code}}
        response = socket.respond(status, json.dumps(body))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    def _objection(self, visit: Visit) -> tuple[int, str] | None:
        scheme, _, key = visit.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key or self.key not in {None, key}:
            return 401, ""
        return (404, "") if dict(visit.query).get("model") not in self.models else None

    def session(self, line: Line, talk: Talk, group: asyncio.TaskGroup) -> FakeSession:
        """Return what holds one session."""
        return FakeSession(self, line, talk, group)

    async def attend(self, line: Line) -> None:
        """Hold one session, from the first message to the close."""
        talk = Talk()
        self.talks.append(talk)
        if "OpenAI-Beta" in line.visit.headers:
            line.say({"type": "error", **error_object("beta_api_shape_disabled", "The Realtime Beta API is no longer supported.")})
            await line.close(4000, "invalid_request_error.beta_api_shape_disabled")
        async with asyncio.TaskGroup() as group:
            session = self.session(line, talk, group)
            try:
                session.created()
                while True:
                    await session.take(await line.receive())
                    self._changed()
            finally:
                session.stop()
