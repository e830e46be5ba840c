"""The contract of `Archive`, over SQLite and a real PostgreSQL."""

import pytest

from hub.archive.archive import (
    Access,
    AccessFilter,
    Archive,
    CallFilter,
    Change,
    Expiry,
    NotStored,
    StoredCall,
    StoredEvent,
    StoredRecording,
    Tombstone,
)
from hub.archive.chain import Verification
from hub.archive.opening import open_archive
from tests.archive.made import change, facts, number_at, said, seal_all, sids, texts_of, write_ended

ALL = CallFilter()


class TestWriting:
    """What is written is there, once, in order."""

    def test_a_call_is_read_as_it_was_written(self, archive: Archive) -> None:
        told = facts("CA1", 100.5, from_="+1", to="+2", agent="sales", state="incomplete")
        archive.write([Change(call_sid="CA1", epoch="e", events=(said("CA1", 1, "a"),), facts=told, note=b"note")])
        log = archive.log("CA1")
        assert log is not None
        assert log.call == StoredCall(call_sid="CA1", epoch="e", facts=told, held=False)
        assert (log.first, log.payloads, log.note) == (1, [said("CA1", 1, "a").payload], b"note")
        assert archive.find("CA1") == log.call
        assert archive.live() == [log]

    def test_events_are_stored_once_however_often_they_are_written(self, archive: Archive) -> None:
        first = change("CA1", "a", "b", at=1.0)
        archive.write([first])
        archive.write([first, change("CA1", "b", "c", after=1)])
        assert texts_of(archive.log("CA1")) == ["a", "b", "c"]

    def test_the_newest_row_holds_and_a_note_stays_until_there_is_another(self, archive: Archive) -> None:
        archive.write([change("CA1", at=1.0, from_="+1", note=b"first")])
        archive.write([change("CA1", at=1.0, from_="+1", to="+2", agent="sales")])
        archive.write([change("CA1", "a")])
        log = archive.log("CA1")
        assert log is not None
        assert (log.call.facts.to, log.call.facts.agent, log.note) == ("+2", "sales", b"first")
        archive.write([change("CA1", note=b"second")])
        assert archive.live()[0].note == b"second"

    def test_one_batch_may_have_several_changes_of_a_call(self, archive: Archive) -> None:
        archive.write([change("CA1", "a", at=1.0, from_="+1"), change("CA2", "x", at=2.0), change("CA1", "b", after=1, at=1.0, from_="+9")])
        log = archive.log("CA1")
        assert texts_of(log) == ["a", "b"]
        assert log is not None
        assert log.call.facts.from_ == "+9"

    def test_what_is_written_of_a_call_without_a_row_is_asked_for_again_and_all_else_is_stored(self, archive: Archive) -> None:
        with pytest.raises(NotStored) as raised:
            archive.write([change("CA1", "a", at=1.0), change("CA2", "lost"), change("CA3", note=b"lost")])
        assert raised.value.unknown == {"CA2", "CA3"}
        assert raised.value.passing
        assert texts_of(archive.log("CA1")) == ["a"]
        assert archive.log("CA2") is None

    def test_a_change_that_the_database_refuses_is_dropped_alone(self, archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
        bad = Change(call_sid="CA2", epoch="e", events=(StoredEvent(2**70, b"secret"),), facts=facts("CA2", 2.0))
        access = Access(at=1.0, subject="ann", action="list")
        archive.write([change("CA1", "a", at=1.0), bad, change("CA3", "c", at=3.0)], [access])
        assert texts_of(archive.log("CA1")) == ["a"]
        assert texts_of(archive.log("CA3")) == ["c"]
        assert archive.find("CA2") is None
        assert [row.access for row in archive.audit(0, 10)] == [access]
        assert "CA2: 1 events cannot be archived" in caplog.text
        assert "secret" not in caplog.text

    @pytest.mark.parametrize("odd", ["nul \0 in it", "half \ud800 a pair", "'; DROP TABLE calls; --", "שלום", "😀", '"quoted" \\ %s :x'])
    def test_any_text_is_stored(self, archive: Archive, odd: str) -> None:
        told = change("CA1", "a", at=1.0, ended_at=2.0, from_=odd, agent=odd, summary=b"{}")
        archive.write([told], [Access(at=1.0, subject=odd, action="list", detail=odd)])
        seal_all(archive)
        for wanted in (
            CallFilter(number=odd),
            CallFilter(agent=odd),
            CallFilter(number=odd, agent=odd),
            CallFilter(allowed=frozenset({odd})),
        ):
            assert sids(archive.page(wanted, None, 10)) == ["CA1"]
        assert sids(archive.with_number(odd)) == ["CA1"]
        rows = archive.audit(0, 10)
        assert Verification().read(rows)

    def test_two_calls_with_one_number_are_both_kept(self, archive: Archive) -> None:
        archive.write([change("CA1", "a", at=1.0), change("CA2", "b", at=1.0)])
        archive.write([change("CA3", "c", at=1.0), change("CA4", "d", at=1.0, number=number_at(1.0, 1))])
        assert sorted(sids(archive.page(ALL, None, 10))) == ["CA1", "CA2", "CA3", "CA4"]
        assert texts_of(archive.log("CA3")) == ["c"]

    def test_another_epoch_replaces_the_log_and_the_old_one_is_not_mixed_in(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "old", at=1.0)
        seal_all(archive)
        archive.write([change("CA1", "new", at=1.0, epoch="f")])
        log = archive.log("CA1")
        assert texts_of(log) == ["new"]
        assert log is not None
        assert log.call.epoch == "f"

    def test_restamp_puts_a_log_in_place_of_another(self, archive: Archive) -> None:
        archive.write([change("CA1", "a", "b", "c", at=1.0, note=b"note")])
        archive.restamp("CA1", "f", [said("CA1", 1, "A").payload, said("CA1", 2, "B").payload])
        log = archive.log("CA1")
        assert texts_of(log) == ["A", "B"]
        assert log is not None
        assert (log.call.epoch, log.first, log.note) == ("f", 1, b"note")
        archive.write([change("CA1", "C", after=2, epoch="f")])
        assert texts_of(archive.log("CA1")) == ["A", "B", "C"]

    def test_restamp_of_a_sealed_call(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a", "b", at=1.0)
        seal_all(archive)
        archive.restamp("CA1", "f", [said("CA1", 1, "other").payload])
        seal_all(archive)
        assert texts_of(archive.log("CA1")) == ["other"]
        assert sids(archive.page(CallFilter(words=("other",)), None, 10)) == ["CA1"]

    def test_what_was_written_is_there_after_it_is_opened_again(self, place: str) -> None:
        first = open_archive(place)
        first.write([change("CA1", "a", at=1.0)])
        write_ended(first, "CA2", "b", at=2.0)
        seal_all(first)
        first.close()
        second = open_archive(place)
        assert [log.call.call_sid for log in second.live()] == ["CA1"]
        assert texts_of(second.log("CA2")) == ["b"]
        second.close()


class TestSealing:
    """A call that has ended is packed, and can be found by its words."""

    def test_a_sealed_call_reads_as_before_and_is_found_by_words(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a refund please", "of course", at=1.0)
        before = archive.log("CA1")
        assert sids(archive.page(CallFilter(words=("absent",)), None, 10)) == ["CA1"], "nobody has looked at its words"
        assert archive.seal()
        assert not archive.seal()
        assert archive.log("CA1") == before
        assert sids(archive.page(CallFilter(words=("refu", "cours")), None, 10)) == ["CA1"]
        assert archive.page(CallFilter(words=("refund", "absent")), None, 10) == []

    def test_live_calls_are_not_sealed(self, archive: Archive) -> None:
        archive.write([change("CA1", "a", at=1.0)])
        assert not archive.seal()

    def test_a_call_that_goes_on_after_it_was_sealed(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "first", at=1.0)
        seal_all(archive)
        archive.write([change("CA1", "second", after=1, at=1.0)])
        assert texts_of(archive.log("CA1")) == ["first", "second"]
        assert [log.call.call_sid for log in archive.live()] == ["CA1"]
        assert archive.page(CallFilter(words=("first",)), None, 10) == [], "it is searched in memory while it lives"
        archive.write([change("CA1", "third", after=2, at=1.0, ended_at=90.0)])
        seal_all(archive)
        assert texts_of(archive.log("CA1")) == ["first", "second", "third"]
        assert sids(archive.page(CallFilter(words=("first", "third")), None, 10)) == ["CA1"]

    def test_an_event_after_the_end_is_packed_too(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "first", at=1.0)
        seal_all(archive)
        archive.write([change("CA1", "late", after=1, at=1.0, ended_at=61.0)])
        assert archive.seal()
        assert texts_of(archive.log("CA1")) == ["first", "late"]
        archive.write([change("CA1", "later", after=2)])
        assert archive.seal()
        assert texts_of(archive.log("CA1")) == ["first", "late", "later"]
        assert sids(archive.page(CallFilter(words=("later",)), None, 10)) == ["CA1"]

    def test_events_that_are_packed_are_not_stored_again(self, archive: Archive) -> None:
        written = change("CA1", "a", "b", at=1.0, ended_at=2.0)
        archive.write([written])
        seal_all(archive)
        archive.write([written])
        seal_all(archive)
        assert texts_of(archive.log("CA1")) == ["a", "b"]
        assert archive.sizes().events_bytes == sum(len(event.payload) for event in written.events)

    def test_words_of_a_state_that_is_over_are_not_found(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a", at=1.0, agent="sales")
        seal_all(archive)
        write_ended(archive, "CA1", at=1.0, agent="billing")
        seal_all(archive)
        assert archive.page(CallFilter(agent="sales", state="complete"), None, 10) == []
        assert sids(archive.page(CallFilter(agent="billing", state="complete"), None, 10)) == ["CA1"]

    def test_a_summary_that_cannot_be_read_keeps_no_call_from_being_sealed(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "word", at=1.0, agent="sales", summary=b"not JSON")
        assert archive.seal()
        assert not archive.seal()
        assert sids(archive.page(CallFilter(agent="sales", state="complete"), None, 10)) == ["CA1"]

    def test_a_call_with_as_many_words_as_a_day_can_have(self, archive: Archive) -> None:
        write_ended(archive, "CA1", *(f"{i:060d}" for i in range(20_000)), at=1.0)
        write_ended(archive, "CA2", "other", at=2.0)
        seal_all(archive)
        assert "CA1" in sids(archive.page(CallFilter(words=(f"{19_999:060d}",)), None, 10))
        assert "CA2" in sids(archive.page(CallFilter(words=("other",)), None, 10))
        assert len(texts_of(archive.log("CA1"))) == 20_000


class TestErasure:
    """What is erased is gone, and stays gone."""

    def test_an_erased_call_leaves_a_tombstone_only(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "word", at=1.0, from_="+1")
        write_ended(archive, "CA2", "word", at=2.0, from_="+1")
        seal_all(archive)
        assert archive.erase(["CA1", "CA9"], "erased", 50.0) == ["CA1"]
        assert archive.find("CA1") == Tombstone(call_sid="CA1", at=50.0, reason="erased")
        assert archive.log("CA1") is None
        for wanted in (ALL, CallFilter(words=("word",)), CallFilter(number="+1"), CallFilter(number="+1", state="complete")):
            assert sids(archive.page(wanted, None, 10)) == ["CA2"]
        assert sids(archive.with_number("+1")) == ["CA2"]

    def test_each_erased_call_has_its_row_in_the_audit_log_as_soon_as_it_is_gone(self, archive: Archive) -> None:
        for call in ("CA1", "CA2", "CA3"):
            write_ended(archive, call, "word", at=1.0)
        archive.hold("CA2", held=True)
        archive.write([], [Access(at=1.0, subject="ann", action="list")])
        note = Access(at=50.0, subject="bob", action="erase", detail="by a number")
        assert archive.erase(["CA1", "CA2", "CA3", "CA9"], "on request", 50.0, note) == ["CA1", "CA3"]
        rows = archive.audit(0, 10, AccessFilter())
        assert [(row.access.subject, row.access.call_sid) for row in rows] == [("ann", ""), ("bob", "CA1"), ("bob", "CA3")]
        assert rows[1].access == Access(at=50.0, subject="bob", action="erase", call_sid="CA1", detail="by a number")
        assert Verification().read(rows)

    def test_live_and_held_calls_are_not_erased(self, archive: Archive) -> None:
        archive.write([change("CA1", "a", at=1.0)])
        write_ended(archive, "CA2", "b", at=2.0)
        assert archive.hold("CA2", held=True)
        assert archive.erase(["CA1", "CA2"], "erased", 50.0) == []
        found = archive.find("CA2")
        assert isinstance(found, StoredCall)
        assert found.held
        assert archive.hold("CA2", held=False)
        assert archive.erase(["CA1", "CA2"], "erased", 50.0) == ["CA2"]

    def test_a_hold_stays_when_the_row_is_written_again(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a", at=1.0)
        archive.hold("CA1", held=True)
        write_ended(archive, "CA1", "a", "b", at=1.0, state="incomplete")
        seal_all(archive)
        assert archive.erase(["CA1"], "erased", 50.0) == []
        assert not archive.hold("CA9", held=True)

    def test_what_is_written_of_an_erased_call_is_dropped(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a", at=1.0)
        archive.erase(["CA1"], "erased", 50.0)
        archive.write([change("CA1", "late", after=1), change("CA2", "b", at=2.0)])
        write_ended(archive, "CA1", "again", at=1.0)
        assert isinstance(archive.find("CA1"), Tombstone)
        assert archive.log("CA1") is None
        assert sids(archive.page(ALL, None, 10)) == ["CA2"]

    def test_what_is_due_comes_oldest_end_first(self, archive: Archive) -> None:
        archive.write([change("live", "a", at=1.0)])
        for i, sid in enumerate(["CA1", "CA2", "CA3", "CA4"]):
            write_ended(archive, sid, at=10.0 + i, ended_at=100.0 - i)
        archive.hold("CA4", held=True)
        assert sids(archive.due(Expiry(ended_before=99.5), 10)) == ["CA3", "CA2"]
        assert sids(archive.due(Expiry(ended_before=1000.0), 2)) == ["CA3", "CA2"]
        assert archive.due(Expiry(), 10) == []

    def test_calls_of_some_numbers_and_agents_are_due_at_other_times(self, archive: Archive) -> None:
        write_ended(archive, "CA-other", at=1.0, ended_at=100.0)
        write_ended(archive, "CA-from", at=2.0, ended_at=100.0, from_="+14155550100")
        write_ended(archive, "CA-to", at=3.0, ended_at=100.0, to="+14155550100", agent="anna")
        write_ended(archive, "CA-agent", at=4.0, ended_at=100.0, from_="+4930123456", agent="anna")
        write_ended(archive, "CA-never", at=5.0, ended_at=100.0, agent="vault")

        def due(ended_before: float | None, number: float | None, agent: float | None) -> set[str]:
            agents = {"anna": agent, "vault": None}
            return set(sids(archive.due(Expiry(ended_before=ended_before, numbers={"+14155550100": number}, agents=agents), 10)))

        assert due(101.0, None, None) == {"CA-other"}
        assert due(None, 101.0, None) == {"CA-from", "CA-to"}
        assert due(None, 100.0, 101.0) == {"CA-to", "CA-agent"}
        assert due(99.0, 101.0, 101.0) == {"CA-from", "CA-to", "CA-agent"}
        assert due(None, None, None) == set()

    def test_an_archive_knows_whether_it_has_to_be_scrubbed(self, place: str) -> None:
        archive = open_archive(place)
        assert not archive.unscrubbed()
        write_ended(archive, "CA1", "a", at=1.0)
        archive.erase(["CA1"], "erased", 50.0)
        archive.close()
        archive = open_archive(place)
        assert archive.unscrubbed()
        archive.scrub()
        assert not archive.unscrubbed()
        assert isinstance(archive.find("CA1"), Tombstone)
        archive.close()

    def test_a_scrubbed_archive_goes_on(self, archive: Archive) -> None:
        write_ended(archive, "CA1", "a", at=1.0)
        seal_all(archive)
        archive.erase(["CA1"], "erased", 50.0)
        archive.scrub()
        write_ended(archive, "CA2", "word", at=2.0)
        seal_all(archive)
        archive.scrub()
        assert sids(archive.page(CallFilter(words=("word",)), None, 10)) == ["CA2"]
        assert texts_of(archive.log("CA2")) == ["word"]


class TestRecordings:
    """Where sound lies."""

    def recording(self, call_sid: str, stored_at: float) -> StoredRecording:
        """Return a recording."""
        return StoredRecording(
            call_sid=call_sid,
            key=f"2026/{call_sid}.flac",
            media_type="audio/flac",
            seconds=1.5,
            size=2**40,
            sha256="ab",
            stored_at=stored_at,
        )

    def test_a_recording_is_kept_replaced_and_forgotten(self, archive: Archive) -> None:
        assert archive.recording("CA1") is None
        archive.keep_recording(self.recording("CA1", 1.0))
        archive.keep_recording(self.recording("CA1", 2.0))
        assert archive.recording("CA1") == self.recording("CA1", 2.0)
        archive.forget_recording("CA1")
        assert archive.recording("CA1") is None

    def test_due_are_old_ones_that_are_not_held_and_those_of_erased_calls(self, archive: Archive) -> None:
        for sid, stored_at in (("CA1", 10.0), ("CA2", 20.0), ("CA3", 30.0), ("CA4", 40.0)):
            write_ended(archive, sid, at=1.0 + stored_at)
            archive.keep_recording(self.recording(sid, stored_at + 70.0))
        archive.keep_recording(self.recording("CA5", 200.0))
        archive.write([change("CA5", at=45.0)])  # it has come back, and is live
        archive.hold("CA1", held=True)
        archive.erase(["CA4"], "erased", 50.0)
        before = Expiry(ended_before=85.0)  # a call ends a minute after its start
        assert [each.call_sid for each in archive.recordings_due(before, 10)] == ["CA2", "CA4"]
        assert [each.call_sid for each in archive.recordings_due(before, 1)] == ["CA2"]
        assert [each.call_sid for each in archive.recordings_due(Expiry(), 10)] == ["CA4"]


class TestAudit:
    """Who did what: rows that hold together."""

    def test_rows_are_chained_over_several_writes_and_an_opening(self, place: str) -> None:
        archive = open_archive(place)
        made = [Access(at=i + 0.1, subject=f"s{i % 2}", action="watch", call_sid=f"CA{i}", detail="d") for i in range(5)]
        archive.write([], made[:2])
        archive.write([change("CA1", at=1.0)], made[2:3])
        archive.close()
        archive = open_archive(place)
        archive.write([], made[3:])
        rows = archive.audit(0, 100)
        assert [row.access for row in rows] == made
        assert [row.id for row in rows] == [1, 2, 3, 4, 5]
        assert Verification().read(rows)
        assert [row.id for row in archive.audit(2, 2)] == [3, 4]
        assert [row.id for row in archive.audit(0, 9, AccessFilter(subject="s1"))] == [2, 4]
        assert [row.id for row in archive.audit(0, 9, AccessFilter(since=1.1, until=3.1))] == [2, 3]
        assert [row.id for row in archive.audit(0, 9, AccessFilter(action="watch", call_sid="CA4"))] == [5]
        archive.close()


class TestSizes:
    """How large it is."""

    def test_sizes_of_what_is_there(self, archive: Archive) -> None:
        empty = archive.sizes()
        assert (empty.calls, empty.events_bytes, empty.oldest) == (0, 0, None)
        archive.write([change("CA1", "a", at=5.0), change("CA2", "b", at=3.0, ended_at=9.0)])
        size = sum(len(log.payloads[0]) for log in (archive.log("CA1"), archive.log("CA2")) if log)
        for _ in range(2):
            sizes = archive.sizes()
            assert (sizes.calls, sizes.events_bytes, sizes.oldest) == (2, size, 3.0)
            assert sizes.file_bytes > size
            seal_all(archive)
