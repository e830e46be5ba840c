"""For how long something is kept: so many days, and other days for some numbers and agents, as in `30, +14155550100=7, sales=365`.

Pure. Knows days and names. Does not know what is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.text.phone_numbers import EXAMPLE, identity

MOST_DAYS = 36600.0
"""More than a hundred years is a typing mistake; 0 stands for no limit."""


@dataclass(frozen=True, slots=True)
class Terms:
    """For how many days calls are kept. 0 is without end."""

    days: float = 0.0
    """For every call that no other field names."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """For calls from or to these numbers, in their normal form."""
    agents: Mapping[str, float] = field(default_factory=dict)
    """For calls that these agents answer."""

    @classmethod
    def of(cls, text: str) -> "Terms":
        """Return what a setting says. Raises: ValueError with what is wrong, to stand after the setting's name."""
        days: list[float] = []
        numbers: dict[str, float] = {}
        agents: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, amount = (piece.strip() for piece in part.rpartition("="))
            if not equals:
                days.append(_days(part))
            elif not name:
                raise ValueError(f"must name a number or an agent before each =, not {part!r}")
            elif number := identity(name):
                _put(numbers, number, amount)
            elif any(map(str.isalpha, name)):
                _put(agents, name, amount)
            else:  # taken for an agent's name, it would fit no call
                raise ValueError(f"must have each number with its country code, such as {EXAMPLE}=7, not {part!r}")
        if len(days) > 1:
            raise ValueError("must give one number of days for all calls; others belong to a number or an agent, as +14155550100=7")
        return cls(days[0] if days else 0.0, numbers, agents)

    @property
    def endless(self) -> bool:
        """Whether nothing is ever due."""
        return not any((self.days, *self.numbers.values(), *self.agents.values()))

    def of_call(self, agent: str | None, *numbers: str | None) -> float:
        """Return for how many days a call is kept: where several terms name it, for the fewest; 0 without end."""
        named = [days for number in numbers if number and (days := self.numbers.get(number)) is not None]
        if agent and (days := self.agents.get(agent)) is not None:
            named.append(days)
        return min(named, key=lambda days: days or float("inf")) if named else self.days


def _put(named: dict[str, float], name: str, amount: str) -> None:
    if name in named:
        raise ValueError(f"must name each number and agent once, not {name!r} twice")
    named[name] = _days(amount)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= MOST_DAYS:
        raise ValueError(f"must be days from 0 (no limit) to {MOST_DAYS:.0f}, not {text!r}")
    return days
