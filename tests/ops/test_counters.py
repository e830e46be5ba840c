"""Counters: a histogram's buckets, and that a new provider or reason starts at zero."""

import pytest

from hub.ops.counters import ClusterCounters, Counters, Durations


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(0.0, [1, 0, 0]), (0.5, [1, 0, 0]), (0.500001, [0, 1, 0]), (2.0, [0, 1, 0]), (2.1, [0, 0, 1]), (1e9, [0, 0, 1])],
)
def test_a_duration_counts_in_the_first_bucket_whose_bound_is_not_below_it(seconds: float, counts: list[int]) -> None:
    """As Prometheus defines `le`: less than or equal to the bound."""
    durations = Durations((0.5, 2.0))
    durations.add(seconds)
    assert durations.counts == counts
    assert durations.total == seconds


def test_durations_add_up() -> None:
    durations = Durations((1.0,))
    for seconds in (0.25, 0.5, 4.0):
        durations.add(seconds)
    assert (durations.counts, durations.total) == ([2, 1], 4.75)


def test_a_provider_and_a_reason_that_never_counted_are_at_zero() -> None:
    counters = Counters()
    assert counters.refused["client token"] == 0
    assert counters.providers["deepgram"].sessions == 0
    assert set(counters.providers) == {"deepgram"}, "a provider that was asked for shows in the metrics"


def test_a_hub_counts_nothing_about_a_cluster_until_it_is_a_node_of_one() -> None:
    counters = Counters()
    assert counters.cluster is None
    counters.cluster = ClusterCounters("a")
    assert (counters.cluster.node, counters.cluster.takeovers["continued"], counters.cluster.append_seconds.total) == ("a", 0, 0.0)
