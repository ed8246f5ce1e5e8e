"""Every table, declared once: columns with meaning, key, partitions, retention, statistics."""

from dataclasses import dataclass
from typing import Literal

Type = Literal[
    "string",
    "long",
    "int",
    "double",
    "boolean",
    "timestamp",
    "date",
    "binary",
    "map<string,string>",
    "map<string,binary>",
    "map<int,long>",
    "array<reason>",
]
"""Column types. `timestamp` is aware UTC in microseconds; `reason` is a struct of the strings
field, rule and value."""

Retention = Literal["class", "90 d", "400 d", "forever"]
"""`class`: by the retention class in the row's partition; a span: by the date partition."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; a unit where the name does not say it."""

    name: str
    type: Type
    meaning: str
    unit: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table and all that follows from its declaration."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    retention: Retention = "forever"
    owner: str = "data-platform"

    @property
    def layer(self) -> str:
        """Schema in SQL: bronze, silver, gold, dim or ops."""
        return self.name.split(".")[0]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the table's order."""
        return tuple(column.name for column in self.columns)


def _col(
    name: str,
    type_: Type,
    meaning: str,
    unit: str | None = None,
    required: bool = False,
) -> Column:
    return Column(name, type_, meaning, unit, required)


TENANT = _col("tenant", "string", "who owns the device", required=True)
DEVICE_FULL = _col(
    "device_full", "string", "full name, product.device or a plain name", required=True
)
BOOT = _col(
    "boot",
    "string",
    "boot or run of the device; see the key of a message",
    required=True,
)
SEQ = _col("seq", "long", "number of the message within its boot", required=True)
METRIC = _col("metric", "string", "what was measured", required=True)
PRODUCT = _col("product", "string", "what kind of device", required=True)
EVENT_TIME = _col("event_time", "timestamp", "when it happened, clamped to received_at + tolerance")
RECEIVED_AT = _col("received_at", "timestamp", "the gateway's clock, or Kafka's append time")
KAFKA_TIME = _col("kafka_time", "timestamp", "append time in Kafka or the spool")
COORDINATES = (
    _col("topic", "string", "Kafka topic, or spool", required=True),
    _col("partition", "int", "partition of the topic", required=True),
    _col("offset", "long", "offset in the partition", required=True),
)
ITEM = _col("item", "int", "position in the record's list of messages; 0 for one", required=True)

RETENTION_CLASS = _col("retention_class", "string", "how long the product is kept", required=True)

READING_COLUMNS = (
    TENANT,
    DEVICE_FULL,
    BOOT,
    SEQ,
    METRIC,
    _col("device", "string", "device name within its product", required=True),
    PRODUCT,
    _col("schema_version", "int", "version of the product schema that the message fits"),
    _col("device_time", "timestamp", "what the device said, or null"),
    EVENT_TIME,
    _col(
        "event_time_us",
        "long",
        "event_time exactly, for joins and proofs",
        "us since 1970",
    ),
    RECEIVED_AT,
    _col("clock", "string", "ok, ahead (clamped) or missing"),
    _col("value", "double", "a number; null for text, booleans and sentinels"),
    _col("value_text", "string", "a text value"),
    _col("value_bool", "boolean", "a truth value"),
    _col("unit", "string", "unit of value"),
    _col(
        "quality",
        "string",
        "ok, or sentinel where the device said that it had no reading",
    ),
    _col("zone", "string", "zone of the device at event time"),
    _col("customer", "string", "customer of the device at event time"),
    _col("lat", "double", "latitude", "deg"),
    _col("lng", "double", "longitude", "deg"),
    _col("firmware", "string", "firmware of the device at event time"),
    _col("tags", "map<string,string>", "free labels of the message"),
    *COORDINATES,
    ITEM,
    KAFKA_TIME,
    RETENTION_CLASS,
    _col("event_date", "date", "UTC date of event_time", required=True),
)

