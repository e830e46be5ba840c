"""Key terms are cut to what a provider takes."""

import pytest

from hub.vendors.key_terms import within


@pytest.mark.parametrize(
    ("terms", "taken"),
    [
        (["Acme", "Dr. Okafor"], ["Acme", "Dr. Okafor"]),
        (["one", "two", "three", "four"], ["one", "two", "three"]),
        (["Acme", "Acme", " Acme  ", "", " "], ["Acme"]),
        (["Okafor and Sons"], ["Okafor and"]),
        (["Donaudampfschiff"], ["Donaudampf"]),
        (["exactly 10"], ["exactly 10"]),
        (["exactly 10 "], ["exactly 10"]),
    ],
)
def test_so_many_of_so_many_characters(terms: list[str], taken: list[str]) -> None:
    assert within(terms, most=3, most_chars=10) == taken
