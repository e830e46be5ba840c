"""What a run has counted and measured, for people and as a file."""

import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = 8
"""How many faults of a kind are kept in words."""


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return how many values there are, their median, the 99th percentile and the largest."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered), "p50": round(ordered[len(ordered) // 2], 4), "p99": round(ordered[int(len(ordered) * 0.99)], 4),
        "max": round(ordered[-1], 4),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """What must not be exceeded."""

    figure: str
    """Which figure of the spread."""
    seconds: float = 0.0
    twice: str = ""
    """The name of other times: twice their figure is allowed, too."""


@dataclass
class Evidence:
    """One run."""

    kind: str
    seed: int
    wanted: int
    """How many disturbances."""
    size: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    began_at: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    rounds: int = 0
    """How many disturbances there were."""
    counts: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    """What was computed from several measurements."""
    times: dict[str, list[float]] = field(default_factory=dict)
    """What was measured, in seconds, by name."""
    limits: dict[str, Limit] = field(default_factory=dict)
    """By the name of what was measured."""
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[str, Any] = field(default_factory=dict)
    """What came of calls with faults, by callSid: their streams and events."""
    log: list[str] = field(default_factory=list)
    """What the nodes said."""
    loads: list[float] = field(default_factory=list)

    def fault(self, kind: str, what: str) -> None:
        """Take note of something that must not be."""
        self.faults[kind] += 1
        if self.faults[kind] <= EXAMPLES:
            self.examples.append(f"{kind}: {what}")

    def measured(self, name: str, seconds: float) -> None:
        """Take note of a time."""
        self.times.setdefault(name, []).append(seconds)

    def happened(self, what: str, **more: Any) -> None:
        """Add a line to the timeline."""
        self.loads.append(os.getloadavg()[0])
        self.timeline.append({"at": round(time.monotonic() - self.began, 3), "what": what, **more})

    def in_time(self) -> None:
        """Compare what was measured with the limits: what took too long is a fault, too."""
        for name, limit in self.limits.items():
            value = spread(self.times.get(name, [])).get(limit.figure)
            most = max(limit.seconds, 2 * spread(self.times.get(limit.twice, [])).get(limit.figure, 0.0))
            if value is None or value > most:
                self.fault("too slow", f"{name}: {limit.figure} is {value}, not at most {most:g}")

    def write(self, path: Path) -> None:
        """Write everything to a file, and what the nodes said to one beside it."""
        path.with_suffix(".log").write_text("".join(self.log))
        everything = vars(self) | {"times": {name: spread(values) | {"all": [round(each, 4) for each in values[:20_000]]}
                                             for name, values in self.times.items()}}  # fmt: skip
        del everything["log"]
        everything["limits"] = {name: asdict(limit) for name, limit in self.limits.items()}
        everything |= {"seconds": round(time.monotonic() - self.began, 1), "cores": os.cpu_count()}
        path.write_text(json.dumps(everything, indent=1))

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items())) or "none"
        lines = [
            f"{self.kind}: {self.rounds} in {time.monotonic() - self.began:.0f} s, seed {self.seed}, "
            f"machine load {min(self.loads, default=0):.1f} to {max(self.loads, default=0):.1f} on {os.cpu_count()} cores",
            ", ".join(f"{name} {count:,}" for name, count in sorted(self.counts.items())),
            *(f"{name}: {value:g}" for name, value in self.figures.items()),
            *(f"{name}: {_said(spread(values))}" for name, values in sorted(self.times.items())),
            f"faults: {faults}",
        ]
        return "\n".join(lines)


def _said(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())
