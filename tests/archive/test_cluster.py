"""One PostgreSQL archive for the nodes of a cluster: who may open it, who may write of a call, and what they do in turns."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.archive.archive import Access, Archive, ArchiveError, ArchiveInUse, CallFilter, NotStored
from hub.archive.chain import Verification
from hub.archive.database import Database
from hub.archive.migrations import COMPATIBLE_TABLE, VERSION_TABLE
from hub.archive.opening import connect, open_archive
from hub.archive.sql import SqlArchive
from hub.archive.tables import calls, events, packs
from tests.archive.made import change, seal_all, sids, texts_of, write_ended
from tests.archive.postgres_server import PostgresServer

Join = Callable[[str], Archive]


@pytest.fixture
def shared(postgres: PostgresServer) -> str:
    """The address of an archive that is not there yet."""
    return postgres.schema()


@pytest.fixture
def join(shared: str) -> Iterator[Join]:
    """Open the archive as the node of this id."""
    opened: list[Archive] = []

    def joined(node: str) -> Archive:
        opened.append(open_archive(shared, node=node))
        return opened[-1]

    yield joined
    for each in opened:
        each.close()


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Do all of this at the same time, each in a thread of its own. Raises what one of them raises."""
    with ThreadPoolExecutor(len(jobs)) as threads:
        return [each.result(timeout=60) for each in [threads.submit(job) for job in jobs]]


def fenced_by(archive: Archive, *changes: Any) -> dict[str, int]:
    """Write changes; return which calls are another node's."""
    with pytest.raises(NotStored) as raised:
        archive.write(changes)
    assert not raised.value.unknown
    assert raised.value.passing
    return dict(raised.value.fenced)


