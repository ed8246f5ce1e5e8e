"""An index by which urgent messages are found behind many others."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_index(
        op.f("ix_messages_receiver_state_is_urgent_number"),
        "messages",
        ["receiver", "state", "is_urgent", "number"],
        unique=False,
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_index(op.f("ix_messages_receiver_state_is_urgent_number"), table_name="messages")
