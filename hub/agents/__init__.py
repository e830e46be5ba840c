"""Voice agents: who answers which number, what is said and heard on a line to a model, and the tools that are used there.

`hub/agent.py` makes one call of these parts; the switchboard says which agent answers. What the parts share is here.
"""

from hub.agents.roster import HANG_UP, TRANSFER, Agent, Agents, Tool, load

__all__ = ["HANG_UP", "TRANSFER", "Agent", "Agents", "Tool", "load"]
