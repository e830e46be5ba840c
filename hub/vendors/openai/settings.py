"""OpenAI's settings."""

from dataclasses import dataclass
from typing import Literal

from hub.agents.roster import AgentDefaults
from hub.config import check_url, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """See hub.config.Section."""

    key: str = setting("OPENAI_API_KEY", "", "OpenAI's API key; with it, agents answer calls at `/agent`", secret=True, required=True)
    url: str = setting("OPENAI_URL", "wss://api.openai.com", "address of OpenAI")
    model: str = setting("OPENAI_MODEL", "gpt-realtime-2.1", "the voice model")
    voice: str = setting("OPENAI_VOICE", "marin", "the agent's voice")
    instructions: str = setting(
        "OPENAI_INSTRUCTIONS", "You answer a phone call. Be friendly and brief: one or two sentences at a time.", "what the agent is to do"
    )
    greeting: str = setting("OPENAI_GREETING", "Hello, how can I help you?", "what the agent says first")
    language: str = setting("OPENAI_LANGUAGE", "", "the callers' language, such as `en`; empty: the model finds out")
    transcription_model: str = setting("OPENAI_TRANSCRIPTION_MODEL", "gpt-live-transcribe", "transcribes what callers say to an agent")
    turn_detection: Literal["server_vad", "semantic_vad"] = setting(
        "OPENAI_TURN_DETECTION", "server_vad", "`server_vad`: a caller's turn ends with a pause; `semantic_vad`: with a complete thought"
    )

    def check(self) -> None:
        """See Section."""
        check_url("OPENAI_URL", self.url, ("wss", "ws"))

    def agent_defaults(self) -> AgentDefaults:
        """See VoiceModelSection."""
        return AgentDefaults(
            model=self.model,
            voice=self.voice,
            instructions=self.instructions,
            greeting=self.greeting,
            language=self.language,
            transcription_model=self.transcription_model,
            turn_detection=self.turn_detection,
        )