MESSAGES = Table(
    name="bronze.messages",
    description="Every record as it came, never changed.",
    columns=(
        *COORDINATES,
        _col("kafka_key", "binary", "record key: the device's full name"),
        _col("value", "binary", "record value: the payload's bytes"),
        _col("headers", "map<string,binary>", "record headers"),
        KAFKA_TIME,
        RECEIVED_AT,
        TENANT,
        _col("product", "string", "product of the device, where it is known"),
        _col("items", "int", "messages in the record; 1 if undecodable", required=True),
        _col("received_date", "date", "UTC date of received_at", required=True),
    ),
    key=("topic", "partition", "offset"),
    partition_by=("received_date",),
    statistics=("topic", "partition", "offset", "kafka_time", "received_at"),
    retention="forever",
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

_REASONS = _col("reasons", "array<reason>", "every rule that the message broke")
_MESSAGE = _col("message", "binary", "the message's bytes (of the element in a list)")
_REPLAYED = _col("replayed_at", "timestamp", "when a replay took the message up again")
_RECEIVED_DATE = _col("received_date", "date", "UTC date of received_at", required=True)
_FIRST = (
    _col("first_topic", "string", "topic of the first copy"),
    _col("first_partition", "int", "partition of the first copy"),
    _col("first_offset", "long", "offset of the first copy"),
    _col("first_item", "int", "item of the first copy"),
)
_ASIDE = (
    *COORDINATES,
    ITEM,
    TENANT,
    _col("device_full", "string", "full name, where it is known"),
    _col("boot", "string", "key of the message, where it was decoded"),
    _col("seq", "long", "key of the message, where it was decoded"),
    _col("product", "string", "product of the device, where it is known"),
    _MESSAGE,
    _REASONS,
    _col("schema_version", "int", "version of the schema it was held against"),
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

_WINDOW_START = _col("window_start", "timestamp", "start of the window", required=True)
_STATISTICS = (
    _col("window_end", "timestamp", "end of the window, exclusive", required=True),
    _col("count", "long", "readings with a value", required=True),
    _col("sum", "double", "sum of values"),
    _col("m2", "double", "sum of squared deviations from the mean (Chan)"),
    _col("min", "double", "least value"),
    _col("max", "double", "greatest value"),
    _col("mean", "double", "arithmetic mean"),
    _col("stddev", "double", "sample standard deviation; null for one value"),
    _col("first", "double", "value of the earliest reading (event time, then seq)"),
    _col("last", "double", "value of the latest reading"),
    _col("first_text", "string", "earliest text value"),
    _col("last_text", "string", "latest text value"),
    _col("first_bool", "boolean", "earliest truth value"),
    _col("last_bool", "boolean", "latest truth value"),
    _col("first_at", "timestamp", "event time of the earliest value"),
    _col("first_seq", "long", "seq of the earliest value"),
    _col("last_at", "timestamp", "event time of the latest value"),
    _col("last_seq", "long", "seq of the latest value"),
    _col(
        "is_final",
        "boolean",
        "true once no row that is in time can come",
        required=True,
    ),
    RETENTION_CLASS,
    _col(
        "window_period",
        "date",
        "partition: the day, first of month (hour tables) or first of year (day tables)",
        required=True,
    ),
)


def _window_table(name: str, description: str, subject: Column) -> Table:
    return Table(
        name=name,
        description=description,
        columns=(TENANT, _WINDOW_START, subject, PRODUCT, METRIC, *_STATISTICS),
        key=("tenant", "window_start", subject.name, "product", "metric"),
        partition_by=("retention_class", "window_period"),
        cluster_by=(subject.name, "metric"),
        statistics=("window_start", "window_end", subject.name, "metric", "is_final"),
        retention="class",
    )


ZONE = _col("zone", "string", "zone of the device; '' where it has none", required=True)

DEVICE_MINUTE = _window_table("gold.device_minute", "A device's metric a minute.", DEVICE_FULL)
DEVICE_FIVE_MINUTES = _window_table(
    "gold.device_five_minutes", "A device's metric in five minutes.", DEVICE_FULL
)
DEVICE_HOUR = _window_table("gold.device_hour", "A device's metric an hour.", DEVICE_FULL)
DEVICE_DAY = _window_table("gold.device_day", "A device's metric a UTC day.", DEVICE_FULL)
ZONE_MINUTE = _window_table("gold.zone_minute", "A zone's metric a minute, by product.", ZONE)
ZONE_FIVE_MINUTES = _window_table(
    "gold.zone_five_minutes", "A zone's metric in five minutes, by product.", ZONE
)
ZONE_HOUR = _window_table("gold.zone_hour", "A zone's metric an hour, by product.", ZONE)
ZONE_DAY = _window_table("gold.zone_day", "A zone's metric a UTC day, by product.", ZONE)
DEVICE_SLIDING = _window_table(
    "gold.device_sliding",
    "Sliding windows of products that ask for them, from minute rows.",
    DEVICE_FULL,
)
SESSIONS = _window_table(
    "gold.sessions",
    "Runs of readings with no gap above the product's session gap.",
    DEVICE_FULL,
)

WINDOW_MINUTES = {"minute": 1, "five_minutes": 5, "hour": 60, "day": 1440}
"""Width of each tumbling window in minutes, by the name that ends its tables' names."""


def _summary_table(name: str, description: str, subject: Column) -> Table:
    return Table(
        name=name,
        description=description,
        columns=(
            TENANT,
            _WINDOW_START,
            *((subject, PRODUCT) if subject.name != "product" else (subject,)),
            METRIC,
            _col("devices", "long", "devices with a reading", required=True),
            _col("count", "long", "readings with a value", required=True),
            _col("sum", "double", "sum of values"),
            _col("min", "double", "least value"),
            _col("max", "double", "greatest value"),
            _col("mean", "double", "arithmetic mean"),
            _col("stddev", "double", "sample standard deviation"),
            _col(
                "window_period",
                "date",
                "partition: the UTC date, or first of month for days",
            ),
        ),
        key=("tenant", "window_start", subject.name, "product", "metric")
        if subject.name != "product"
        else ("tenant", "window_start", "product", "metric"),
        partition_by=("window_period",),
        statistics=("window_start", subject.name, "metric"),
        retention="forever",
    )


SUMMARY_ZONE_HOUR = _summary_table("gold.summary_zone_hour", "Zones by hour.", ZONE)
SUMMARY_ZONE_DAY = _summary_table("gold.summary_zone_day", "Zones by day.", ZONE)
SUMMARY_PRODUCT_HOUR = _summary_table("gold.summary_product_hour", "Products by hour.", PRODUCT)
SUMMARY_PRODUCT_DAY = _summary_table("gold.summary_product_day", "Products by day.", PRODUCT)

ALERTS = Table(
    name="gold.alerts",
    description="The life of each alert: what raised it, what became of it.",
    columns=(
        _col("alert_id", "string", "the alert", required=True),
        TENANT,
        _col("rule", "string", "what was broken", required=True),
        _col("rule_version", "int", "version of the rule"),
        _col("severity", "string", "info, warning or critical", required=True),
        _col("state", "string", "open, acknowledged or resolved", required=True),
        _col("device_full", "string", "device; null where it is of a zone or of all"),
        _col("product", "string", "what kind of device"),
        _col("zone", "string", "zone of the device at event time"),
        _col("metric", "string", "what was measured"),
        _col("value", "double", "value that raised it"),
        _col("bound", "double", "bound that the value passed"),
        _col("message", "string", "what a person is told"),
        _col("opened_at", "timestamp", "event time of the breach", required=True),
        _col("acknowledged_at", "timestamp", "when somebody took it on"),
        _col("resolved_at", "timestamp", "when it was over"),
        _col("updated_at", "timestamp", "when this row was written last", required=True),
        _col("opened_date", "date", "partition: UTC date of opened_at", required=True),
    ),
    key=("alert_id",),
    partition_by=("opened_date",),
    statistics=("opened_at", "updated_at", "state"),
    retention="400 d",
)

ANOMALIES = Table(
    name="gold.anomalies",
    description="Every alarm that a rule has raised, with what it was held against and why.",
    columns=(
        _col("anomaly_id", "string", "id of the alert that tells it", required=True),
        TENANT,
        _col("rule", "string", "rule that raised it", required=True),
        _col("rule_version", "int", "version of the rule", required=True),
        _col("severity", "string", "info, warning or critical", required=True),
        DEVICE_FULL,
        PRODUCT,
        _col("zone", "string", "zone of the device at event time"),
        _col("customer", "string", "customer of the device at event time"),
        _col("metric", "string", "what was measured; null for silence of the device"),
        _col("value", "double", "what was held against the bound"),
        _col("bound", "double", "bound that it passed"),
        _col("score", "double", "how far beyond: 0.5 at the bound, towards 1"),
        _col("baseline", "double", "what is usual, where the check has a baseline"),
        _col("baseline_version", "date", "version of gold.baselines that it is of; null: learnt"),
        _col("deviation", "double", "value less baseline"),
        _col("text", "string", "sentence that explains it", required=True),
        _col("event_time", "timestamp", "when the alarm began", required=True),
        _col("detected_at", "timestamp", "when it was found", required=True),
        _col("event_date", "date", "partition: UTC date of event_time", required=True),
    ),
    key=("anomaly_id",),
    partition_by=("event_date",),
    statistics=("event_time", "rule", "device_full"),
    retention="400 d",
)

BASELINES = Table(
    name="gold.baselines",
    description="What is usual for each device and metric in each hour of the week, by version.",
    columns=(
        _col("version", "date", "partition: only hours before this UTC date count", required=True),
        TENANT,
        DEVICE_FULL,
        PRODUCT,
        METRIC,
        _col("slot", "int", "hour of the week, 0 to 167 from Monday 00:00 UTC", required=True),
        _col("weeks", "int", "hours that it is made of, one a week", required=True),
        _col("median", "double", "median of the hours' means", required=True),
        _col("mad", "double", "median distance of these means from it", required=True),
        _col(
            "spread",
            "double",
            "usual distance of a reading from it, as a standard deviation",
            required=True,
        ),
    ),
    key=("version", "tenant", "device_full", "metric", "slot"),
    partition_by=("version",),
    cluster_by=("device_full", "metric"),
    statistics=("device_full", "metric"),
    retention="90 d",
)

DEVICES = Table(
    name="dim.devices",
    description="History of every device (SCD 2), joined as it was at event time.",
    columns=(
        TENANT,
        DEVICE_FULL,
        _col("device", "string", "device name within its product", required=True),
        PRODUCT,
        _col("zone", "string", "where it stands"),
        _col("customer", "string", "whose it is"),
        _col("lat", "double", "latitude", "deg"),
        _col("lng", "double", "longitude", "deg"),
        _col("firmware", "string", "firmware version"),
        _col(
            "valid_from",
            "timestamp",
            "first moment of this version; 1900 for the first",
        ),
        _col(
            "valid_to",
            "timestamp",
            "moment at which the next version begins; null if current",
        ),
    ),
    key=("tenant", "device_full", "valid_from"),
    statistics=("device_full", "valid_from"),
)

DELIVERY_DELAY = Table(
    name="ops.delivery_delay",
    description="How long delivery took, received less event time, by product and hour.",
    columns=(
        TENANT,
        PRODUCT,
        _col("hour", "timestamp", "hour of received_at", required=True),
        _col("count", "long", "messages", required=True),
        _col("p50", "double", "median delay, within 1 %", "s"),
        _col("p95", "double", "95th percentile", "s"),
        _col("p99", "double", "99th percentile", "s"),
        _col("max", "double", "greatest delay", "s"),
        _col("sketch", "map<int,long>", "DDSketch buckets, relative error 1 %"),
        _col("hour_date", "date", "partition: UTC date of hour", required=True),
    ),
    key=("tenant", "product", "hour"),
    partition_by=("hour_date",),
    statistics=("product", "hour"),
    retention="400 d",
)
FIRST_USE = Table(
    name="ops.first_use",
    description="Type of each metric of products without a schema, fixed by its first use.",
    columns=(
        TENANT,
        PRODUCT,
        METRIC,
        _col("type", "string", "double, string or bool", required=True),
        *COORDINATES,
        ITEM,
    ),
    key=("tenant", "product", "metric"),
)
DEVICE_DUPLICATES = Table(
    name="ops.duplicates",
    description="Duplicates and conflicts by device and day, and where a first copy of them is.",
    columns=(
        TENANT,
        DEVICE_FULL,
        PRODUCT,
        _col("day", "date", "UTC date of received_at", required=True),
        _col("duplicates", "long", "copies set aside", required=True),
        _col("conflicts", "long", "same key, other content", required=True),
        _col(
            "removed",
            "long",
            "copies that were in silver until the scheduled proof removed them",
            required=True,
        ),
        *_FIRST,
    ),
    key=("tenant", "device_full", "day"),
    partition_by=("day",),
    retention="400 d",
)
CONSERVATION = Table(
    name="ops.conservation",
    description="Messages of bronze against those of silver, by partition and hour of Kafka time.",
    columns=(
        *COORDINATES[:2],
        _col("hour", "timestamp", "hour of kafka_time", required=True),
        _col("items", "long", "messages in bronze", required=True),
        _col("readings", "long", "messages in silver.readings", required=True),
        _col("late", "long", "messages in silver.late", required=True),
        _col("rejected", "long", "messages in silver.rejected, not replayed", required=True),
        _col("duplicates", "long", "messages in silver.duplicates, not replayed", required=True),
        _col("conflicts", "long", "messages in silver.conflicts, not replayed", required=True),
        _col("difference", "long", "messages of silver less those of bronze", required=True),
        _col("holds", "boolean", "each message is in exactly one place", required=True),
        _col("first_offset", "long", "first offset of the hour in bronze"),
        _col("last_offset", "long", "last offset of the hour in bronze"),
        _col("wrong", "string", "offsets in no table, in two places, or not in bronze"),
        _col("checked_at", "timestamp", "as of when", required=True),
        _col("hour_date", "date", "partition: UTC date of hour", required=True),
    ),
    key=("topic", "partition", "hour"),
    partition_by=("hour_date",),
    statistics=("hour", "checked_at"),
    retention="400 d",
)
RESTATEMENTS = Table(
    name="ops.restatements",
    description="Windows whose rows in silver changed and which gold has not taken up yet.",
    columns=(
        _col("mark_id", "string", "what marked them in one go", required=True),
        _col(
            "table",
            "string",
            "finest table whose windows are touched; wider ones that hold them are as well",
            required=True,
        ),
        _col("tenant", "string", "who owns the device; '' for all", required=True),
        _col("product", "string", "what kind of device; '' for all", required=True),
        _col("device_full", "string", "device; '' for all", required=True),
        _col("zone", "string", "zone of the device then; '' where it has none", required=True),
        _col("window_start", "timestamp", "start of the first window", required=True),
        _col("window_end", "timestamp", "end of the last window, exclusive", required=True),
        _col("readings_version", "long", "version of silver.readings with the change; -1: none"),
        _col("late_version", "long", "version of silver.late with the change; -1: none"),
        _col(
            "reason",
            "string",
            "late, replayed, dedup, replay, registry or rebuild-gold",
            required=True,
        ),
        _col("marked_at", "timestamp", "when", required=True),
    ),
    key=("mark_id", "table", "tenant", "product", "device_full", "zone", "window_start"),
    partition_by=("reason",),
    statistics=("mark_id", "window_start", "late_version"),
)
QUALITY = Table(
    name="ops.quality",
    description="Results of every expectation, one row a run of it.",
    columns=(
        _col("run_id", "string", "run of the checks", required=True),
        _col("checked_at", "timestamp", "when", required=True),
        _col("table", "string", "table that was held against its suite", required=True),
        _col("expectation", "string", "name and arguments in short", required=True),
        _col("success", "boolean", "whether it held", required=True),
        _col("observed", "string", "what was seen"),
        _col("unexpected", "long", "rows against it"),
        _col("details", "string", "JSON of the result"),
        _col("checked_date", "date", "partition: UTC date of checked_at", required=True),
    ),
    key=("run_id", "table", "expectation"),
    partition_by=("checked_date",),
    retention="400 d",
)
JOB_RUNS = Table(
    name="ops.job_runs",
    description="Every run of a batch job: what it did and how long it took.",
    columns=(
        _col("run_id", "string", "run", required=True),
        _col("job", "string", "name of the job", required=True),
        _col("started_at", "timestamp", "start", required=True),
        _col("ended_at", "timestamp", "end"),
        _col("success", "boolean", "whether it ended well", required=True),
        _col("arguments", "string", "JSON of its arguments"),
        _col("result", "string", "JSON of its figures"),
        _col("error", "string", "why it failed"),
        _col("started_date", "date", "partition: UTC date of started_at", required=True),
    ),
    key=("run_id",),
    partition_by=("started_date",),
    retention="400 d",
)

LOST_OFFSETS = Table(
    name="ops.lost_offsets",
    description="Records that Kafka dropped before landing had read them.",
    columns=(
        _col("topic", "string", "topic, as bronze names it", required=True),
        _col("partition", "int", "partition of the topic", required=True),
        _col("first_offset", "long", "first offset that was never read", required=True),
        _col("last_offset", "long", "last one; null where the topic was made anew"),
        _col("reason", "string", "dropped, or topic made anew", required=True),
        _col("found_at", "timestamp", "when landing found the gap", required=True),
        _col("accepted_at", "timestamp", "when somebody let landing go on behind the gap"),
    ),
    key=("topic", "partition", "first_offset"),
)

DEVICE_WINDOWS = {
    "minute": DEVICE_MINUTE,
    "five_minutes": DEVICE_FIVE_MINUTES,
    "hour": DEVICE_HOUR,
    "day": DEVICE_DAY,
}
ZONE_WINDOWS = {
    "minute": ZONE_MINUTE,
    "five_minutes": ZONE_FIVE_MINUTES,
    "hour": ZONE_HOUR,
    "day": ZONE_DAY,
}
SUMMARIES = (
    SUMMARY_ZONE_HOUR,
    SUMMARY_ZONE_DAY,
    SUMMARY_PRODUCT_HOUR,
    SUMMARY_PRODUCT_DAY,
)

TABLES: tuple[Table, ...] = (
    MESSAGES,
    READINGS,
    REJECTED,
    LATE,
    DUPLICATES,
    CONFLICTS,
    *DEVICE_WINDOWS.values(),
    *ZONE_WINDOWS.values(),
    DEVICE_SLIDING,
    SESSIONS,
    *SUMMARIES,
    ALERTS,
    ANOMALIES,
    BASELINES,
    DEVICES,
    DELIVERY_DELAY,
    FIRST_USE,
    DEVICE_DUPLICATES,
    CONSERVATION,
    RESTATEMENTS,
    QUALITY,
    JOB_RUNS,
    LOST_OFFSETS,
)
BY_NAME = {table.name: table for table in TABLES}

PROPERTIES = {
    "delta.enableDeletionVectors": "false",
    "delta.checkpointPolicy": "classic",
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
    "delta.minReaderVersion": "1",
    "delta.minWriterVersion": "2",
}
"""Properties of every table at creation: what Spark, delta-rs, polars and Trino all read."""