def in_the_end(ask: Callable[[], Any]) -> Any:
    """Ask until the answer is yes. The server may need a moment to notice that a node is gone, and so may a node that it was cut off."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        with suppress(ArchiveError):
            if answer := ask():
                return answer
        time.sleep(0.05)
    raise AssertionError("it never answered")


def of(archive: Archive, call_sid: str) -> list[str]:
    return texts_of(archive.log(call_sid))


class TestOpening:
    """The nodes of a cluster use it together, and nobody else at the same time."""

    def test_nodes_share_it_and_keep_a_single_hub_away(self, shared: str, join: Join) -> None:
        first, second = join("n1"), join("n2")
        with pytest.raises(ArchiveInUse, match="a cluster uses the archive"):
            open_archive(shared)
        first.close()
        with pytest.raises(ArchiveInUse, match="a cluster uses the archive"):
            open_archive(shared)
        second.close()
        in_the_end(lambda: open_archive(shared)).close()

    def test_a_single_hub_keeps_nodes_away(self, shared: str) -> None:
        alone = open_archive(shared)
        with pytest.raises(ArchiveInUse, match="a hub without HUB_BROKER uses the archive"):
            open_archive(shared, node="n1")
        alone.close()

    def test_a_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveError, match="a cluster needs one PostgreSQL archive for all nodes: HUB_ARCHIVE=postgresql://…"):
            open_archive(str(tmp_path / "calls.db"), node="n1")
        assert not list(tmp_path.iterdir())

    def test_nodes_that_start_at_once_make_its_tables_once(self, shared: str) -> None:
        for archive in together(*(lambda at=at: open_archive(shared, node=f"n{at}") for at in range(4))):
            archive.write([change("CA1", "a", at=1.0)])
            archive.close()

    def test_a_node_uses_newer_tables_that_only_added_something(self, shared: str, join: Join, postgres: PostgresServer) -> None:
        join("n1").write([change("CA1", "a", at=1.0)])
        schema = shared.rpartition("%3D")[2]
        postgres.execute(f"UPDATE {schema}.{VERSION_TABLE} SET version_num = '0099'")
        postgres.execute(f"ALTER TABLE {schema}.calls ADD COLUMN mood text NOT NULL DEFAULT 'good'")
        old = join("n2")
        old.write([change("CA1", "b", after=1), change("CA2", "c", at=2.0)])
        assert (of(old, "CA1"), of(old, "CA2")) == (["a", "b"], ["c"])
        postgres.execute(f"UPDATE {schema}.{COMPATIBLE_TABLE} SET oldest = '0099'")
        with pytest.raises(ArchiveError, match="was written by a newer version of the hub"):
            join("n3")


class TestFencing:
    """An owner of an older generation writes nothing."""

    def test_what_an_older_owner_writes_is_refused_for_that_call_alone(self, join: Join) -> None:
        old, new = join("n1"), join("n2")
        old.write([change("CA1", "a", at=1.0, generation=1), change("CA2", "b", at=2.0, generation=1)])
        new.take("CA1", 2)
        late = [change("CA1", "late", after=1, at=1.0, generation=1), change("CA2", "c", after=1, generation=1)]
        assert fenced_by(old, *late) == {"CA1": 2}
        assert fenced_by(old, change("CA1", note=b"late", generation=1)) == {"CA1": 2}
        new.write([change("CA1", "new", after=1, generation=2)])
        assert (of(new, "CA1"), of(new, "CA2")) == (["a", "new"], ["b", "c"])

    def test_to_take_a_call_gives_its_log_and_note_and_can_be_repeated(self, join: Join) -> None:
        old, new = join("n1"), join("n2")
        old.write([change("CA1", "a", "b", at=1.0, generation=1, note=b"noted")])
        for _ in range(2):
            log = new.take("CA1", 2)
            assert log is not None
            assert (texts_of(log), log.note, log.whole) == (["a", "b"], b"noted", True)
            assert (log.call.generation, log.call.owner) == (2, "n2")
        assert new.take("CA9", 1) is None

    def test_nobody_takes_a_call_from_a_newer_owner_or_from_another_of_the_same_generation(self, join: Join) -> None:
        first, second = join("n1"), join("n2")
        first.write([change("CA1", "a", at=1.0, generation=1)])
        first.take("CA1", 3)
        for generation in (2, 3):
            with pytest.raises(NotStored) as raised:
                second.take("CA1", generation)
            assert raised.value.fenced == {"CA1": 3}
        first.write([change("CA1", "b", after=1, generation=3)])

    def test_who_takes_a_call_reads_all_that_the_older_owner_could_store(self, shared: str, join: Join, postgres: PostgresServer) -> None:
        new = join("n2")
        with closing(connect(shared, node="n1")) as old, ThreadPoolExecutor(1) as threads:
            SqlArchive(old).write([change("CA1", "a", at=1.0, generation=1)])
            with old.writing() as connection:  # an older owner, in the middle of a transaction
                number = connection.scalar(select(calls.c.number).with_for_update(key_share=True))
                taken = threads.submit(new.take, "CA1", 2)
                postgres.until_waiting()
                payload = change("CA1", "tail", after=1).events[0].payload
                connection.execute(events.insert(), {"number": number, "epoch": "e", "offset": 2, "payload": payload})
            assert texts_of(taken.result(timeout=30)) == ["a", "tail"]

    def test_a_transaction_of_a_node_that_stopped_holds_up_nobody_for_long(self, shared: str, join: Join) -> None:
        new = join("n2")

        def stopped(old: Database) -> None:
            with old.writing() as connection:
                connection.execute(update(calls).values(state="incomplete"))
                assert in_the_end(lambda: new.take("CA1", 2)), "the server ends the other transaction after some seconds"
                connection.execute(update(calls).values(state="incomplete"))

        with closing(connect(shared, node="n1")) as old:
            SqlArchive(old).write([change("CA1", "a", at=1.0, generation=1)])
            with pytest.raises(ArchiveError) as raised:
                stopped(old)
            assert raised.value.passing
            assert fenced_by(SqlArchive(old), change("CA1", "late", after=1, generation=1)) == {"CA1": 2}

    def test_a_batch_that_is_written_again_is_stored_once(self, join: Join) -> None:
        node = join("n1")
        for _ in range(2):
            node.write([change("CA1", "a", "b", at=1.0, generation=2)])
        node.write([change("CA1", "b", "c", after=1, generation=2)])
        assert of(node, "CA1") == ["a", "b", "c"]

    @pytest.mark.parametrize("sealed", [False, True])
    def test_a_newer_owner_that_could_not_take_the_call_replaces_what_it_did_not_know(self, join: Join, sealed: bool) -> None:
        old, new = join("n1"), join("n2")
        write_ended(old, "CA1", "a", "b", "zombie", "zombie", at=1.0)
        if sealed:
            seal_all(old)
        new.write([change("CA1", "c", after=2, at=1.0, generation=2)])
        assert of(new, "CA1") == ["a", "b", "c"]
        assert fenced_by(old, change("CA1", "zombie", after=4)) == {"CA1": 2}
        new.write([change("CA1", "d", after=3, at=1.0, generation=2, ended_at=60.0)])
        seal_all(new)
        assert of(new, "CA1") == ["a", "b", "c", "d"]

    def test_a_call_that_was_erased_is_not_taken_and_stays_erased(self, join: Join) -> None:
        old, new = join("n1"), join("n2")
        write_ended(old, "CA1", "a", at=1.0)
        assert old.erase(["CA1"], "erased", 5.0) == ["CA1"]
        assert new.take("CA1", 2) is None
        new.write([change("CA1", "a", at=1.0, generation=2)])
        assert new.log("CA1") is None

    def test_two_calls_that_begin_at_once_with_one_number_are_both_kept(self, join: Join) -> None:
        nodes = [join(f"n{at}") for at in range(3)]
        for round_ in range(5):
            begin = [lambda node=node, sid=f"CA{round_}{at}": node.write([change(sid, "a", at=7.0)]) for at, node in enumerate(nodes)]
            together(*begin)
        page = [call.call_sid for call in nodes[0].page(CallFilter(), None, 99)]
        assert len(page) == len(set(page)) == 15


class TestDeadOwners:
    """Calls are found whose owner lives no longer."""

    def test_live_calls_of_nodes_that_are_gone(self, join: Join) -> None:
        first, second = join("n1"), join("n2")
        first.write([change("CA1", "a", at=1.0, generation=3), change("CA2", "a", at=2.0, generation=1)])
        second.write([change("CA3", "a", at=3.0, generation=1)])
        write_ended(first, "CA4", "a", at=4.0)
        assert sids(second.ownerless({"n1", "n2"})) == []
        found = second.ownerless({"n2", "n3"})
        assert [(call.call_sid, call.owner, call.generation) for call in found] == [("CA1", "n1", 3), ("CA2", "n1", 1)]
        second.take("CA1", 4)
        assert sids(second.ownerless({"n2"})) == ["CA2"]

    def test_live_calls_of_a_hub_that_was_alone(self, shared: str, join: Join) -> None:
        alone = open_archive(shared)
        alone.write([change("CA1", "a", at=1.0)])
        alone.close()
        node = join("n1")
        assert sids(node.ownerless({"n1"})) == ["CA1"]
        assert node.take("CA1", 1) is not None
        assert sids(node.ownerless({"n1"})) == []


class TestTurns:
    """What two nodes may not do at once."""

    def test_one_node_does_a_chore_until_it_is_gone(self, join: Join, postgres: PostgresServer) -> None:
        first, second, third = join("n1"), join("n2"), join("n3")
        assert [first.leads("sweep"), second.leads("sweep"), first.leads("sweep"), second.leads("other")] == [True, False, True, True]
        first.close()
        assert in_the_end(lambda: second.leads("sweep"))
        assert not third.leads("sweep")
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'transcript-hub'")
        assert in_the_end(lambda: third.leads("sweep"))
        assert in_the_end(lambda: not second.leads("sweep"))

    def test_each_node_seals_its_own_calls_and_one_those_that_nobody_sealed(self, join: Join) -> None:
        first, second = join("n1"), join("n2")
        write_ended(first, "CA1", "a", at=2.0**33)  # it ends in the future: nobody has had time to seal it
        write_ended(second, "CA2", "a", at=2.0**33)
        assert [first.seal(), first.seal(), first.seal()] == [True, False, False]
        write_ended(second, "CA3", "a", at=1.0)
        assert [first.seal(), first.seal(), second.seal(), second.seal()] == [True, False, True, False]

    def test_calls_that_several_nodes_seal_at_once_are_sealed_once(self, shared: str, join: Join) -> None:
        nodes = [join("n1") for _ in range(3)]
        for at in range(12):
            write_ended(nodes[0], f"CA{at}", "a", "b", at=1.0 + at)
        together(*(lambda node=node: seal_all(node) for node in nodes))
        with closing(connect(shared, node="n2")) as database, database.reading() as connection:
            assert len(connection.execute(select(packs.c.number)).all()) == 12
            assert connection.execute(select(events.c.number)).all() == []
        assert all(of(nodes[0], f"CA{at}") == ["a", "b"] for at in range(12))

    def test_the_audit_log_is_one_chain_although_three_nodes_write_it_at_once(self, join: Join) -> None:
        nodes = [join(f"n{at}") for at in range(3)]

        def note(node: Archive, who: str) -> None:
            for at in range(20):
                node.write([change(f"CA-{who}", f"{at}", after=at, at=1.0)], [Access(at=float(at), subject=who, action="list")] * 2)

        together(*(lambda node=node, who=f"n{at}": note(node, who) for at, node in enumerate(nodes)))
        rows, found = nodes[0].audit(0, 999), Verification()
        assert found.read(rows)
        assert found.rows == 120
        assert [sum(row.access.subject == f"n{at}" for row in rows) for at in range(3)] == [40, 40, 40]

    def test_a_call_that_another_node_erases_during_a_scrub_is_still_to_be_scrubbed(self, shared: str, join: Join) -> None:
        first, second = join("n1"), join("n2")
        for sid in ("CA1", "CA2"):
            write_ended(first, sid, "a", at=1.0)
        first.erase(["CA1"], "erased", 1.0)
        scrub = first._database.scrub  # type: ignore[attr-defined]

        def late_erasure() -> None:
            scrub()
            second.erase(["CA2"], "erased", 2.0)

        first._database.scrub = late_erasure  # type: ignore[attr-defined]
        first.scrub()
        assert first.unscrubbed()
        second.scrub()
        assert not first.unscrubbed()
