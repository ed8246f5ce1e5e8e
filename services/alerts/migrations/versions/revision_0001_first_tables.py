"""The first tables of the alerts service."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(length=300), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("device", sa.String(length=300)),
        sa.Column("product", sa.String(length=300)),
        sa.Column("zone", sa.String(length=300)),
        sa.Column("customer", sa.String(length=300)),
        sa.Column("metric", sa.String(length=300)),
        sa.Column("value", sa.Float()),
        sa.Column("bound", sa.Float()),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("switches", sa.JSON(), nullable=False),
        sa.Column("is_flapping", sa.Boolean(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
        sa.Column("acknowledged_by", sa.String(length=300)),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("resolved_by", sa.String(length=300)),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("is_published", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_dedup_key"), "alerts", ["dedup_key"], unique=False)
    op.create_index(op.f("ix_alerts_is_flapping"), "alerts", ["is_flapping"], unique=False)
    op.create_index(
        op.f("ix_alerts_is_published_updated_at"),
        "alerts",
        ["is_published", "updated_at"],
        unique=False,
    )
    op.create_index(op.f("ix_alerts_phase_heard_at"), "alerts", ["phase", "heard_at"], unique=False)
    op.create_index(
        op.f("ix_alerts_tenant_updated_at"), "alerts", ["tenant", "updated_at"], unique=False
    )
    op.create_table(
        "groups",
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("group_key", name=op.f("pk_groups")),
    )
    op.create_index(op.f("ix_groups_due_at"), "groups", ["due_at"], unique=False)
    op.create_table(
        "held",
        sa.Column("person", sa.String(length=300), nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "alert_id", name=op.f("pk_held")),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.create_table(
        "members",
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.String(length=32), nullable=False),
        sa.Column("told", sa.String(length=32), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.Column("is_pending", sa.Boolean(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("escalate_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("group_key", "alert_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_alert_id"), "members", ["alert_id"], unique=False)
    op.create_index(op.f("ix_members_escalate_at"), "members", ["escalate_at"], unique=False)
    op.create_table(
        "messages",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("receiver", sa.String(length=300), nullable=False),
        sa.Column("person", sa.String(length=300)),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("lanes", sa.JSON(none_as_null=True)),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_messages")),
        sa.UniqueConstraint("key"),
    )
    op.create_index(
        op.f("ix_messages_person_created_at"), "messages", ["person", "created_at"], unique=False
    )
    op.create_index(
        op.f("ix_messages_receiver_state_number"),
        "messages",
        ["receiver", "state", "number"],
        unique=False,
    )
    op.create_table(
        "records",
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("alert_id", sa.String(length=32)),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(length=64)),
        sa.PrimaryKeyConstraint("record_id", "state", name=op.f("pk_records")),
    )
    op.create_index(op.f("ix_records_at"), "records", ["at"], unique=False)
    op.create_table(
        "refused",
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", name=op.f("pk_refused")),
    )
    op.create_table(
        "silences",
        sa.Column("silence_id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=300), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=300)),
        sa.PrimaryKeyConstraint("silence_id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_tenant"), "silences", ["tenant"], unique=False)
    op.create_table(
        "trail",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=300), nullable=False),
        sa.Column("alert_id", sa.String(length=32)),
        sa.Column("person", sa.String(length=300)),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail")),
    )
    op.create_index(op.f("ix_trail_alert_id"), "trail", ["alert_id"], unique=False)
    op.create_index(op.f("ix_trail_person"), "trail", ["person"], unique=False)
    op.create_table(
        "tries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tries")),
    )
    op.create_index(op.f("ix_tries_key"), "tries", ["key"], unique=False)


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_index(op.f("ix_tries_key"), table_name="tries")
    op.drop_table("tries")
    op.drop_index(op.f("ix_trail_person"), table_name="trail")
    op.drop_index(op.f("ix_trail_alert_id"), table_name="trail")
    op.drop_table("trail")
    op.drop_index(op.f("ix_silences_tenant"), table_name="silences")
    op.drop_table("silences")
    op.drop_table("refused")
    op.drop_index(op.f("ix_records_at"), table_name="records")
    op.drop_table("records")
    op.drop_index(op.f("ix_messages_receiver_state_number"), table_name="messages")
    op.drop_index(op.f("ix_messages_person_created_at"), table_name="messages")
    op.drop_table("messages")
    op.drop_index(op.f("ix_members_escalate_at"), table_name="members")
    op.drop_index(op.f("ix_members_alert_id"), table_name="members")
    op.drop_table("members")
    op.drop_table("marks")
    op.drop_table("held")
    op.drop_index(op.f("ix_groups_due_at"), table_name="groups")
    op.drop_table("groups")
    op.drop_index(op.f("ix_alerts_tenant_updated_at"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_phase_heard_at"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_is_published_updated_at"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_is_flapping"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_dedup_key"), table_name="alerts")
    op.drop_table("alerts")
