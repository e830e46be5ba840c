"""Positions in one call, and in all calls."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.events import Position
from hub.web.doors.positions import AllCallsPosition, read_position

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def test_a_position_in_a_call_is_its_epoch_and_offset() -> None:
    assert read_position("3339322b3c12:14") == Position("3339322b3c12", 14)


@pytest.mark.parametrize("text", ["", "14", ":14", "e:", "e:-1", "e:1.5", "e:1:2", "e:٣", "e 1:1", "e:" + "1" * 16])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="position"):
        read_position(text)


def test_a_position_in_all_calls_is_a_moment_and_the_calls_that_spoke_since() -> None:
    position = AllCallsPosition(NOON)
    position.reach("aa", 1, NOON + 1)
    position.reach("bb", 4, NOON + 2)
    position.reach("aa", 2, NOON + 3)
    assert position.text() == "2026-11-26T12:00:00.000Z,bb:4,aa:2"
    position.advance(NOON + 2)
    assert position.text() == "2026-11-26T12:00:02.000Z,aa:2"
    assert (position.offset("aa"), position.offset("bb")) == (2, None)
    position.advance(NOON)  # it never goes back
    assert position.moment == NOON + 2


def test_a_bare_moment_is_a_position_too_and_none_is_in_the_future() -> None:
    for text in ("2026-11-26T12:00:00Z", "2026-11-26T13:00:00+01:00", "2026-11-26T12:00", "2026-11-26T13:00:00 01:00"):
        assert AllCallsPosition.read(text, NOON + 9).text() == "2026-11-26T12:00:00.000Z"
    assert AllCallsPosition.read("2999-01-01", NOON).moment == NOON


@given(st.text(max_size=40))
def test_any_text_is_a_position_or_a_value_error(text: str) -> None:
    for read in (read_position, lambda each: AllCallsPosition.read(each, NOON)):
        try:
            read(text)
        except ValueError as error:
            assert "position" in str(error)  # noqa: PT017


@given(st.dictionaries(st.text("0123456789abcdef", min_size=1, max_size=12), st.integers(0, 10**9)), st.integers(0, int(NOON * 1000)))
def test_what_is_written_is_what_is_read(offsets: dict[str, int], milliseconds: int) -> None:
    position = AllCallsPosition(milliseconds / 1000, offsets)
    again = AllCallsPosition.read(position.text(), NOON)
    assert (again.text(), again.epochs) == (position.text(), set(offsets))
