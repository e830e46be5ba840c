"""Voice agents: who answers which number, what caller and voice model say to each other, and the tools that are used meanwhile.

Knows a voice model only as `voice_model.VoiceModel`, no vendor and no socket. `hub/calls/answered.py` runs a call with these parts, and
`hub/calls/routing.py` chooses the agent.
"""

from hub.agents.roster import HANG_UP, TRANSFER, Agent, AgentDefaults, Agents, Tool, load

__all__ = ["HANG_UP", "TRANSFER", "Agent", "AgentDefaults", "Agents", "Tool", "load"]
