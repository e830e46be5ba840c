"""Vendors add message types: an unknown one is nothing, a broken one is an error."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import WireError
from hub.vendors.messages import read


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    name: str


class Bye(msgspec.Struct, frozen=True, tag_field="type", tag="bye"):
    pass


_decoder: msgspec.json.Decoder[Hello | Bye] = msgspec.json.Decoder(Hello | Bye)


def decoded(text: str | bytes) -> Hello | Bye | None:
    return read(_decoder, text, {"hello", "bye"}, "Vendor")


def test_a_known_message_is_read_and_what_it_does_not_need_is_skipped() -> None:
    assert decoded('{"type":"hello","name":"a","new":[1]}') == Hello("a")
    assert decoded(b'{"name":"a","type":"hello"}') == Hello("a")


def test_a_message_of_an_unknown_type_is_nothing() -> None:
    assert decoded('{"type":"goodbye","name":7}') is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name":"a"}', '{"type":7}', '{"type":"hello"}', '{"type":"hello","name":7}'])
def test_a_broken_message_is_an_error_that_names_the_vendor(text: str) -> None:
    with pytest.raises(WireError, match=r"^Vendor sent a message that cannot be read: "):
        decoded(text)


def test_a_message_that_is_too_deep_is_an_error() -> None:
    with pytest.raises(WireError):
        decoded('{"type":' * 100_000)


@given(st.text())
def test_any_text_is_a_message_nothing_or_an_error(text: str) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(decoded(text), Hello | Bye | None)
