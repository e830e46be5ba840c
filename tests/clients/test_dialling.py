"""What `call` and `mic` are told on the command line."""

import pytest

from clients import dialling


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("3s", 3000), ("150ms", 150), ("1.5", 1500), ("0", 0), ("0.25s", 250)]
)  # fmt: skip
def test_durations_are_written_as_people_write_them(text: str, milliseconds: int) -> None:
    assert dialling.duration_ms(text) == milliseconds
