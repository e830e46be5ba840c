"""Which calls a webhook is told of."""

from typing import Any

import pytest

from hub.delivery.webhook import Webhook
from tests.archive.made import facts

CALL: dict[str, Any] = {"from_": "+14155550100", "to": "+14155550199", "agent": "support", "queue": "billing"}


def webhook(**filters: frozenset[str]) -> Webhook:
    return Webhook(name="crm", url="https://crm.example.com", keys=(), events=None, **filters)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"agents": {"support", "sales"}}, True),
        ({"agents": {"sales"}}, False),
        ({"queues": {"billing"}}, True),
        ({"queues": {"repairs"}}, False),
        ({"numbers": {"+14155550100"}}, True),
        ({"numbers": {"+14155550199"}}, True),
        ({"numbers": {"+14155550123"}}, False),
        ({"agents": {"support"}, "numbers": {"+14155550100"}, "queues": {"billing"}}, True),
        ({"agents": {"support"}, "numbers": {"+14155550123"}}, False),
        ({"agents": {"support"}, "queues": {"repairs"}}, False),
    ],
)
def test_a_call_is_wanted_that_passes_all_filters(filters: dict[str, set[str]], wanted: bool) -> None:
    to = webhook(**{name: frozenset(values) for name, values in filters.items()})
    assert to.wants(facts("CA1", 1.0, **CALL)) is wanted


def test_a_call_of_which_nothing_is_known_passes_no_filter() -> None:
    assert [webhook(**{name: frozenset({""})}).wants(facts("CA1", 1.0)) for name in ("agents", "queues", "numbers")] == [False] * 3
