"""The registry's first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this revision."""
    op.create_table(
        "api_keys",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_api_keys"),
    )
    op.create_table(
        "authorities",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("revocations", sa.Text()),
        sa.Column("names_devices", sa.Boolean(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_authorities"),
    )
    op.create_table(
        "certificates",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("device_full", sa.String(length=260), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_certificates"),
    )
    op.create_index("ix_certificates_device_full", "certificates", ["device_full"])

    op.create_table(
        "changes",
        sa.Column("edition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("actor", sa.String(length=300), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("edition", name="pk_changes"),
    )
    op.create_index("ix_changes_tenant_kind_name", "changes", ["tenant", "kind", "name"])

    op.create_table(
        "credentials",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("device_full", sa.String(length=260), nullable=False),
        sa.Column("secret", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_credentials"),
    )
    op.create_index("ix_credentials_device_full", "credentials", ["device_full"])

    op.create_table(
        "devices",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("product", sa.String(length=128), nullable=False),
        sa.Column("zone", sa.String()),
        sa.Column("customer", sa.String()),
        sa.Column("lat", sa.Float()),
        sa.Column("lng", sa.Float()),
        sa.Column("firmware", sa.String()),
        sa.Column("durability", sa.String(length=16)),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_devices"),
    )
    op.create_index("ix_devices_tenant_product_name", "devices", ["tenant", "product", "name"])

    edition = op.create_table(
        "edition",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_edition"),
    )
    op.bulk_insert(edition, [{"id": 1, "newest": 0}])
    op.create_table(
        "file_marks",
        sa.Column("path", sa.String(length=400), nullable=False),
        sa.Column("mark", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_file_marks"),
    )
    op.create_table(
        "jwt_keys",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("public_key", sa.Text()),
        sa.Column("secret", sa.JSON(none_as_null=True)),
        sa.Column("product", sa.String(length=128)),
        sa.Column("valid_until", sa.DateTime(timezone=True)),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_jwt_keys"),
    )
    op.create_table(
        "positions",
        sa.Column("sink", sa.String(length=32), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sink", name="pk_positions"),
    )
    op.create_table(
        "product_secrets",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("product", sa.String(length=128), nullable=False),
        sa.Column("secret", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "product", name="pk_product_secrets"),
    )
    op.create_table(
        "products",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("declaration", sa.JSON(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_products"),
    )
    op.create_table(
        "tenants",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("lockout_failures", sa.Integer(), nullable=False),
        sa.Column("lockout_within_s", sa.Integer(), nullable=False),
        sa.Column("lockout_for_s", sa.Integer(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_tenants"),
    )


def downgrade() -> None:
    """Go back to the revision before."""
    op.drop_table("tenants")
    op.drop_table("products")
    op.drop_table("product_secrets")
    op.drop_table("positions")
    op.drop_table("jwt_keys")
    op.drop_table("file_marks")
    op.drop_table("edition")
    op.drop_index("ix_devices_tenant_product_name", "devices")
    op.drop_table("devices")
    op.drop_index("ix_credentials_device_full", "credentials")
    op.drop_table("credentials")
    op.drop_index("ix_changes_tenant_kind_name", "changes")
    op.drop_table("changes")
    op.drop_index("ix_certificates_device_full", "certificates")
    op.drop_table("certificates")
    op.drop_table("authorities")
    op.drop_table("api_keys")
