"""The keys that a caller presses, as the numbers that they make. Pure; media time only."""

KEYS_MS = 1500
"""Who presses no other key for so long has typed all of a number."""


class Keypad:
    """One call's keys that are not told yet."""

    def __init__(self) -> None:
        self.keys = ""
        """What was pressed, in order."""
        self._pressed_ms = 0.0
        """When the last of it was."""

    def press(self, key: str, now_ms: float) -> None:
        """Take a key."""
        self.keys, self._pressed_ms = self.keys + key, now_ms

    def typed(self, now_ms: float) -> str:
        """Return a number that is whole, by a pause or by `#`, once; empty while there is none."""
        if not self.keys.endswith("#") and now_ms - self._pressed_ms < KEYS_MS:
            return ""
        keys, self.keys = self.keys, ""
        return keys
