"""Tables of the registry's database: one for each kind of change, and the changes themselves."""

from collections.abc import Mapping

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
from telemetry.changes import Kind

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"}
)


def _kind(table: str, *columns: Column[object]) -> Table:
    """Declare a kind's table: its key, the fields of its body, and what every kind has."""
    return Table(
        table,
        metadata,
        Column("tenant", String(128), primary_key=True),
        Column("name", String(300), primary_key=True),
        *columns,
        Column("edition", BigInteger, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("changed_at", Moment, nullable=False),
        Column("revoked_at", Moment),
    )


TENANTS = _kind(
    "tenants",
    Column("is_disabled", Boolean, nullable=False),
    Column("lockout_failures", Integer, nullable=False),
    Column("lockout_within_s", Integer, nullable=False),
    Column("lockout_for_s", Integer, nullable=False),
)
PRODUCTS = _kind("products", Column("declaration", JSON, nullable=False))
DEVICES = _kind(
    "devices",
    Column("product", String(128), nullable=False),
    Column("zone", String),
    Column("customer", String),
    Column("lat", Float),
    Column("lng", Float),
    Column("firmware", String),
    Column("durability", String(16)),
    Column("is_disabled", Boolean, nullable=False),
)
Index(None, DEVICES.c.tenant, DEVICES.c.product, DEVICES.c.name)
CREDENTIALS = _kind(
    "credentials",
    Column("device_full", String(260), nullable=False, index=True),
    Column("secret", JSON, nullable=False),
    Column("valid_from", Moment, nullable=False),
    Column("valid_until", Moment),
)
CERTIFICATES = _kind(
    "certificates",
    Column("device_full", String(260), nullable=False, index=True),
    Column("serial", String(64), nullable=False),
    Column("valid_from", Moment, nullable=False),
    Column("valid_until", Moment, nullable=False),
)
AUTHORITIES = _kind(
    "authorities",
    Column("certificate", Text, nullable=False),
    Column("revocations", Text),
    Column("names_devices", Boolean, nullable=False),
)
JWT_KEYS = _kind(
    "jwt_keys",
    Column("algorithm", String(16), nullable=False),
    Column("issuer", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("public_key", Text),
    Column("secret", JSON(none_as_null=True)),
    Column("product", String(128)),
    Column("valid_until", Moment),
)
API_KEYS = _kind(
    "api_keys",
    Column("sha256", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("note", String, nullable=False),
    Column("valid_until", Moment),
)
RULES = _kind(
    "rules",
    Column("declaration", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_on", Boolean, nullable=False),
)
KIND_TABLES: Mapping[Kind, Table] = {
    "tenant": TENANTS,
    "product": PRODUCTS,
    "device": DEVICES,
    "credential": CREDENTIALS,
    "certificate": CERTIFICATES,
    "authority": AUTHORITIES,
    "jwt_key": JWT_KEYS,
    "api_key": API_KEYS,
    "rule": RULES,
}

PRODUCT_SECRETS = Table(
    "product_secrets",
    metadata,
    Column("tenant", String(128), primary_key=True),
    Column("product", String(128), primary_key=True),
    Column("secret", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
)
"""Products whose devices may register themselves. Nobody but the registry needs them."""

EDITION = Table(
    "edition",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("newest", BigInteger, nullable=False),
)
"""One row, locked by whoever writes: so editions count commits in their order."""

CHANGES = Table(
    "changes",
    metadata,
    Column("edition", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("tenant", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(300), nullable=False),
    Column("actor", String(300), nullable=False),
    Column("action", String(32), nullable=False),
    Column("value", LargeBinary),
)
"""Every change ever committed: the audit trail, and the outbox that the sinks read on in."""
Index(None, CHANGES.c.tenant, CHANGES.c.kind, CHANGES.c.name)

POSITIONS = Table(
    "positions",
    metadata,
    Column("sink", String(32), primary_key=True),
    Column("edition", BigInteger, nullable=False),
)
"""How far each sink has got; what it has is acknowledged up to here."""

FILE_MARKS = Table(
    "file_marks",
    metadata,
    Column("path", String(400), primary_key=True),
    Column("mark", String(200), nullable=False),
)
"""What was last taken from or put into a file of the home's registry."""
