"""The settings of OpenAI, as the parts that know no vendor need them."""

from hub.agents import AgentDefaults
from hub.config import Config


def agent_defaults(config: Config) -> AgentDefaults:
    """Return what an agent is like where the agents file does not say."""
    return AgentDefaults(
        model=config.openai_model,
        voice=config.openai_voice,
        instructions=config.openai_instructions,
        greeting=config.openai_greeting,
        language=config.openai_language,
        transcription_model=config.openai_transcription_model,
        turn_detection=config.openai_turn_detection,
        missing_setting="" if config.openai_key else "OPENAI_API_KEY",
    )
