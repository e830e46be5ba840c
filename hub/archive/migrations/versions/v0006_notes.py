"""Which calls are still to get a note."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notes_due",
        sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    )
