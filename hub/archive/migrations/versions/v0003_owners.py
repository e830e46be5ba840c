"""Which node of a cluster owns a call, and which versions of the hub may use these tables side by side."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, and the table."""
    op.add_column("calls", sa.Column("generation", BIG, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("owner", sa.Text, nullable=False, server_default=""))
    since = op.create_table("compatible_versions", sa.Column("oldest", sa.Text, primary_key=True))
    op.bulk_insert(since, [{"oldest": "0003"}])
