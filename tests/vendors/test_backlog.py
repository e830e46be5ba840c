"""What waits for the engine on this machine."""

from hub.vendors.moonshine.backlog import Backlog
from tests.providers.vendors import BLOCK_BYTES


def test_what_waits_is_bounded_and_what_was_dropped_is_one_stretch() -> None:
    backlog = Backlog(bound_bytes=BLOCK_BYTES * 3)
    for count in range(1000):
        backlog.put(count * 100, bytes(BLOCK_BYTES))
        assert backlog.size_bytes <= BLOCK_BYTES * 3
        assert len(backlog.pieces) <= 3
    assert backlog.take() == ((0, 99_700), (99_700, bytes(BLOCK_BYTES)))
    assert backlog.take() == (None, (99_800, bytes(BLOCK_BYTES)))
