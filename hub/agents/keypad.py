"""The keys that a caller presses, put together to the numbers that they mean. Pure; media time only."""

KEYS_MS = 1500
"""A caller who presses no other key for so long has typed the whole number."""


class Keypad:
    """One call's keys that the model was not told of yet."""

    def __init__(self) -> None:
        self.keys = ""
        """What was pressed, in order."""
        self._pressed_ms = 0.0
        """When the last key was pressed. Only meaningful while there are keys."""

    def press(self, key: str, now_ms: float) -> None:
        """Take a key."""
        self.keys, self._pressed_ms = self.keys + key, now_ms

    def typed(self, now_ms: float) -> str:
        """Return a number that is whole, by a pause or by `#`, once. Empty while there is none."""
        if not self.keys.endswith("#") and now_ms - self._pressed_ms < KEYS_MS:
            return ""
        keys, self.keys = self.keys, ""
        return keys

    def leap(self, by_ms: float) -> None:
        """Go on after the media clock jumped."""
        self._pressed_ms += by_ms
