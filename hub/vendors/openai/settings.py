"""OpenAI's settings."""

from dataclasses import dataclass
from typing import Literal

from hub.agents.roster import AgentDefaults
from hub.config import check_url, setting
from hub.vendors.openai.requests import Dialect, dialect_at

TRANSCRIPTION_MODEL = "gpt-live-transcribe"
"""OpenAI's own. At Azure such a name is one that the account gave to a deployment, and other servers know other models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """See hub.config.Section."""

    key: str = setting("OPENAI_API_KEY", "", "OpenAI's API key; with it, agents answer calls at `/agent`", secret=True, required=True)
    url: str = setting("OPENAI_URL", "wss://api.openai.com", "address of OpenAI, or of another server that speaks its Realtime API")
    dialect: Literal["auto", "openai", "xai", "azure"] = setting(
        "OPENAI_DIALECT", "auto", "whose form of that API the server speaks: `openai`, `xai` or `azure`; `auto`: known by the address"
    )
    model: str = setting("OPENAI_MODEL", "gpt-realtime-2.1", "the voice model")
    voice: str = setting("OPENAI_VOICE", "marin", "the agent's voice")
    instructions: str = setting(
        "OPENAI_INSTRUCTIONS", "You answer a phone call. Be friendly and brief: one or two sentences at a time.", "what the agent is to do"
    )
    greeting: str = setting("OPENAI_GREETING", "Hello, how can I help you?", "what the agent says first")
    language: str = setting("OPENAI_LANGUAGE", "", "the callers' language, such as `en`; empty: the model finds out")
    transcription_model: str = setting(
        "OPENAI_TRANSCRIPTION_MODEL",
        "",
        f"transcribes what callers say to an agent; empty: `{TRANSCRIPTION_MODEL}` at OpenAI, and elsewhere the server's own choice",
    )
    turn_detection: Literal["server_vad", "semantic_vad"] = setting(
        "OPENAI_TURN_DETECTION", "server_vad", "`server_vad`: a caller's turn ends with a pause; `semantic_vad`: with a complete thought"
    )

    def check(self) -> None:
        """See Section."""
        check_url("OPENAI_URL", self.url, ("wss", "ws"))

    @property
    def spoken(self) -> Dialect:
        """Whose form of the API the server speaks."""
        return dialect_at(self.url) if self.dialect == "auto" else self.dialect

    def agent_defaults(self) -> AgentDefaults:
        """See VoiceModelSection."""
        return AgentDefaults(
            model=self.model,
            voice=self.voice,
            instructions=self.instructions,
            greeting=self.greeting,
            language=self.language,
            transcription_model=self.transcription_model or (TRANSCRIPTION_MODEL if self.spoken == "openai" else ""),
            turn_detection=self.turn_detection,
        )
