"""What the lake knows of its own work."""

from telemetry.tables.columns import COORDINATES, DEVICE_FULL, ITEM, METRIC, PRODUCT, TENANT
from telemetry.tables.declaration import Column, Table
from telemetry.tables.silver import _FIRST

DELIVERY_DELAY = Table(
    name="ops.delivery_delay",
    description="How long delivery took, received less event time, by product and hour.",
    columns=(
        TENANT,
        PRODUCT,
        Column("hour", "timestamp", "hour of received_at", required=True),
        Column("count", "long", "messages", required=True),
        Column("p50", "double", "median delay, within 1 %", "s"),
        Column("p95", "double", "95th percentile", "s"),
        Column("p99", "double", "99th percentile", "s"),
        Column("max", "double", "greatest delay", "s"),
        Column("sketch", "map<int,long>", "DDSketch buckets, relative error 1 %"),
        Column("hour_date", "date", "partition: UTC date of hour", required=True),
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
        Column("type", "string", "double, string or bool", required=True),
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
        Column("day", "date", "UTC date of received_at", required=True),
        Column("duplicates", "long", "copies set aside", required=True),
        Column("conflicts", "long", "same key, other content", required=True),
        Column(
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
        Column("hour", "timestamp", "hour of kafka_time", required=True),
        Column("items", "long", "messages in bronze", required=True),
        Column("readings", "long", "messages in silver.readings", required=True),
        Column("late", "long", "messages in silver.late", required=True),
        Column("rejected", "long", "messages in silver.rejected, not replayed", required=True),
        Column("duplicates", "long", "messages in silver.duplicates, not replayed", required=True),
        Column("conflicts", "long", "messages in silver.conflicts, not replayed", required=True),
        Column("difference", "long", "messages of silver less those of bronze", required=True),
        Column("holds", "boolean", "each message is in exactly one place", required=True),
        Column("first_offset", "long", "first offset of the hour in bronze"),
        Column("last_offset", "long", "last offset of the hour in bronze"),
        Column("wrong", "string", "offsets in no table, in two places, or not in bronze"),
        Column("checked_at", "timestamp", "as of when", required=True),
        Column("hour_date", "date", "partition: UTC date of hour", required=True),
    ),
    key=("topic", "partition", "hour"),
    partition_by=("hour_date",),
    statistics=("hour", "checked_at"),
    retention="400 d",
)
GATEWAY_CONSERVATION = Table(
    name="ops.gateway_conservation",
    description="Records that each gateway acknowledged against those that are there, by page: an"
    " hour of one process.",
    columns=(
        Column("gateway", "string", "name that a gateway keeps for good", required=True),
        Column("page", "string", "header `gateway` of its records", required=True),
        Column("hour", "timestamp", "hour in which the page begins", required=True),
        Column("began_at", "timestamp", "begin of the page", required=True),
        Column("told_at", "timestamp", "when the gateway last told its figures", required=True),
        Column(
            "is_final",
            "boolean",
            "false: the process was killed, and told no last figures",
            required=True,
        ),
        Column("taken", "long", "records that it handed to a store", required=True),
        Column("acknowledged", "long", "records of them that it acknowledged", required=True),
        Column("telemetry", "long", "records in bronze.messages", required=True),
        Column("dead", "long", "records in the topic telemetry.dead", required=True),
        Column("uplink", "long", "records in the topic uplink", required=True),
        Column("spooled", "long", "records on a gateway's own disk", required=True),
        Column(
            "difference", "long", "records that are there less those acknowledged", required=True
        ),
        Column(
            "holds",
            "boolean",
            "acknowledged records are there, and none that nobody sent",
            required=True,
        ),
        Column("checked_at", "timestamp", "as of when", required=True),
        Column("hour_date", "date", "partition: UTC date of hour", required=True),
    ),
    key=("page",),
    partition_by=("hour_date",),
    statistics=("hour", "checked_at"),
    retention="400 d",
)
RESTATEMENTS = Table(
    name="ops.restatements",
    description="Windows whose rows in silver changed and which gold has not taken up yet.",
    columns=(
        Column("mark_id", "string", "what marked them in one go", required=True),
        Column(
            "table",
            "string",
            "finest table whose windows are touched; wider ones that hold them are as well",
            required=True,
        ),
        Column("tenant", "string", "who owns the device; '' for all", required=True),
        Column("product", "string", "what kind of device; '' for all", required=True),
        Column("device_full", "string", "device; '' for all", required=True),
        Column("zone", "string", "zone of the device then; '' where it has none", required=True),
        Column("window_start", "timestamp", "start of the first window", required=True),
        Column("window_end", "timestamp", "end of the last window, exclusive", required=True),
        Column("readings_version", "long", "version of silver.readings with the change; -1: none"),
        Column("late_version", "long", "version of silver.late with the change; -1: none"),
        Column(
            "reason",
            "string",
            "late, replayed, dedup, replay, backfill, registry or rebuild-gold",
            required=True,
        ),
        Column("marked_at", "timestamp", "when", required=True),
    ),
    key=("mark_id", "table", "tenant", "product", "device_full", "zone", "window_start"),
    partition_by=("reason",),
    statistics=("mark_id", "window_start", "late_version"),
)
QUALITY = Table(
    name="ops.quality",
    description="Results of every expectation, one row a run of it.",
    columns=(
        Column("run_id", "string", "run of the checks", required=True),
        Column("checked_at", "timestamp", "when", required=True),
        Column("table", "string", "table that was held against its suite", required=True),
        Column("expectation", "string", "name and arguments in short", required=True),
        Column("success", "boolean", "whether it held", required=True),
        Column("observed", "string", "what was seen"),
        Column("unexpected", "long", "rows against it"),
        Column("details", "string", "JSON of the result"),
        Column("checked_date", "date", "partition: UTC date of checked_at", required=True),
    ),
    key=("run_id", "table", "expectation"),
    partition_by=("checked_date",),
    retention="400 d",
)
JOB_RUNS = Table(
    name="ops.job_runs",
    description="Every run of a batch job: what it did and how long it took.",
    columns=(
        Column("run_id", "string", "run", required=True),
        Column("job", "string", "name of the job", required=True),
        Column("started_at", "timestamp", "start", required=True),
        Column("ended_at", "timestamp", "end"),
        Column("success", "boolean", "whether it ended well", required=True),
        Column("arguments", "string", "JSON of its arguments"),
        Column("result", "string", "JSON of its figures"),
        Column("error", "string", "why it failed"),
        Column("started_date", "date", "partition: UTC date of started_at", required=True),
    ),
    key=("run_id",),
    partition_by=("started_date",),
    retention="400 d",
)

LOST_OFFSETS = Table(
    name="ops.lost_offsets",
    description="Records that Kafka dropped before landing had read them.",
    columns=(
        Column("topic", "string", "topic, as bronze names it", required=True),
        Column("partition", "int", "partition of the topic", required=True),
        Column("first_offset", "long", "first offset that was never read", required=True),
        Column("last_offset", "long", "last one; null where the topic was made anew"),
        Column("reason", "string", "dropped, or topic made anew", required=True),
        Column("found_at", "timestamp", "when landing found the gap", required=True),
        Column("accepted_at", "timestamp", "when somebody let landing go on behind the gap"),
    ),
    key=("topic", "partition", "first_offset"),
)
