"""Voice agents: who answers which number, what is said and heard on a line to a model, and the tools that are used there.

`hub/calls/answered.py` runs a call with these parts; `hub/calls/routing.py` chooses the agent.
"""

from hub.agents.roster import HANG_UP, TRANSFER, Agent, Agents, Tool, load

__all__ = ["HANG_UP", "TRANSFER", "Agent", "Agents", "Tool", "load"]
