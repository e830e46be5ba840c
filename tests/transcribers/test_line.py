"""The frames that carry audio, judged by a WebSocket implementation that is not ours."""

import os

import pytest
from websockets.frames import Opcode
from websockets.protocol import SERVER, Protocol, State

from hub.transcribers.line import _BINARY, _frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 1600, 65535, 65536, 70000])
def test_an_audio_frame_is_read_by_a_server_as_it_was_meant(size: int) -> None:
    server = Protocol(SERVER, state=State.OPEN)
    payload = os.urandom(size)
    server.receive_data(_frame(_BINARY, payload))
    (frame,) = server.events_received()
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.BINARY, True, payload)


def test_no_two_frames_share_a_mask() -> None:
    masks = {_frame(_BINARY, b"x" * 160)[4:8] for _ in range(3000)}
    assert len(masks) > 2990
