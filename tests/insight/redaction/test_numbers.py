"""Which numbers a text has, how they are written or said, and what they look like."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.insight.redaction.numbers import read


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("four one one one", "4111"),
        ("double five oh", "550"),
        ("triple zero, treble nine", "000999"),
        ("4 one 11", "4111"),
        ("double 5", "55"),
        ("forty-one eleven", "4111"),
        ("four hundred and eleven", "411"),
        ("nineteen hundred", "1900"),
        ("twelve thousand three hundred forty five", "12345"),
        ("two million", "2000000"),
        ("a hundred", "100"),
        ("4111-1111 (1111) 1111", "4111111111111111"),
        ("four one, okay, and then one one", "4111"),
        ("four one one, let me see, the next four are one", "4111"),
        ("one one for one", "1141"),
        ("null eins zwo", "012"),
        ("vierhunderteinundzwanzig", "421"),
        ("fünfundvierzig elf", "4511"),
        ("quatre-vingt-dix-sept", "97"),
        ("soixante et onze", "71"),
        ("vingt et un", "21"),
        ("cuarenta y uno dos", "412"),
        ("doscientos cinco", "205"),
        ("veintitrés once", "2311"),
        ("٤١١١", "4111"),
    ],
)
def test_a_number_is_read_as_it_is_said(text: str, digits: str) -> None:
    (number,) = read(text).numbers
    assert number.digits == digits
    assert (number.start, number.end) in {(0, len(text)), (2, len(text))}, "all of it, but for an article"


@pytest.mark.parametrize(
    "text", ["", "hello there", "come at once", "oh I see", "I want to go too", "the 4th of them", "un instant", "per cent"]
)
def test_a_text_without_digits_has_no_number(text: str) -> None:
    assert read(text).numbers == ()


@pytest.mark.parametrize(
    ("text", "plains"),
    [
        ("$1,250.00", ["price"]),
        ("30 dollars or 20 euros", ["price", "price"]),
        ("twelve hundred dollars", ["price"]),
        ("at 3:30, 4:15 or 5:45 pm", ["time", "time", "time"]),
        ("at nine thirty", ["time"]),
        ("on May 5, 2026", ["date"]),
        ("26.11.2026", ["date"]),
        ("in 2019", ["year"]),
        ("2019 and 2020", ["year"]),
        ("50,000", ["round"]),
        ("two million", ["round"]),
        ("5, 7 and 9", ["list"]),
        ("4:11 11111", [""]),
        ("4:11 11:11", [""]),
        ("four one one one two dollars", [""]),
        ("4111 1111 1111 1111 dollars", [""]),
        ("12,345", [""]),
    ],
)
def test_the_form_of_a_number_says_what_it_is(text: str, plains: list[str]) -> None:
    assert [number.plain for number in read(text).numbers] == plains


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("my PIN is 1234", "secret"),
        ("the security code is 123", "secret"),
        ("order number 48213", "order"),
        ("my room is 12", "order"),
        ("my card number is 4", "number"),
        ("I have 4", ""),
        ("the order is late and my pin is 1234", "secret"),
    ],
)
def test_the_words_before_a_number_say_what_it_is(text: str, topic: str) -> None:
    assert read(text).numbers[-1].topic == topic


def test_a_number_leads_and_trails_where_only_fillers_stand_around_it() -> None:
    (number,) = read("yeah, 12 okay.").numbers
    assert (number.leads, number.trails) == (True, True)
    (number,) = read("I have 12 of them").numbers
    assert (number.leads, number.trails, number.words_before, number.words_behind) == (False, False, 2, 2)


@settings(deadline=None)
@given(st.text(alphabet="01 one double hundred and million cent $,.:-/oh-'", max_size=60))
def test_any_text_has_numbers_that_lie_in_it_in_order_or_none(text: str) -> None:
    places = [(number.start, number.end) for number in read(text).numbers]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(places))
