"""One session of the fake Realtime API: what the vendor's server knows of it, and does in it."""

import asyncio
import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter, ValidationError
from websockets.exceptions import ConnectionClosed

from hub.agents.saying import EXACTLY
from tests.providers.openai_objects import BETA, LIMIT, error_object, item_object, response_object, text_of
from tests.providers.openai_script import Call, Reply, Talk, Utterance
from tests.providers.script import BYTES_PER_SECOND, Ear, Line

if TYPE_CHECKING:
    from tests.providers.fake_openai import FakeOpenAI

SILENCE = frozenset(b"\xff\x7f")
START_MS, PREFIX_MS, STOP_MS = 60, 300, 500
"""Sound that makes a speaker, how much before it counts to the turn, and the silence that ends it (the vendor's defaults)."""

judge: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


class FakeSession:
    """What the vendor's server knows of one session."""

    def __init__(self, fake: "FakeOpenAI", line: Line, talk: Talk, group: asyncio.TaskGroup) -> None:
        self.fake, self.line, self.talk, self.group = fake, line, talk, group
        self.model = fake.model
        self.count = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.response: asyncio.Task[None] | None = None
        self.response_id = ""
        self.updated = False
        self.sound_ms = self.silence_ms = 0.0
        self.spoken_ms: float | None = None  # since when the caller speaks
        self.caller_item = ""
        self.ear = Ear(pause_seconds=None, settle_words=1000)

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:04d}"

    def say(self, kind: str, **fields: Any) -> None:
        if self.model.unknown:
            self.line.say({"type": "session.weather", "event_id": self.name("event"), "sky": ["blue"]})
            fields["weather"] = {"sky": "blue"}
        self.line.say({"type": kind, "event_id": self.name("event"), **fields})

    def wrong(self, code: str, message: str, event_id: str | None = None) -> None:
        self.talk.errors.append(code)
        self.say("error", **error_object(code, message, event_id))

    def soon(self, coroutine: Any) -> asyncio.Task[None]:
        task = self.group.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def stop(self) -> None:
        for task in list(self.tasks):
            task.cancel()

    def told(self) -> dict[str, Any]:
        return {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "gpt-realtime-2.1", **self.talk.session}

    def created(self) -> None:
        self.say("session.created", session=self.told())

    def judge(self, event: dict[str, Any]) -> str:
        """Return what is wrong with a message of the client, as the vendor's own types see it."""
        try:
            judge.validate_python(event)
        except ValidationError as error:
            return str(error)[:300]
        return ""

    async def take(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.wrong("invalid_json", "The server could not parse the message: binary frames are not supported.")
            return
        event = json.loads(frame)
        kind, event_id = event.get("type"), event.get("event_id")
        # Audio comes fifty times a second: the vendor's types are slow.
        if kind != "input_audio_buffer.append" and (problem := self.judge(event)):
            self.wrong("invalid_value", problem, event_id)
            return
        match kind:
            case "session.update":
                await self.update(event["session"], event_id)
            case "input_audio_buffer.append":
                await self.hear(base64.b64decode(event["audio"], validate=True))
            case "response.create":
                self.create(event.get("response", {}), event_id)
            case "input_audio_buffer.commit":
                self.commit(event_id)
            case "response.cancel":
                if not self.cancel("client_cancelled"):
                    self.wrong("response_cancel_not_active", "Cancellation failed: no active response found", event_id)
            case "conversation.item.create":
                self.item(event["item"], event_id)
            case "conversation.item.truncate":
                self.truncate(event, event_id)
            case _:
                pass

    async def update(self, session: dict[str, Any], event_id: str | None) -> None:
        if session.get("type") != "realtime":
            self.wrong("missing_required_parameter", "Missing required parameter: 'session.type'.", event_id)
        elif beta := BETA & set(session):
            self.wrong("unknown_parameter", f"Unknown parameter: 'session.{min(beta)}'.", event_id)
        elif self.model.error_on_update:
            self.wrong("invalid_value", self.model.error_on_update, event_id)
        else:
            self.talk.session |= session
            if self.model.greets_late is not None:
                await self.model.greets_late.wait()
            self.updated = True
            self.say("session.updated", session=self.told())

    # The caller's audio.

    async def hear(self, mulaw: bytes) -> None:
        if not self.updated or self.talk.session["audio"]["input"]["format"] != {"type": "audio/pcmu"}:
            self.wrong("invalid_audio", "audio/pcm at 24000 Hz was expected")
            return
        talk = self.talk
        for at in range(0, len(mulaw), 160):
            piece = mulaw[at : at + 160]
            talk.audio += piece
            self._detect(piece)
        heard_ms = len(talk.audio) * 1000 / BYTES_PER_SECOND
        if self.model.expire_after_ms is not None and heard_ms >= self.model.expire_after_ms:
            self.wrong("session_expired", LIMIT)
            await self.line.close(1001, LIMIT)
        if self.model.drop_after_ms is not None and heard_ms >= self.model.drop_after_ms:
            await self.line.cut()

    def _detect(self, piece: bytes) -> None:
        """Server VAD: what is not silence is a voice."""
        length_ms = len(piece) * 1000 / BYTES_PER_SECOND
        now_ms = len(self.talk.audio) * 1000 / BYTES_PER_SECOND
        self.ear.feed(piece)
        if set(piece) - SILENCE:
            self.sound_ms, self.silence_ms = self.sound_ms + length_ms, 0.0
        else:
            self.silence_ms += length_ms
            self.sound_ms = 0.0 if self.silence_ms >= 100 else self.sound_ms
        if self.spoken_ms is None and self.sound_ms >= START_MS:
            self.spoken_ms = max(0.0, now_ms - self.sound_ms - PREFIX_MS)
            self.caller_item = self.name("item")
            self.say("input_audio_buffer.speech_started", audio_start_ms=int(self.spoken_ms), item_id=self.caller_item)
            if self.vad("interrupt_response"):
                self.cancel("turn_detected")
        elif self.spoken_ms is not None and self.silence_ms >= STOP_MS and not self.model.never_stops:
            self.say("input_audio_buffer.speech_stopped", audio_end_ms=int(now_ms), item_id=self.caller_item)
            self._turn_over()
            if self.vad("create_response") and self.response is None:
                self.respond({})

    def _turn_over(self) -> None:
        item, self.spoken_ms = self.caller_item, None
        self.say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        text = " ".join(word.text for heard in self.ear.end() for word in heard.words)
        self.ear = Ear(pause_seconds=None, settle_words=1000)
        content = [{"type": "input_audio", "transcript": None}]
        for kind in ("added", "done"):
            self.say(f"conversation.item.{kind}", previous_item_id=None, item=item_object(item, "user", content))
        self.soon(self.transcribe(item, text))

    def commit(self, event_id: str | None) -> None:
        if self.spoken_ms is None:
            self.wrong("input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small.", event_id)
            return
        self._turn_over()

    def vad(self, name: str) -> bool:
        return bool(self.talk.session["audio"]["input"]["turn_detection"].get(name, True))

    async def transcribe(self, item: str, text: str) -> None:
        if self.model.transcription == "never":
            return
        await asyncio.sleep(self.model.transcription_seconds)
        kind = "conversation.item.input_audio_transcription"
        if self.model.transcription == "failed":
            problem = {"type": "transcription_error", "code": "audio_unintelligible", "message": "The audio could not be transcribed."}
            self.say(f"{kind}.failed", item_id=item, content_index=0, error=problem)
            return
        for word in text.split():
            self.say(f"{kind}.delta", item_id=item, content_index=0, delta=word + " ")
        usage = {"type": "duration", "seconds": 1.0}
        self.say(f"{kind}.completed", item_id=item, content_index=0, transcript=text, usage=usage)

    # The model's answers.

    def create(self, asked: dict[str, Any], event_id: str | None) -> None:
        if self.response is not None:
            code = "conversation_already_has_active_response"
            self.wrong(code, f"Conversation already has an active response in progress: {self.response_id}.", event_id)
            return
        self.respond(asked)

    def respond(self, asked: dict[str, Any]) -> None:
        self.talk.instructions.append(asked.get("instructions", ""))
        if self.model.mute:
            return
        _, exactly, text = asked.get("instructions", "").partition(EXACTLY)
        if exactly:  # as a supervisor wants it
            reply = Reply(text)
        else:
            number, self.talk.responses = self.talk.responses, self.talk.responses + 1
            reply = self.model.replies[number] if number < len(self.model.replies) else Reply("All right.")
        if asked.get("tool_choice") == "none" and self.model.obeys and reply.calls:
            reply = Reply(reply.text or "All right.")
        self.response_id = self.name("resp")
        self.response = self.soon(self.answer(self.response_id, reply))

    def cancel(self, reason: str) -> bool:
        if self.response is None:
            return False
        self.response.cancel(reason)
        self.response = None
        self.talk.cancelled += 1
        return True

    async def answer(self, response_id: str, reply: Reply) -> None:
        output: list[dict[str, Any]] = []
        self.say("response.created", response=response_object(response_id, "in_progress", output))
        try:
            if reply.fails:
                await asyncio.sleep(0)
                trouble = {"type": "failed", "error": {"type": "server_error", "code": reply.fails, "message": "It failed."}}
                self.response = None
                self.say("response.done", response=response_object(response_id, "failed", output, trouble))
                return
            if reply.text and reply.written:
                self.write(response_id, reply, output)
            elif reply.text:
                await self.utter(response_id, reply, output)
            for call in reply.calls:
                self.invoke(response_id, call, output)
            if reply.silent_after:
                await asyncio.Event().wait()
            self.response = None
            details = {"type": "incomplete", "reason": reply.stops} if reply.stops else None
            self.say("response.done", response=response_object(response_id, "incomplete" if reply.stops else "completed", output, details))
            limits = [{"name": "tokens", "limit": 40000, "remaining": 39000, "reset_seconds": 1.5}]
            self.say("rate_limits.updated", rate_limits=limits)
        except asyncio.CancelledError as cancelled:
            reason = cancelled.args[0] if cancelled.args else ""
            if not reason:
                raise
            for item in output:
                item["status"] = "incomplete" if item["status"] == "in_progress" else item["status"]
            with suppress(ConnectionClosed):
                self.say(
                    "response.done", response=response_object(response_id, "cancelled", output, {"type": "cancelled", "reason": reason})
                )

    async def utter(self, response_id: str, reply: Reply, output: list[dict[str, Any]]) -> None:
        item_id = self.name("item")
        content: list[dict[str, Any]] = []
        item = item_object(item_id, "assistant", content, "in_progress")
        at = {"response_id": response_id, "output_index": len(output)}
        output.append(item)
        self.say("response.output_item.added", **at, item=dict(item))
        self.say("conversation.item.added", previous_item_id=None, item=dict(item))
        at |= {"item_id": item_id, "content_index": 0}
        self.say("response.content_part.added", **at, part={"type": "audio", "transcript": ""})
        utterance = self.talk.items[item_id] = Utterance(text_of(reply))
        text = text_of(reply)
        audio, words = self.model.voice(text), text.split(" ")
        size = self.model.delta_ms * BYTES_PER_SECOND // 1000
        pieces = [audio[start : start + size] for start in range(0, len(audio), size)]
        told = 0
        for number, piece in enumerate(pieces):
            due = -(-len(words) * (number + 1) // len(pieces))  # its words come with the audio, or before it
            for word in words[told:due]:
                self.say("response.output_audio_transcript.delta", **at, delta=word if not told else f" {word}")
                told += 1
            utterance.audio_bytes += len(piece)
            self.say("response.output_audio.delta", **at, delta=base64.b64encode(piece).decode())
            await asyncio.sleep(self.model.delta_seconds)
        self.say("response.output_audio.done", **at)
        self.say("response.output_audio_transcript.done", **at, transcript=text)
        self.say("response.content_part.done", **at, part={"type": "audio", "transcript": text})
        content.append({"type": "output_audio", "transcript": text})
        self.whole(at, item, reply)

    def write(self, response_id: str, reply: Reply, output: list[dict[str, Any]]) -> None:
        """Answer in a text that has no voice."""
        item_id, text = self.name("item"), text_of(reply)
        content: list[dict[str, Any]] = []
        item = item_object(item_id, "assistant", content, "in_progress")
        at = {"response_id": response_id, "output_index": len(output)}
        output.append(item)
        self.say("response.output_item.added", **at, item=dict(item))
        at |= {"item_id": item_id, "content_index": 0}
        self.say("response.content_part.added", **at, part={"type": "text", "text": ""})
        for word in text.split(" "):
            self.say("response.output_text.delta", **at, delta=f"{word} ")
        self.say("response.output_text.done", **at, text=text)
        self.say("response.content_part.done", **at, part={"type": "text", "text": text})
        content.append({"type": "output_text", "text": text})
        self.whole(at, item, reply)

    def whole(self, at: dict[str, Any], item: dict[str, Any], reply: Reply) -> None:
        """Say that nothing more comes of an item."""
        item["status"] = "incomplete" if reply.stops else "completed"
        del at["item_id"], at["content_index"]
        self.say("response.output_item.done", **at, item=dict(item))
        self.say("conversation.item.done", previous_item_id=None, item=dict(item))

    def invoke(self, response_id: str, call: Call, output: list[dict[str, Any]]) -> None:
        item_id, call_id = self.name("item"), self.name("call")
        item = {"id": item_id, "object": "realtime.item", "type": "function_call", "status": "completed", "name": call.name}
        item |= {"call_id": call_id, "arguments": call.arguments}
        at = {"response_id": response_id, "output_index": len(output)}
        output.append(item)
        self.say("response.output_item.added", **at, item=item | {"status": "in_progress", "arguments": ""})
        named = at | {"item_id": item_id, "call_id": call_id}
        self.say("response.function_call_arguments.delta", **named, delta=call.arguments)
        self.say("response.function_call_arguments.done", **named, name=call.name, arguments=call.arguments)
        self.say("response.output_item.done", **at, item=item)

    def item(self, item: dict[str, Any], event_id: str | None) -> None:
        if item["type"] == "function_call_output":
            if item["call_id"] in self.talk.outputs:
                self.wrong("item_already_exists", "There is an output for this call.", event_id)
                return
            self.talk.outputs[item["call_id"]] = item["output"]
        elif item["type"] == "message":
            self.talk.told += [part["text"] for part in item["content"]]
        self.say("conversation.item.added", previous_item_id=None, item=item | {"id": self.name("item"), "object": "realtime.item"})

    def truncate(self, event: dict[str, Any], event_id: str | None) -> None:
        utterance = self.talk.items.get(event["item_id"])
        if utterance is None:
            self.wrong("item_truncate_invalid_item_id", f"Item '{event['item_id']}' does not exist.", event_id)
            return
        length_ms = utterance.audio_bytes * 1000 // BYTES_PER_SECOND
        if event["audio_end_ms"] > length_ms:
            self.wrong("invalid_value", f"Audio content of {length_ms}ms is already shorter than {event['audio_end_ms']}ms", event_id)
            return
        utterance.truncated_ms = event["audio_end_ms"]
        self.say("conversation.item.truncated", item_id=event["item_id"], content_index=0, audio_end_ms=event["audio_end_ms"])
