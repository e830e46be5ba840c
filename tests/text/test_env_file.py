"""A .env file is understood line by line, or the sentence says which line is not. No line is skipped."""

from pathlib import Path

import pytest

from hub.errors import ConfigError
from hub.text.env_file import read
from hub.vendors.registered import REGISTERED

SECRETS = ("HUB_SECRET", "TWILIO_AUTH_TOKEN")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        ("a${x}$y$$z", "a${x}$y$$z"),
        ('"a${HOME}b"', "a${HOME}b"),
        ("'a ${x} #\"$ b'", 'a ${x} #"$ b'),
        ('"a #b"', "a #b"),
        ("a#b", "a#b"),
        ("a=b==", "a=b=="),
        ("a'b\"c", "a'b\"c"),
        ("a\\b", "a\\b"),
        ("Zoë€", "Zoë€"),
        ("'abc'  # a comment", "abc"),
    ],
)
def test_a_secret_stays_whole(file: Path, written: str, secret: str) -> None:
    file.write_text(f"# a comment\n\nHUB_PORT=6000  # a comment\nexport HUB_SECRET = {written}\r\nHUB_LOG=text\n", encoding="utf-8")
    assert read(file, SECRETS) == {"HUB_PORT": "6000", "HUB_SECRET": secret, "HUB_LOG": "text"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_file_may_be_written_by_any_editor(file: Path, encoding: str) -> None:
    file.write_bytes("HUB_SECRET=Zoë\r\nHUB_PORT=6000\r\n".encode(encoding))
    assert read(file, SECRETS) == {"HUB_SECRET": "Zoë", "HUB_PORT": "6000"}


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('HUB_PORT=1\n\n\nHUB_SECRET="abc\n', "line 4, cannot be understood: write NAME=value, and close each quote that you open"),
        ("\nHUB_SECRET='abc\nHUB_PORT=1\n", "line 2, cannot be understood"),
        ('HUB_SECRET="abc\nHUB_DIAL="x"\n', "line 1, cannot be understood"),
        ('HUB_SECRET="abc\nHUB_PORT=1\nHUB_DIAL=" # x\n', "line 1, begins a value of HUB_SECRET that goes on over the next lines"),
        ('OTHER="abc\nHUB_SECRET=1\nHUB_DIAL=" # x\n', "line 1, begins a value of OTHER that goes on over the next lines"),
        ("HUB_SECRET: abc\n", "line 1, cannot be understood"),
        ("HUB_PORT=1\nHUB_SECRET:abc\n", "line 2, has no = in it: write NAME=value"),
        ("set HUB_SECRET=abc\n", "line 1, cannot be understood"),
        ("HUB_SECRET\n", "line 1, has no value for HUB_SECRET: write HUB_SECRET=value"),
        ("=abc\n", "line 1, cannot be understood"),
        ('HUB_SECRET="abc"d\n', "line 1, cannot be understood"),
        ("HUB_SECRET=abc #d\n", "line 1, has ` #` in the value of HUB_SECRET: put the value between '…', or the comment"),
        ("HUB_SECRET=\t#abc\n", "line 1, has ` #` in the value of HUB_SECRET"),
        ("HUB_SECRET=abc\n\nHUB_SECRET=\n", "line 3, sets HUB_SECRET, which an earlier line sets to another value: keep one of them"),
        ("HUB_SECRET=abcd\nexport HUB_SECRET='abc'\n", "line 2, sets HUB_SECRET, which"),
    ],
)
def test_a_line_that_is_not_understood_is_named_and_its_value_is_not(file: Path, written: str, problem: str) -> None:
    file.write_text(written)
    with pytest.raises(ConfigError) as error:
        read(file, SECRETS)
    assert str(error.value).startswith(f"{file}, {problem}")
    assert "abc" not in str(error.value)


@pytest.mark.parametrize(
    ("written", "line"), [("HUB_PORT=1\nHUB_GREETING=Grüße\n".encode("latin-1"), 2), ("HUB_PORT=1\n".encode("utf-16")[:-1], 1)]
)
def test_a_file_in_another_encoding_is_refused_with_the_line(file: Path, written: bytes, line: int) -> None:
    file.write_bytes(written)
    with pytest.raises(ConfigError, match=rf"\.env cannot be read: line {line} is not text in UTF-8; save the file"):
        read(file)


def test_text_in_two_bytes_a_letter_that_does_not_say_so_is_refused(file: Path) -> None:
    file.write_bytes("HUB_PORT=1\n".encode("utf-16-le"))
    with pytest.raises(ConfigError, match=r"\.env cannot be read: it is not text in UTF-8"):
        read(file)


def test_no_file_a_folder_and_an_empty_file_set_nothing(file: Path) -> None:
    assert read(file) == {}
    file.touch()
    assert read(file) == {}
    file.unlink()
    file.mkdir()
    assert read(file) == {}


def test_a_link_that_leads_nowhere_is_no_empty_file(file: Path) -> None:
    """The secrets that it leads to may not be mounted yet."""
    file.symlink_to(file.with_name("not-mounted"))
    with pytest.raises(ConfigError, match=r"\.env cannot be read: No such file"):
        read(file)


def test_a_file_of_megabytes_is_no_file_of_settings(file: Path) -> None:
    file.write_text("HUB_PORT=1\n" * 30_000)
    with pytest.raises(ConfigError, match="too long for a file of settings"):
        read(file)


def test_a_secret_may_be_set_twice_to_the_same_value_and_other_names_to_any(file: Path) -> None:
    file.write_text("HUB_SECRET=abc\nHUB_PORT=1\nHUB_PORT=2\nHUB_SECRET='abc'\n")
    assert read(file, SECRETS) == {"HUB_SECRET": "abc", "HUB_PORT": "2"}


def test_other_programs_may_have_values_over_several_lines(file: Path) -> None:
    file.write_text('PRIVATE_KEY="-----BEGIN\nabc=\n-----END"\n')
    assert read(file) == {"PRIVATE_KEY": "-----BEGIN\nabc=\n-----END"}


def test_the_hub_does_not_start_with_a_line_that_it_does_not_understand(file: Path) -> None:
    file.write_text('HUB_PUBLIC_URL=https://hub.example.com\nHUB_SECRET="abc\n')
    with pytest.raises(ConfigError, match="line 2"):
        REGISTERED.load({}, file)
    file.write_text("HUB_SECRET=a${x}b\nDEEPGRAM_API_KEY=k$y\n")
    assert set(REGISTERED.load({}, file).secrets) == {"a${x}b", "k$y"}
    file.write_text("DEEPGRAM_API_KEY=k #y\n")
    with pytest.raises(ConfigError, match="DEEPGRAM_API_KEY"):
        REGISTERED.load({}, file)
