"""Tables of the alerts service's database."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from services.moments import Moment

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)
Counted = BigInteger().with_variant(Integer, "sqlite")

ALERTS = Table(
    "alerts",
    metadata,
    Column("alert_id", String(32), primary_key=True),
    Column("tenant", String(300), nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("rule", String(300), nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("device", String(300)),
    Column("product", String(300)),
    Column("zone", String(300)),
    Column("customer", String(300)),
    Column("metric", String(300)),
    Column("value", Float),
    Column("bound", Float),
    Column("parts", JSON, nullable=False),
    Column("switches", JSON, nullable=False),
    Column("is_flapping", Boolean, nullable=False),
    Column("records", Integer, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("last_event_at", Moment, nullable=False),
    Column("heard_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("acknowledged_at", Moment),
    Column("acknowledged_by", String(300)),
    Column("resolved_at", Moment),
    Column("resolved_by", String(300)),
    Column("detail", JSON, nullable=False),
    Column("is_published", Boolean, nullable=False),
)
"""One row an alert. `is_current`: the newest of its dedup key; `detail`: what its first record
said beside; `is_published`: `alerts.history` has this row as it is."""
Index(None, ALERTS.c.dedup_key)
Index(None, ALERTS.c.tenant, ALERTS.c.updated_at)
Index(None, ALERTS.c.phase, ALERTS.c.heard_at)
Index(None, ALERTS.c.is_published, ALERTS.c.updated_at)
Index(None, ALERTS.c.is_flapping)

RECORDS = Table(
    "records",
    metadata,
    Column("record_id", String(32), primary_key=True),
    Column("state", String(16), primary_key=True),
    Column("tenant", String(300), nullable=False),
    Column("alert_id", String(32)),
    Column("event", String(16), nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("digest", String(64)),
)
"""Every record that was taken, so that none is taken twice; `digest` of one that was posted."""

REFUSED = Table(
    "refused",
    metadata,
    Column("topic", String(200), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("value", LargeBinary),
)
"""Records that are no alerts, with what is wrong and their first bytes."""

GROUPS = Table(
    "groups",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("due_at", Moment, nullable=False, index=True),
)

MEMBERS = Table(
    "members",
    metadata,
    Column("group_key", Text, primary_key=True),
    Column("alert_id", String(32), primary_key=True, index=True),
    Column("told", String(32), nullable=False),
    Column("told_at", Moment),
    Column("is_pending", Boolean, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("escalate_at", Moment, index=True),
)

HELD = Table(
    "held",
    metadata,
    Column("person", String(300), primary_key=True),
    Column("alert_id", String(32), primary_key=True),
    Column("tenant", String(300), nullable=False),
    Column("at", Moment, nullable=False),
)
"""What a person is told in the next digest."""

SILENCES = Table(
    "silences",
    metadata,
    Column("silence_id", String(32), primary_key=True),
    Column("tenant", String(300), nullable=False, index=True),
    Column("fields", JSON, nullable=False),
    Column("author", String(300), nullable=False),
    Column("comment", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ended_by", String(300)),
)

MESSAGES = Table(
    "messages",
    metadata,
    Column("number", Counted, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("tenant", String(300), nullable=False),
    Column("receiver", String(300), nullable=False),
    Column("person", String(300)),
    Column("kind", String(16), nullable=False),
    Column("is_urgent", Boolean, nullable=False),
    Column("lanes", JSON(none_as_null=True)),
    Column("content", JSON, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Moment, nullable=False),
    Column("settled_at", Moment),
)
"""The outbox. `lanes`: the devices that it tells of; null, which an older release wrote: all."""
Index(None, MESSAGES.c.receiver, MESSAGES.c.state, MESSAGES.c.number)
Index(None, MESSAGES.c.receiver, MESSAGES.c.state, MESSAGES.c.is_urgent, MESSAGES.c.number)
Index(None, MESSAGES.c.person, MESSAGES.c.created_at)

TRIES = Table(
    "tries",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("status", Integer),
    Column("latency_ms", Float, nullable=False),
    Column("reason", Text, nullable=False),
)

TRAIL = Table(
    "trail",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("tenant", String(300), nullable=False),
    Column("alert_id", String(32), index=True),
    Column("person", String(300), index=True),
    Column("step", String(16), nullable=False),
    Column("facts", JSON, nullable=False),
)

MARKS = Table(
    "marks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""The configuration whose routes the members are of, and when old rows were dropped last."""
