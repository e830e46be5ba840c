"""What webhooks are still to be sent of the calls."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "webhook_queues",
        sa.Column("webhook", sa.Text, primary_key=True),
        sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("done", BIG, nullable=False),
        sa.Column("news", BIG, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", sa.Double),
        sa.Column("next_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("problem", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("webhook_queues_next", "webhook_queues", ["webhook", "next_at"])
    op.create_index("webhook_queues_number", "webhook_queues", ["number"])
    op.create_table(
        "webhook_letters",
        sa.Column("webhook", sa.Text, primary_key=True),
        sa.Column("number", BIG, sa.ForeignKey("calls.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("offset", BIG, primary_key=True, autoincrement=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("webhook_letters_number", "webhook_letters", ["number"])
