"""Gold: what is usual, what was not, and who was told."""

from telemetry.tables.columns import DEVICE_FULL, METRIC, PRODUCT, TENANT
from telemetry.tables.declaration import Column, Table

ALERTS = Table(
    name="gold.alerts",
    description="The life of each alert: what raised it, what became of it.",
    columns=(
        Column("alert_id", "string", "the alert", required=True),
        TENANT,
        Column("rule", "string", "what was broken", required=True),
        Column("rule_version", "int", "version of the rule"),
        Column("severity", "string", "info, warning or critical", required=True),
        Column("state", "string", "open, acknowledged or resolved", required=True),
        Column("device_full", "string", "device; null where it is of a zone or of all"),
        Column("product", "string", "what kind of device"),
        Column("zone", "string", "zone of the device at event time"),
        Column("customer", "string", "customer of the device at event time"),
        Column("metric", "string", "what was measured"),
        Column("value", "double", "value that raised it"),
        Column("bound", "double", "bound that the value passed"),
        Column("message", "string", "what a person is told"),
        Column("opened_at", "timestamp", "event time of the breach", required=True),
        Column("acknowledged_at", "timestamp", "when somebody took it on"),
        Column("resolved_at", "timestamp", "when it was over"),
        Column("updated_at", "timestamp", "when this row was written last", required=True),
        Column("opened_date", "date", "partition: UTC date of opened_at", required=True),
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
        Column("anomaly_id", "string", "id of the alert that tells it", required=True),
        TENANT,
        Column("rule", "string", "rule that raised it", required=True),
        Column("rule_version", "int", "version of the rule", required=True),
        Column("severity", "string", "info, warning or critical", required=True),
        DEVICE_FULL,
        PRODUCT,
        Column("zone", "string", "zone of the device at event time"),
        Column("customer", "string", "customer of the device at event time"),
        Column("metric", "string", "what was measured; null for silence of the device"),
        Column("value", "double", "what was held against the bound"),
        Column("bound", "double", "bound that it passed"),
        Column("score", "double", "how far beyond: 0.5 at the bound, towards 1"),
        Column("baseline", "double", "what is usual, where the check has a baseline"),
        Column("baseline_version", "date", "version of gold.baselines that it is of; null: learnt"),
        Column("deviation", "double", "value less baseline"),
        Column("text", "string", "sentence that explains it", required=True),
        Column("event_time", "timestamp", "when the alarm began", required=True),
        Column("detected_at", "timestamp", "when it was found", required=True),
        Column("event_date", "date", "partition: UTC date of event_time", required=True),
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
        Column(
            "version", "date", "partition: only hours before this UTC date count", required=True
        ),
        TENANT,
        DEVICE_FULL,
        PRODUCT,
        METRIC,
        Column("slot", "int", "hour of the week, 0 to 167 from Monday 00:00 UTC", required=True),
        Column("weeks", "int", "hours that it is made of, one a week", required=True),
        Column("median", "double", "median of the hours' means", required=True),
        Column("mad", "double", "median distance of these means from it", required=True),
        Column(
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
