"""How to reach the nodes of a cluster, directly and through its balancer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NODE_HEADER = "x-hub-node"
"""What the balancer adds to its answers: the name or the address of the node that it has chosen."""


@dataclass(frozen=True, slots=True)
class Way:
    """The addresses, and what state the nodes are in."""

    balancer: int
    """Its port."""
    nodes: dict[str, int]
    """Ports by name."""
    up: set[str] = field(default_factory=set)
    """Names of nodes to which somebody would connect now."""
    disturbed: set[str] = field(default_factory=set)
    """Names of nodes that were just killed, stopped or told to leave: they may cut their subscribers off."""

    def port(self, home: str) -> int:
        """Return where somebody connects who prefers a node."""
        return self.nodes[home] if home in self.up else self.balancer

    def chosen(self, headers: Mapping[str, str] | None, home: str = "") -> str:
        """Return the name of the node that answered with these headers. `home`: the node that was asked, if no balancer was."""
        name = (headers or {}).get(NODE_HEADER, home)
        return next((node for node, port in self.nodes.items() if name.endswith(f":{port}")), name)
