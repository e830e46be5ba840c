"""xAI's voice agent API as a server on this machine: OpenAI's wire with xAI's accents.

After docs.x.ai/docs/guides/voice/agent and pipecat's types for it: settings at the top of the session, no times of speech, cumulative
transcripts of the caller, no transcript at the end of what the agent said, and pings.
"""

import asyncio
from typing import Any, ClassVar

from tests.providers.fake_openai import FakeOpenAI
from tests.providers.fake_openai_session import FakeSession
from tests.providers.openai_script import Talk
from tests.providers.script import Line

TRANSCRIPTION = "conversation.item.input_audio_transcription"


class FakeXAI(FakeOpenAI):
    """`async with FakeXAI(Model(...)) as fake`."""

    models: ClassVar[set[str]] = {"grok-voice-latest"}

    def session(self, line: Line, talk: Talk, group: asyncio.TaskGroup) -> FakeSession:
        """Return what holds one session."""
        return XAISession(self, line, talk, group)


class XAISession(FakeSession):
    """A session with xAI's accents."""

    known = ""  # what was transcribed of the caller's turn so far

    def say(self, kind: str, **fields: Any) -> None:
        """Say what OpenAI would, as xAI does."""
        for name in ("audio_start_ms", "audio_end_ms"):
            fields.pop(name, None)
        match kind:
            case "input_audio_buffer.speech_started":
                self.known = ""
            case "response.output_audio_transcript.done":
                del fields["transcript"]
            case str() if kind == f"{TRANSCRIPTION}.delta":
                self.known += fields.pop("delta")
                kind, fields["transcript"] = f"{TRANSCRIPTION}.updated", self.known
            case _:
                pass
        super().say("ping", timestamp=1)
        super().say(kind, **fields)

    def judge(self, event: dict[str, Any]) -> str:
        """Return what is wrong with a message of the client. OpenAI's types do not know xAI's settings."""
        return "" if event["type"] == "session.update" else super().judge(event)

    async def update(self, session: dict[str, Any], event_id: str | None) -> None:
        """Take settings."""
        if not {"voice", "turn_detection"} <= set(session) or "type" in session or set(session["audio"]["output"]) != {"format"}:
            self.wrong("invalid_request_error", "voice and turn_detection belong at the top of the session", event_id)
            return
        detection = {"create_response": True, "interrupt_response": True} | session["turn_detection"]
        self.talk.session |= session | {"audio": session["audio"] | {"input": session["audio"]["input"] | {"turn_detection": detection}}}
        self.updated = True
        self.say("session.updated", session=self.told())
