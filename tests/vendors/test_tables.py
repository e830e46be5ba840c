"""The tables of settings and of providers in the project's pages are those that the code makes, in whichever page they stand."""

import re
from collections import Counter
from pathlib import Path

import pytest

from hub.vendors.registered import REGISTERED

TOP = Path(__file__).parents[2]
FOLDERS = ("hub", "clients", "tests")


def rows() -> list[str]:
    """Every row of every table in the project's pages, with single blanks."""
    pages = [*TOP.glob("*.md"), *(page for folder in FOLDERS for page in (TOP / folder).rglob("*.md") if "node_modules" not in page.parts)]
    lines = [line for page in pages for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [re.sub(r" +", " ", line.strip()) for line in lines]


def one_blank(table: list[str]) -> list[str]:
    return [re.sub(r" +", " ", row) for row in table]


@pytest.mark.parametrize("table", [REGISTERED.setting_rows(), REGISTERED.speech_rows()], ids=["settings", "speech providers"])
def test_each_row_that_the_code_makes_stands_once_in_the_pages(table: list[str]) -> None:
    shown = Counter(rows())
    absent = [row for row in one_blank(table) if not row.startswith("|---") and shown[row] != 1]
    assert not absent, "the table must be:\n" + "\n".join(table)


def test_the_pages_name_no_setting_that_there_is_not() -> None:
    known = {row.split("|")[1].strip() for row in REGISTERED.setting_rows()[2:]}
    named = {found[1] for row in rows() if (found := re.match(r"\| (`[A-Z]+(?:_[A-Z]+)+`) \|", row))}
    assert known
    assert named <= known, named - known
