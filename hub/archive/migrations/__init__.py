"""The versions of the archive's schema, and how a database is brought to the newest. Alembic runs them, in one transaction.

Each version is a file in `versions/` and is never changed once it was released: it says what the tables were then. So it imports nothing of
`hub.archive`. Alembic itself is imported only where there is something to do, and SQLAlchemy where an archive is opened.

**Versions only add.** While a cluster is upgraded, nodes of the old and of the new version use one database, and the first new node brings
the tables to the new version. So a version adds tables, and columns that have a default or may be NULL. It renames, retypes and removes
nothing, and gives nothing that is there another meaning. A version that cannot keep to this writes its own number into
`compatible_versions`: nodes of older versions then refuse the tables in a sentence, and such an upgrade needs all of them stopped.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

NEWEST = "0006"
"""The version that this hub reads and writes."""

OLDER = ("0001", "0002", "0003", "0004", "0005")
"""The versions that are brought to the newest."""

VERSION_TABLE = "archive_version"
"""Alembic's own name for it is `alembic_version`, which another program may use in the same PostgreSQL database."""


COMPATIBLE_TABLE = "compatible_versions"
"""Its one row says which version a hub must know at least to use these tables."""


def version_of(connection: "Connection") -> str | None:
    """Return the version of the schema. None where there is none."""
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).first()  # noqa: S608  # a constant
    return None if row is None else str(row[0])


def is_compatible(connection: "Connection") -> bool:
    """Return whether a hub of this version can use tables of a newer version beside hubs of that version: that only added to them."""
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table(COMPATIBLE_TABLE):
        return False
    oldest = connection.execute(text(f"SELECT oldest FROM {COMPATIBLE_TABLE}")).scalar()  # noqa: S608  # a constant
    return oldest is not None and str(oldest) <= NEWEST


def upgrade(connection: "Connection", version: str = NEWEST) -> None:
    """Bring the schema to a version, in the transaction that has begun."""
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells at INFO what it is about to look at
    before = version_of(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, version)
    if before is not None:
        log.info("the archive's tables were brought from version %s to %s", before, version)
