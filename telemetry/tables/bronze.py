"""Every record as it was received."""

from telemetry.tables.columns import COORDINATES, KAFKA_TIME, RECEIVED_AT, TENANT
from telemetry.tables.declaration import Column, Table

MESSAGES = Table(
    name="bronze.messages",
    description="Every record as it came, never changed.",
    columns=(
        *COORDINATES,
        Column("kafka_key", "binary", "record key: the device's full name"),
        Column("value", "binary", "record value: the payload's bytes"),
        Column("headers", "map<string,binary>", "record headers"),
        KAFKA_TIME,
        RECEIVED_AT,
        TENANT,
        Column("product", "string", "product of the device, where it is known"),
        Column("items", "int", "messages in the record; 1 if undecodable", required=True),
        Column("received_date", "date", "UTC date of received_at", required=True),
    ),
    key=("topic", "partition", "offset"),
    partition_by=("received_date",),
    statistics=("topic", "partition", "offset", "kafka_time", "received_at"),
    retention="forever",
)
