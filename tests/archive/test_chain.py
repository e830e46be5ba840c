"""The chain of the audit log: any row that is changed, taken out, put in or moved is found."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.archive.archive import Access, AuditRow
from hub.archive.chain import FIRST, Verification, digest_of, linked

ACCESSES = [
    Access(at=1.5, subject="alice", action="watch", call_sid="CA1"),
    Access(at=2.5, subject="alice", action="watch", call_sid="CA1"),
    Access(at=2.5, subject="token …a1b2c3", action="search", detail="q, from"),
    Access(at=9e9, subject='"quoted"\u2028', action="erase", call_sid="CA2", detail="é"),
]


def chain(accesses: list[Access]) -> list[AuditRow]:
    rows = linked(accesses[:1], None)
    return rows + linked(accesses[1:], rows[0])


def verified(rows: list[AuditRow]) -> Verification:
    found = Verification()
    found.read(rows)
    return found


def test_a_good_chain_is_read_in_parts_and_its_head_named() -> None:
    rows = chain(ACCESSES)
    found = Verification()
    assert found.read(rows[:2])
    assert found.read(rows[2:])
    assert (found.rows, found.head, found.problem) == (4, rows[-1].digest, "")
    assert verified([]).head == FIRST


@pytest.mark.parametrize("change", [{"at": 2.6}, {"subject": "bob"}, {"action": "listen"}, {"call_sid": "CA2"}, {"detail": "x"}])
def test_a_row_that_is_changed_is_found(change: dict[str, Any]) -> None:
    rows = chain(ACCESSES)
    rows[1] = replace(rows[1], access=replace(rows[1].access, **change))
    assert verified(rows).problem == "row 2 was changed"


def test_a_changed_row_with_a_digest_that_fits_breaks_the_chain_behind_it() -> None:
    rows = chain(ACCESSES)
    forged = replace(rows[1].access, subject="bob")
    rows[1] = replace(rows[1], access=forged, digest=digest_of(2, forged, rows[1].previous))
    assert verified(rows).problem.startswith("before row 3")


@given(taken=st.integers(0, 2))
def test_a_row_that_is_taken_out_is_found_unless_it_is_the_last(taken: int) -> None:
    rows = chain(ACCESSES)
    del rows[taken]
    assert verified(rows).problem == f"before row {taken + 2}, one or more rows were taken out, put in or moved"


@given(st.permutations(range(4)))
def test_rows_in_another_order_are_found(order: list[int]) -> None:
    rows = chain(ACCESSES)
    assert bool(verified([rows[at] for at in order]).problem) == (order != sorted(order))


def test_a_row_that_comes_twice_or_from_elsewhere_is_found() -> None:
    rows = chain(ACCESSES)
    assert verified([*rows[:2], rows[1], *rows[2:]]).problem.startswith("before row 2")
    access = Access(at=2.5, subject="eve", action="play", call_sid="CA1")
    assert verified([*rows[:2], AuditRow(id=3, access=access, previous=FIRST, digest=digest_of(3, access, FIRST)), *rows[2:]]).problem


def test_rows_that_are_cut_off_at_the_end_show_only_in_the_digest() -> None:
    rows = chain(ACCESSES)
    cut = verified(rows[:3])
    assert not cut.problem
    assert cut.head != rows[-1].digest
