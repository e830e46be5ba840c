"""For how long calls are kept: one number of days, and others for some numbers and agents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.text.terms import Terms


def test_the_days_of_a_call_are_the_fewest_that_name_it_or_those_for_all() -> None:
    terms = Terms.of("30, +1 (415) 555-0100 = 7, sales=365,front desk=0.5, sip:ada@PBX.example.com=0,")
    assert terms.numbers == {"+14155550100": 7, "sip:ada@pbx.example.com": 0}
    assert terms.of_call(None, "+4930123456", None) == 30
    assert terms.of_call("support", "+4930123456") == 30
    assert terms.of_call(None, "+4930123456", "+14155550100") == 7
    assert terms.of_call("sales", None, None) == 365
    assert terms.of_call("sales", "+14155550100") == 7
    assert terms.of_call("sales", "sip:ada@pbx.example.com") == 365
    assert terms.of_call("front desk", "+14155550100") == 0.5
    assert terms.of_call(None, "sip:ada@pbx.example.com") == 0
    assert not terms.endless


@pytest.mark.parametrize("text", ["", "0", " 0.0 ,", "0, sales=0"])
def test_nothing_is_ever_due_without_days(text: str) -> None:
    assert Terms.of(text).endless


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("soon", "must be days from 0"),
        ("-1", "must be days from 0"),
        ("nan", "must be days from 0"),
        ("inf", "must be days from 0"),
        ("1e9", "must be days from 0"),
        ("30, 7", "must give one number of days"),
        ("30, =7", "must name a number or an agent"),
        ("30, sales=", "must be days from 0"),
        ("30, 4155550100=7", "with its country code"),
        ("30, sales=7, sales=9", "once"),
        ("30, +14155550100=7, +1 (415) 555-0100=9", "once"),
    ],
)
def test_days_that_make_no_sense_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Terms.of(text)


@given(st.text())
def test_any_text_is_terms_or_a_sentence(text: str) -> None:
    try:
        days = Terms.of(text).of_call("a", "+14155550100")
    except ValueError as error:
        said = str(error)
    else:
        said = f"must {days}" if 0 <= days <= 36600 else ""
    assert said.startswith("must ")
