"""Calls, their events, and the words in them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# In SQLite every character that can be in a word must be part of it: FTS5's `ascii` takes letters, digits and what is not ASCII by itself.
# Beginnings of up to six letters are in the index, which takes two thirds more room for them. For a longer one, FTS5 collects all calls
# with such a word before it returns the newest: 40 ms where every one of 100,000 calls has it.
SQLITE_WORDS = """
CREATE VIRTUAL TABLE call_words USING fts5(
    words, content='', columnsize=0, detail=none, prefix='1 2 3 4 5 6', tokenize="ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\\]^_`{|}~'"
)
"""


# PostgreSQL samples columns into statistics of its own, which `VACUUM` of these tables does not reach: what was erased would stay there.
UNSAMPLED = {"calls": ["from_number", "to_number", "summary", "note"], "events": ["payload"], "packs": ["packed"], "call_words": ["words"]}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "calls",
        sa.Column("number", BIG, primary_key=True, autoincrement=False),
        sa.Column("call_sid", sa.Text, nullable=False, unique=True),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("from_number", sa.Text),
        sa.Column("to_number", sa.Text),
        sa.Column("agent", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("sealed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("packed", BIG, nullable=False, server_default="0"),
        sa.Column("summary", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
    )
    op.create_index("calls_from", "calls", ["from_number", "number"])
    op.create_index("calls_to", "calls", ["to_number", "number"])
    op.create_index("calls_agent", "calls", ["agent", "number"])
    op.create_index("calls_state", "calls", ["state", "number"])
    op.create_index("calls_ended", "calls", ["ended_at", "number"])
    unsealed = ~sa.column("sealed", sa.Boolean)
    op.create_index("calls_unsealed", "calls", ["number"], sqlite_where=unsealed, postgresql_where=unsealed)
    op.create_table(
        "events",
        sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("offset", BIG, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "packs",
        sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Text, primary_key=True),
        sa.Column("first", BIG, primary_key=True, autoincrement=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("spoken", sa.LargeBinary, nullable=False),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql(SQLITE_WORDS)
        op.create_table(
            "documents",
            sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
            sa.Column("words", sa.LargeBinary, nullable=False),
        )
    else:
        op.execute(
            "CREATE TABLE call_words (number BIGINT PRIMARY KEY REFERENCES calls (number) ON DELETE CASCADE, words tsvector NOT NULL)"
        )
        op.execute("CREATE INDEX call_words_words ON call_words USING gin (words)")
        for table, columns in UNSAMPLED.items():
            for column in columns:
                op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
