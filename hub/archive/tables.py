"""The tables of the archive, as `hub.archive.migrations` makes them. The full-text index is not here: each database has its own kind.

Knows columns. Does not know what is asked of them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    desc,
    false,
)

metadata = MetaData()

# SQLite takes only a column of the type INTEGER for the row's own id, and its integers have 64 bits under any name.
Big = BigInteger().with_variant(Integer(), "sqlite")

calls = Table(
    "calls",
    metadata,
    Column("number", Big, primary_key=True, autoincrement=False),
    Column("call_sid", Text, nullable=False, unique=True),
    Column("epoch", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("from_number", Text),
    Column("to_number", Text),
    # The voice agent, or the person who answered.
    Column("agent", Text),
    Column("queue", Text),
    Column("state", Text, nullable=False),
    Column("held", Boolean, nullable=False, server_default=false()),
    # Whether all its events are packed, and its words are in the index.
    Column("sealed", Boolean, nullable=False, server_default=false()),
    # Events up to this offset of this epoch are in `packs`.
    Column("packed", Big, nullable=False, server_default="0"),
    Column("summary", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    # In a cluster: how often the call had another owner, and the id of the node that owns it. 0 and empty without one.
    Column("generation", Big, nullable=False, server_default="0"),
    Column("owner", Text, nullable=False, server_default=""),
)

Index("calls_from", calls.c.from_number, calls.c.number)
Index("calls_to", calls.c.to_number, calls.c.number)
Index("calls_agent", calls.c.agent, calls.c.number)
Index("calls_queue", calls.c.queue, calls.c.number)
Index("calls_state", calls.c.state, calls.c.number)
# The number stands here so that "the lowest number of those that ended later" is read from the index alone.
Index("calls_ended", calls.c.ended_at, calls.c.number)
# Only the few that are not sealed are in it.
Index("calls_unsealed", calls.c.number, sqlite_where=~calls.c.sealed, postgresql_where=~calls.c.sealed)

# Events of calls that are not sealed. The key makes writing idempotent.
events = Table(
    "events",
    metadata,
    Column("number", Big, ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("epoch", Text, primary_key=True),
    Column("offset", Big, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Events of sealed calls, many in one row: see `hub.archive.packed`.
packs = Table(
    "packs",
    metadata,
    Column("number", Big, ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("epoch", Text, primary_key=True),
    # The offset of its first event.
    Column("first", Big, primary_key=True, autoincrement=False),
    # The bytes of its events as they were on the wire.
    Column("size", Big, nullable=False),
    # What a search reads of them. It stands before `packed`, which SQLite would read to get at what follows.
    Column("spoken", LargeBinary, nullable=False),
    Column("packed", LargeBinary, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("call_sid", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("reason", Text, nullable=False),
    # Whether the files have no bytes of the call any more.
    Column("scrubbed", Boolean, nullable=False, server_default=false()),
)

# It outlives its call's row, until the sound itself is deleted from the store.
recordings = Table(
    "recordings",
    metadata,
    Column("call_sid", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("size", Big, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("stored_at", Double, nullable=False),
)

Index("recordings_stored", recordings.c.stored_at)

# The audit log. Triggers refuse to change or delete a row.
accesses = Table(
    "accesses",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("subject", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("call_sid", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

# What each webhook is still to be sent of a call: see `hub.archive.undelivered`.
webhook_queues = Table(
    "webhook_queues",
    metadata,
    Column("webhook", Text, primary_key=True),
    Column("number", Big, ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("epoch", Text, nullable=False),
    # Events up to this offset are delivered or set aside. Those up to `news` are not.
    Column("done", Big, nullable=False),
    Column("news", Big, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", Double),
    Column("next_at", Double, nullable=False, server_default="0"),
    Column("problem", Text, nullable=False, server_default=""),
)

Index("webhook_queues_next", webhook_queues.c.webhook, webhook_queues.c.next_at)
# So that an erased call finds its rows.
Index("webhook_queues_number", webhook_queues.c.number)

# Events that were not delivered: where they stand in the log, not what they say.
webhook_letters = Table(
    "webhook_letters",
    metadata,
    Column("webhook", Text, primary_key=True),
    Column("number", Big, ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("offset", Big, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("problem", Text, nullable=False),
    Column("again", Boolean, nullable=False, server_default=false()),
)

Index("webhook_letters_number", webhook_letters.c.number)

# Calls that have ended and are still to get a note: see `hub.archive.notes_due`.
notes_due = Table(
    "notes_due",
    metadata,
    Column("number", Big, ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
)

# One row: which version a hub must know at least to use these tables. See `hub.archive.migrations`.
compatible_versions = Table("compatible_versions", metadata, Column("oldest", Text, primary_key=True))

NEWEST_FIRST = desc(calls.c.number)
