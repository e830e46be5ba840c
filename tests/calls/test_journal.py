"""What a hub that was killed leaves behind: the newest state of each live call, whatever happened to the file."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.calls import journal as journals
from hub.calls.journal import Entry, Journal
from hub.errors import ConfigError

NOW = 1_700_000_000.0


def entry(call_sid: str, call_ms: float = 0.0) -> Entry:
    return Entry(call_sid=call_sid, account_sid="AC1", tracks=["inbound"], parameters={"from": "+14155550123"}, call_ms=call_ms)


def opened(path: Path, now: float = NOW) -> Journal:
    return Journal(path, lambda: now)


def test_the_newest_line_about_each_live_call_is_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    journal = opened(path)
    assert journal.left == []
    for call_sid, call_ms in (("CA1", 0.0), ("CA2", 0.0), ("CA1", 500.0), ("CA3", 0.0)):
        journal.keep(entry(call_sid, call_ms))
    journal.drop("CA2")
    journal.drop("CA2")
    left = opened(path, NOW + 10).left  # without close: it was killed
    assert [(each.call_sid, each.call_ms, each.at) for each in left] == [("CA1", 500.0, NOW), ("CA3", 0.0, NOW)]
    assert opened(path, NOW + 10).left == left, "reading changes nothing"
    journal.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    opened(tmp_path / "calls").close()
    assert stat.S_IMODE((tmp_path / "calls").stat().st_mode) == 0o600


def test_a_call_of_the_day_before_yesterday_is_forgotten(tmp_path: Path) -> None:
    journal = opened(tmp_path / "calls")
    journal.keep(entry("CA1"))
    journal.close()
    assert opened(tmp_path / "calls", NOW + 86400 * 2).left == []


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 2000), noise=st.binary(max_size=40))
def test_a_torn_end_costs_its_own_line_only(tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes) -> None:
    path = tmp_path_factory.mktemp("journal") / "calls"
    journal = opened(path)
    lines = []
    for number in range(5):
        journal.keep(entry(f"CA{number}"))
        lines.append(path.stat().st_size)
    journal.close()
    os.truncate(path, min(cut, lines[-1]))
    with path.open("ab") as file:
        file.write(noise.replace(b"{", b""))
    whole = sum(end <= cut + 1 for end in lines)  # the line's end may be missing
    kept = [each.call_sid for each in opened(path).left]
    assert kept[: max(0, whole - 1)] == [f"CA{number}" for number in range(max(0, whole - 1))]
    assert len(kept) <= 5


def test_the_file_stays_as_small_as_its_live_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "MOST_BYTES", 10_000)
    path = tmp_path / "calls"
    journal = opened(path)
    for number in range(1000):
        journal.keep(entry("CA1", number))
        journal.keep(entry(f"CB{number}"))
        journal.drop(f"CB{number}")
    assert path.stat().st_size < 11_000
    assert [(each.call_sid, each.call_ms) for each in opened(path).left] == [("CA1", 999)]
    journal.close()


def test_a_file_that_cannot_be_made_stops_the_start_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^HUB_JOURNAL .* cannot be written: No such file or directory"):
        opened(tmp_path / "nowhere" / "calls")


def test_a_disk_that_fills_up_is_told_once_and_ends_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = opened(tmp_path / "calls")
    assert journal._file is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._file)
    os.close(full)
    for _ in range(3):
        journal.keep(entry("CA1"))
    journal.drop("CA1")
    assert [record.message for record in caplog.records] == [
        "the journal cannot be written, so a restart will not find these calls: No space left on device"
    ]
