"""Keys become the numbers that they mean."""

from hub.agents.keypad import KEYS_MS, Keypad


def test_a_pause_ends_a_number_and_it_comes_once() -> None:
    keypad = Keypad()
    keypad.press("4", 0)
    keypad.press("2", 1000)
    assert keypad.typed(1000 + KEYS_MS - 1) == ""
    assert keypad.typed(1000 + KEYS_MS) == "42"
    assert keypad.typed(99_999) == ""


def test_a_hash_ends_a_number_at_once() -> None:
    keypad = Keypad()
    keypad.press("7", 0)
    keypad.press("#", 10)
    assert keypad.typed(10) == "7#"


def test_a_clock_that_leaps_ends_no_number() -> None:
    keypad = Keypad()
    keypad.press("7", 0)
    keypad.leap(60_000)
    assert keypad.typed(60_000 + KEYS_MS - 1) == ""
    assert keypad.typed(60_000 + KEYS_MS) == "7"
