"""TOML that people write: what is no TOML, and the line in which something stands."""

import pytest

from hub.text.toml_file import MOST_CHARACTERS, Places, TomlError, read_toml

TEXT = """\
# crm = "a comment"
[hooks.crm]
url = "https://crm"
events = [
  "final",
  "alert",
]

[hooks."the other"]
"url" = "https://other"
[[list]]
url = "https://third"
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[a", "line 1: this is not TOML: "),
        ("a = 1\n\na = 2", "line 3: this is not TOML: Cannot overwrite a value"),
        ('a = 1\nb = ["x"', "line 2: this is not TOML: "),
        ("a = " + "[" * 100_000, "has too many brackets inside each other"),
        ("a = " + "9" * 5000, "is not TOML: "),
        ("#" * (MOST_CHARACTERS + 1), "has more than 1000000 characters"),
    ],
)
def test_what_is_no_toml_is_one_sentence_with_its_line(text: str, says: str) -> None:
    with pytest.raises(TomlError) as raised:
        read_toml(text)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("crm",), 2),
        (("crm", "url"), 3),
        (("crm", "events", "alert"), 6),
        (("crm", "nothing"), 2),
        (("the other", "url"), 10),
        (("https://third",), 12),
        (("nowhere",), None),
    ],
)
def test_the_line_of_a_table_a_field_or_a_value_is_found(place: tuple[str, ...], line: int | None) -> None:
    assert Places(TEXT).of(*place) == line


def test_the_line_of_what_the_file_itself_has_is_found() -> None:
    assert (Places(TEXT).of_key("hooks"), Places(TEXT).of_key("list"), Places(TEXT).of_key("url"), Places(TEXT).of_key("nowhere")) == (
        2,
        11,
        3,
        None,
    )
