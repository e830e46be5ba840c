"""Messages to a peer, byte for byte."""

import pytest

from hub.web.frames import binary_frame, close_frame, text_frame


@pytest.mark.parametrize(
    ("size", "head"), [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65536, b"\x81\x7f\0\0\0\0\0\x01\0\0")]
)
def test_frames_have_the_shortest_length_form(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


def test_a_binary_message_has_its_own_opcode() -> None:
    assert binary_frame(b"LRLR") == b"\x82\x04LRLR"
    assert binary_frame(bytes(1608))[:4] == b"\x82\x7e\x06\x48"


def test_a_close_reason_is_cut_between_characters() -> None:
    frame = close_frame(4408, "ä" * 100)
    assert frame[:2] == b"\x88\x7c"
    assert frame[4:].decode() == "ä" * 61
