"""What is kept about calls beside their words: where their recordings lie, which were erased, and who did what with them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

REFUSED = "the audit log is append-only"

SQLITE_TRIGGERS = [
    f"CREATE TRIGGER accesses_{verb.lower()} BEFORE {verb} ON accesses BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
    for verb in ("UPDATE", "DELETE")
]

POSTGRES_TRIGGERS = [
    f"CREATE FUNCTION accesses_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$",
    "CREATE TRIGGER accesses_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON accesses EXECUTE FUNCTION accesses_refuse()",
]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tombstones",
        sa.Column("call_sid", sa.Text, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("scrubbed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "recordings",
        sa.Column("call_sid", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("stored_at", sa.Double, nullable=False),
    )
    op.create_index("recordings_stored", "recordings", ["stored_at"])
    op.create_table(
        "accesses",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("call_sid", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
    )
    for statement in SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRES_TRIGGERS:
        op.get_bind().exec_driver_sql(statement)
