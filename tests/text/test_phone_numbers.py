"""One number has one form, however it is written; what cannot be a number has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.text.phone_numbers import EXAMPLE, dialled, identity, normal, shown


@pytest.mark.parametrize(
    "written",
    [
        "+14155550100",
        " +1 415 555 0100 ",
        "+1 (415) 555-0100",
        "+1.415.555.0100",
        "+1-415\u2011555\u20110100",
        "\uff0b14155550100",
        "\u202a+14155550100\u202c",
        "14155550100",
        "1 415 555 0100",
        "0014155550100",
        "00 1 415 555 0100",
        "tel:+1-415-555-0100",
        "TEL:+14155550100",
        "tel:415-555-0100;phone-context=+1",
        "tel:+14155550100;npdi",
        "sip:+14155550100@pbx.example.com",
        "sips:+14155550100@pbx.example.com:5061;transport=tls",
        "sip:+14155550100;npdi@pbx.example.com;user=phone",
        "sip:%2B14155550100@pbx.example.com",
        "sip:14155550100:secret@pbx.example.com",
        "sip:0014155550100@pbx.example.com",
        '"Ada L." <sip:+14155550100@pbx.example.com;user=phone>',
        "<tel:+14155550100>",
        "whatsapp:+14155550100",
        "\uff0b\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
        "+\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "+1\u00a0415\u202f555\u20090100",
        "+1\u200d415\u200c5550100",
        "\ufeff+14155550100\r\n",
    ],
)
def test_every_way_to_write_a_number_is_the_same_number(written: str) -> None:
    assert normal(written) == EXAMPLE


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("442079460958", "+442079460958"),
        ("+49 30 123456", "+4930123456"),
        ("+4930/123456", "+4930123456"),
        ("+39 06 698 12345", "+390669812345"),  # an Italian number keeps its zero
        ("+15005550006", "+15005550006"),  # Twilio's test credentials call from it
    ],
)
def test_a_country_writes_its_numbers_its_own_way(written: str, number: str) -> None:
    assert normal(written) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "00",
        "anonymous",
        "Restricted",
        "+anonymous",
        "266696687",  # ANONYMOUS on a keypad, as Twilio sends it
        "+266696687",
        "client:alice",
        "client:14155550100",
        "sip:alice@example.com",
        "sip:anonymous@anonymous.invalid",
        "sip:4000@pbx.example.com",
        "sip:+14155550100",  # no host: no SIP address
        "http://14155550100",
        "4155550100",  # American without its 1, or Swiss with its +: nobody can say
        "+4155550100",
        "6562345678",  # Singapore with its code, or Florida without: a valid number either way
        "10005550100",  # as long as a number, but of no area there is
        "+14155550100" + " " * 200,
        "020 7946 0958",
        "12345",
        "+12345",
        "911",
        "+1 415 555 0100 ext. 5",
        "tel:+14155550100;ext=5",
        "1-800-FLOWERS",
        "CA" + "0" * 32,
        "*",
        "+1415555010" + "0" * 30,
        "1" * 500,
        "+1415\n5550100\x00",
        "++14155550100",
        "+14155550100,+14155550101",
    ],
)
def test_what_cannot_be_a_number_has_no_form(text: str) -> None:
    assert normal(text) is None


@given(st.text())
def test_any_text_is_a_number_in_e164_form_or_none(text: str) -> None:
    number = normal(text)
    assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit() and normal(number) == number)


@pytest.mark.parametrize(
    ("text", "told_by"),
    [
        ("+1 415 555 0100", EXAMPLE),
        ("sip:+14155550100@pbx.example.com", EXAMPLE),
        ("sip:ada@pbx.example.com", "sip:ada@pbx.example.com"),
        ("SIPS:ada@PBX.example.com:5061;transport=tls", "sip:ada@pbx.example.com"),
        ("sip:ada;phone-context=x:secret@pbx.example.com?subject=y", "sip:ada@pbx.example.com"),
        ('"Ada" <sip:ada@pbx.example.com>', "sip:ada@pbx.example.com"),
        ("sip:4000@[2001:db8::7]:5060", "sip:4000@[2001:db8::7]"),
        ("Client:ada", "client:ada"),
        ("anonymous", None),
        ("Restricted", None),
        ("sip:anonymous@anonymous.invalid", None),
        ("sip:Anonymous@sip.example.com", None),
        ("sip:Restricted@10.0.0.1", None),
        ("sip:@pbx.example.com", None),
        ("sip:ada@", None),
        ("sip:a\u202eda@pbx.example.com", None),
        ("client:", None),
        ("client:ada bob", None),
        ("+266696687", None),
        ("", None),
        ("sip:ada@" + "x" * 200, None),
    ],
)
def test_a_caller_is_told_by_a_number_a_sip_user_or_a_client(text: str, told_by: str | None) -> None:
    assert identity(text) == told_by
    assert identity(told_by or "") == told_by


def test_people_are_shown_the_number_or_what_came_in_its_place() -> None:
    assert shown("sip:+14155550100@pbx") == EXAMPLE
    for name in ("anonymous", "sip:alice@example.com", "client:alice", ""):
        assert shown(name) == name


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("+1 415 555 0100", EXAMPLE),
        ("sip:alice@example.com", "sip:alice@example.com"),
        ("sips:alice@example.com", "sips:alice@example.com"),
        ("sip:+14155550100@trunk.example.com", "sip:+14155550100@trunk.example.com"),  # this trunk, not the public network
        ("client:alice", "client:alice"),
        ("the desk", None),
        ("client:", None),
        ("sip:alice@example.com\n<Hangup/>", None),
        ("", None),
    ],
)
def test_twilio_can_call_a_number_an_address_or_a_client_and_nothing_else(text: str, called: str | None) -> None:
    assert dialled(text) == called
