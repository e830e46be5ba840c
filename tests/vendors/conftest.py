"""What a test of sessions may ask for: tries and deadlines without the waits that real providers are owed."""

import pytest

from hub.transcribers import session


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BACKOFF_SECONDS", (0.01, 0.02))
    monkeypatch.setattr(session, "TICK_SECONDS", 0.02)
