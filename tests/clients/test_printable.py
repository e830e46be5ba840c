"""Text that a terminal only shows."""

import pytest

from clients.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Zoë 你好 €", "Zoë 你好 €"), ("\x1b[2Jhello", " [2Jhello"), ("a\nb\tc\x7f", "a b c "), ("abc\u202edef", "abc def"), ("", "")],
)
def test_control_characters_become_blanks_and_all_others_stay(text: str, shown: str) -> None:
    assert printable(text) == shown
