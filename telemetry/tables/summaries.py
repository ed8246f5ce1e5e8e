"""Gold: summaries of the windows, by zone and by product."""

from telemetry.tables.columns import METRIC, PRODUCT, TENANT, ZONE
from telemetry.tables.declaration import Column, Table
from telemetry.tables.windows import WINDOW_START


def _summary_table(name: str, description: str, subject: Column) -> Table:
    return Table(
        name=name,
        description=description,
        columns=(
            TENANT,
            WINDOW_START,
            *((subject, PRODUCT) if subject.name != "product" else (subject,)),
            METRIC,
            Column("devices", "long", "devices with a reading", required=True),
            Column("count", "long", "readings with a value", required=True),
            Column("sum", "double", "sum of values"),
            Column("min", "double", "least value"),
            Column("max", "double", "greatest value"),
            Column("mean", "double", "arithmetic mean"),
            Column("stddev", "double", "sample standard deviation"),
            Column(
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

SUMMARIES = (
    SUMMARY_ZONE_HOUR,
    SUMMARY_ZONE_DAY,
    SUMMARY_PRODUCT_HOUR,
    SUMMARY_PRODUCT_DAY,
)
