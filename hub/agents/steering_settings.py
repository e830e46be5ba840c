"""The settings of people who steer agents' calls: whom they may connect a caller with."""

from dataclasses import dataclass

from hub.config import setting
from hub.errors import ConfigError
from hub.text.dialable import Dialable


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringSettings:
    """What an order to pass a call on may dial."""

    numbers: str = setting(
        "HUB_STEER_NUMBERS",
        "",
        "whom supervisors may connect an agent's caller with, besides the places in the agents file: `+14155550100, +4930*, sip:…`",
    )

    def check(self) -> None:
        """Raise ConfigError if an entry is wrong."""
        _ = self.dialable

    @property
    def dialable(self) -> Dialable:
        """Who may be dialled. Raises: ConfigError."""
        try:
            return Dialable.of(self.numbers)
        except ValueError as error:
            raise ConfigError("HUB_STEER_NUMBERS", f"is wrong: {error}") from error
