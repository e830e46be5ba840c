"""Stretches of time, each moment counted once."""

from hypothesis import given
from hypothesis import strategies as st

from hub.insight.spans import Spans


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20))
def test_each_moment_is_counted_once(pairs: list[tuple[int, int]]) -> None:
    spans = Spans()
    for start, end in pairs:
        spans.add(start, end)
    assert spans.total_ms == len({moment for start, end in pairs for moment in range(start, end)})
    assert spans.total_ms == sum(spans.ends) - sum(spans.starts)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=1, max_size=20), st.integers(1, 6), st.randoms())
def test_spans_that_are_near_each_other_are_one_in_whatever_order_they_come(
    pairs: list[tuple[int, int]], within: int, order: object
) -> None:
    found = []
    for _ in range(2):
        spans = Spans(within)
        for start, length in pairs:
            spans.add(start, start + length)
        found.append(list(zip(spans.starts, spans.ends, strict=True)))
        order.shuffle(pairs)  # type: ignore[attr-defined]
    assert found[0] == found[1]
    assert all(start - end >= within for (_, end), (start, _) in zip(found[0], found[0][1:], strict=False))


def test_a_span_says_from_where_on_something_has_changed() -> None:
    spans = Spans(10)
    assert [spans.add(100, 200), spans.add(300, 400), spans.add(205, 250), spans.add(120, 180), spans.add(5, 5)] == [
        100,
        300,
        100,
        None,
        None,
    ]
