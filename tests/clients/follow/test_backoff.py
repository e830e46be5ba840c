"""The waits between tries: doubled, bounded, and never the same for all clients."""

import pytest

from clients.follow import Backoff


def test_waits_double_from_the_first_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    assert [Backoff(0.1, 5.0).wait_seconds(failures) for failures in (1, 2, 3, 6, 7, 100_000)] == [0.1, 0.2, 0.4, 3.2, 5.0, 5.0]


def test_chance_shortens_a_wait_to_no_less_than_half() -> None:
    waits = [Backoff(1.0, 5.0).wait_seconds(1) for _ in range(500)]
    assert 0.5 <= min(waits) < 0.6
    assert 0.9 < max(waits) <= 1.0
