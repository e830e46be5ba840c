"""The session on the integrator's page is one that a hub holds today."""

import pytest

from tests.docs.pages import blocks, the_block
from tests.docs.session import FILE, record, shape

pytestmark = pytest.mark.one_python


def test_the_page_shows_the_recorded_file() -> None:
    assert len(blocks("session")) == 1
    assert the_block("session", "hub/web/README.md") == FILE.read_text(encoding="utf-8")


async def test_the_file_is_what_a_hub_says_today() -> None:
    """When it is not, because an event got a field: `python -m tests.docs.session` records it again."""
    shown = FILE.read_text(encoding="utf-8").splitlines()
    assert [shape(line) for line in shown] == [shape(line) for line in await record()]


async def test_an_event_with_another_field_would_be_seen() -> None:
    assert shape('< {"type":"pong","at":"x"}') != shape('< {"type":"pong","at":"x","more":1}')
    assert shape('< {"type":"pong","at":"x"}') == shape('< {"type":"pong","at":"y"}')
    assert shape('> {"type":"pong","at":"x"}') != shape('< {"type":"pong","at":"x"}')
