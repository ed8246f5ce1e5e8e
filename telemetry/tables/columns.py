"""Columns that several tables share."""

from telemetry.tables.declaration import Column

TENANT = Column("tenant", "string", "who owns the device", required=True)
DEVICE_FULL = Column(
    "device_full", "string", "full name, product.device or a plain name", required=True
)
BOOT = Column(
    "boot",
    "string",
    "boot or run of the device; see the key of a message",
    required=True,
)
SEQ = Column("seq", "long", "number of the message within its boot", required=True)
METRIC = Column("metric", "string", "what was measured", required=True)
PRODUCT = Column("product", "string", "what kind of device", required=True)
EVENT_TIME = Column(
    "event_time", "timestamp", "when it happened, clamped to received_at + tolerance"
)
RECEIVED_AT = Column("received_at", "timestamp", "the gateway's clock, or Kafka's append time")
KAFKA_TIME = Column("kafka_time", "timestamp", "append time in Kafka or the spool")
COORDINATES = (
    Column("topic", "string", "Kafka topic, or spool", required=True),
    Column("partition", "int", "partition of the topic", required=True),
    Column("offset", "long", "offset in the partition", required=True),
)
ITEM = Column("item", "int", "position in the record's list of messages; 0 for one", required=True)

RETENTION_CLASS = Column("retention_class", "string", "how long the product is kept", required=True)

ZONE = Column("zone", "string", "zone of the device; '' where it has none", required=True)
