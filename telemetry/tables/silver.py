"""Readings, and the messages that became none."""

from telemetry.tables.columns import (
    BOOT,
    COORDINATES,
    DEVICE_FULL,
    EVENT_TIME,
    ITEM,
    KAFKA_TIME,
    METRIC,
    PRODUCT,
    RECEIVED_AT,
    RETENTION_CLASS,
    SEQ,
    TENANT,
)
from telemetry.tables.declaration import Column, Table

READING_COLUMNS = (
    TENANT,
    DEVICE_FULL,
    BOOT,
    SEQ,
    METRIC,
    Column("device", "string", "device name within its product", required=True),
    PRODUCT,
    Column("schema_version", "int", "version of the product schema that the message fits"),
    Column("device_time", "timestamp", "what the device said, or null"),
    EVENT_TIME,
    Column(
        "event_time_us",
        "long",
        "event_time exactly, for joins and proofs",
        "us since 1970",
    ),
    RECEIVED_AT,
    Column("clock", "string", "ok, ahead (clamped) or missing"),
    Column("value", "double", "a number; null for text, booleans and sentinels"),
    Column("value_text", "string", "a text value"),
    Column("value_bool", "boolean", "a truth value"),
    Column("unit", "string", "unit of value"),
    Column(
        "quality",
        "string",
        "ok, or sentinel where the device said that it had no reading",
    ),
    Column("zone", "string", "zone of the device at event time"),
    Column("customer", "string", "customer of the device at event time"),
    Column("lat", "double", "latitude", "deg"),
    Column("lng", "double", "longitude", "deg"),
    Column("firmware", "string", "firmware of the device at event time"),
    Column("tags", "map<string,string>", "free labels of the message"),
    *COORDINATES,
    ITEM,
    KAFKA_TIME,
    RETENTION_CLASS,
    Column("event_date", "date", "UTC date of event_time", required=True),
)

READINGS = Table(
    name="silver.readings",
    description="One row a reading: each accepted message's metrics, exactly once.",
    columns=READING_COLUMNS,
    key=("tenant", "device_full", "boot", "seq", "metric"),
    partition_by=("retention_class", "event_date"),
    cluster_by=("device_full", "metric"),
    statistics=(
        "device_full",
        "metric",
        "event_time",
        "event_time_us",
        "received_at",
        "partition",
        "offset",
        "kafka_time",
    ),
    retention="class",
)

_REASONS = Column("reasons", "array<reason>", "every rule that the message broke")
_MESSAGE = Column("message", "binary", "the message's bytes (of the element in a list)")
_REPLAYED = Column("replayed_at", "timestamp", "when a replay took the message up again")
_RECEIVED_DATE = Column("received_date", "date", "UTC date of received_at", required=True)
_FIRST = (
    Column("first_topic", "string", "topic of the first copy"),
    Column("first_partition", "int", "partition of the first copy"),
    Column("first_offset", "long", "offset of the first copy"),
    Column("first_item", "int", "item of the first copy"),
)
_ASIDE = (
    *COORDINATES,
    ITEM,
    TENANT,
    Column("device_full", "string", "full name, where it is known"),
    Column("boot", "string", "key of the message, where it was decoded"),
    Column("seq", "long", "key of the message, where it was decoded"),
    Column("product", "string", "product of the device, where it is known"),
    _MESSAGE,
    _REASONS,
    Column("schema_version", "int", "version of the schema it was held against"),
    EVENT_TIME,
    RECEIVED_AT,
    KAFKA_TIME,
    _REPLAYED,
)
_ITEM_KEY = ("topic", "partition", "offset", "item")
_ASIDE_STATISTICS = ("device_full", "partition", "offset", "received_at", "kafka_time")

REJECTED = Table(
    name="silver.rejected",
    description="Messages that broke a rule, each with all its reasons.",
    columns=(*_ASIDE, _RECEIVED_DATE),
    key=_ITEM_KEY,
    partition_by=("received_date",),
    statistics=_ASIDE_STATISTICS,
    retention="90 d",
)
DUPLICATES = Table(
    name="silver.duplicates",
    description="Further copies of messages that silver holds, with the first copy's coordinates.",
    columns=(*_ASIDE, *_FIRST, _RECEIVED_DATE),
    key=_ITEM_KEY,
    partition_by=("received_date",),
    statistics=_ASIDE_STATISTICS,
    retention="90 d",
)
CONFLICTS = Table(
    name="silver.conflicts",
    description="Messages with the key of another one and other content; both are kept.",
    columns=(*_ASIDE, *_FIRST, _RECEIVED_DATE),
    key=_ITEM_KEY,
    partition_by=("received_date",),
    statistics=_ASIDE_STATISTICS,
    retention="90 d",
)
LATE = Table(
    name="silver.late",
    description="Readings whose delivery took longer than their product allows; gold counts them.",
    columns=(*READING_COLUMNS, _MESSAGE, _REASONS, _REPLAYED),
    key=(*_ITEM_KEY, "metric"),
    partition_by=("retention_class", "event_date"),
    cluster_by=("device_full", "metric"),
    statistics=READINGS.statistics,
    retention="class",
)
