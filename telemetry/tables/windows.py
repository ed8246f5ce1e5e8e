"""Gold: statistics of windows, by device and by zone."""

from telemetry.tables.columns import DEVICE_FULL, METRIC, PRODUCT, RETENTION_CLASS, TENANT, ZONE
from telemetry.tables.declaration import Column, Table

WINDOW_START = Column("window_start", "timestamp", "start of the window", required=True)
_STATISTICS = (
    Column("window_end", "timestamp", "end of the window, exclusive", required=True),
    Column("count", "long", "readings with a value", required=True),
    Column("sum", "double", "sum of values"),
    Column("m2", "double", "sum of squared deviations from the mean (Chan)"),
    Column("min", "double", "least value"),
    Column("max", "double", "greatest value"),
    Column("mean", "double", "arithmetic mean"),
    Column("stddev", "double", "sample standard deviation; null for one value"),
    Column("first", "double", "value of the earliest reading (event time, then seq)"),
    Column("last", "double", "value of the latest reading"),
    Column("first_text", "string", "earliest text value"),
    Column("last_text", "string", "latest text value"),
    Column("first_bool", "boolean", "earliest truth value"),
    Column("last_bool", "boolean", "latest truth value"),
    Column("first_at", "timestamp", "event time of the earliest value"),
    Column("first_seq", "long", "seq of the earliest value"),
    Column("last_at", "timestamp", "event time of the latest value"),
    Column("last_seq", "long", "seq of the latest value"),
    Column(
        "is_final",
        "boolean",
        "true once no row that is in time can come",
        required=True,
    ),
    RETENTION_CLASS,
    Column(
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
        columns=(TENANT, WINDOW_START, subject, PRODUCT, METRIC, *_STATISTICS),
        key=("tenant", "window_start", subject.name, "product", "metric"),
        partition_by=("retention_class", "window_period"),
        cluster_by=(subject.name, "metric"),
        statistics=("window_start", "window_end", subject.name, "metric", "is_final"),
        retention="class",
    )


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
