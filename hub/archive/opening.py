"""Opens an archive: a SQLite file, or a PostgreSQL database by its URL.

What it is made of is imported where one is opened: a hub without an archive needs neither the 15 MB nor the time.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from hub.archive.archive import Archive, ArchiveError

if TYPE_CHECKING:
    from hub.archive.database import Database

POSTGRES = ("postgresql", "postgres")
"""Schemes of URLs. Both are PostgreSQL's own."""


def open_archive(place: str, *, alone: bool = True, node: str = "") -> Archive:
    """Open the archive at a path or at a URL. Raises: ArchiveError, whose text never has a password.

    `alone`: keep every other hub away for as long as it is open, make the tables where there are none, and bring those of an older
    version to this one. That is how a hub opens it. Commands that only read pass False, also while a hub runs: the archive must be there.
    `node`: the id of a cluster's node, which shares the archive with the other nodes, and keeps hubs away that are none.
    """
    from hub.archive.sql import SqlArchive

    return SqlArchive(connect(place, alone=alone, node=node))


def connect(place: str, *, alone: bool = True, node: str = "") -> "Database":
    """Open the database of an archive. See `open_archive`."""
    from hub.archive.database import Database
    from hub.archive.sqlite import SqliteDialect

    scheme = place.partition("://")[0] if "://" in place else ""
    alone = alone and not node
    if node and scheme not in POSTGRES:
        raise ArchiveError("a cluster needs one PostgreSQL archive for all nodes: HUB_ARCHIVE=postgresql://…")
    if not scheme:
        database = Database(SqliteDialect(Path(place), alone=alone), alone=alone)
    elif scheme in POSTGRES:
        from hub.archive.postgres import PostgresDialect  # it needs an extra

        database = Database(PostgresDialect(place, alone=alone, shared=bool(node)), alone=alone, node=node)
    else:
        raise ArchiveError(f"it cannot be at a {scheme}:// address: give a path, or postgresql://…")
    database.open()
    return database
