"""Which queue a call came through."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column, and its index."""
    op.add_column("calls", sa.Column("queue", sa.Text))
    op.create_index("calls_queue", "calls", ["queue", "number"])
