"""What is known of devices, as it was at any time."""

from telemetry.tables.columns import DEVICE_FULL, PRODUCT, TENANT
from telemetry.tables.declaration import Column, Table

DEVICES = Table(
    name="dim.devices",
    description="History of every device (SCD 2), joined as it was at event time.",
    columns=(
        TENANT,
        DEVICE_FULL,
        Column("device", "string", "device name within its product", required=True),
        PRODUCT,
        Column("zone", "string", "where it stands"),
        Column("customer", "string", "whose it is"),
        Column("lat", "double", "latitude", "deg"),
        Column("lng", "double", "longitude", "deg"),
        Column("firmware", "string", "firmware version"),
        Column(
            "valid_from",
            "timestamp",
            "first moment of this version; 1900 for the first",
        ),
        Column(
            "valid_to",
            "timestamp",
            "moment at which the next version begins; null if current",
        ),
    ),
    key=("tenant", "device_full", "valid_from"),
    statistics=("device_full", "valid_from"),
)
