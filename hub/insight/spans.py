"""Stretches of time in order, each moment counted once. Pure; knows milliseconds."""

from array import array
from bisect import bisect_left, bisect_right


class Spans:
    """Stretches of time, in any order of arrival. 16 bytes each."""

    __slots__ = ("_within_ms", "ends", "starts", "total_ms")

    def __init__(self, joined_within_ms: int = 1) -> None:
        """`joined_within_ms`: spans with less than this between them are one, and what lies between is a part of it."""
        self._within_ms = joined_within_ms - 1
        self.starts = array("q")
        """In order, in ms. No span touches another."""
        self.ends = array("q")
        self.total_ms = 0
        """The length of all spans."""

    def add(self, start_ms: int, end_ms: int) -> int | None:
        """Add a span. Returns the start of the span that it is, or becomes a part of; None if nothing has changed."""
        if end_ms <= start_ms:
            return None
        starts, ends, within = self.starts, self.ends, self._within_ms
        if not ends or start_ms - ends[-1] > within:  # mostly
            starts.append(start_ms)
            ends.append(end_ms)
            self.total_ms += end_ms - start_ms
            return start_ms
        first, last = bisect_left(ends, start_ms - within), bisect_right(starts, end_ms + within)
        if first < last:
            start_ms, end_ms = min(start_ms, starts[first]), max(end_ms, ends[last - 1])
            before_ms = sum(ends[first:last]) - sum(starts[first:last])
            if last - first == 1 and before_ms == end_ms - start_ms:
                return None
            self.total_ms -= before_ms
        starts[first:last], ends[first:last] = array("q", [start_ms]), array("q", [end_ms])
        self.total_ms += end_ms - start_ms
        return start_ms
