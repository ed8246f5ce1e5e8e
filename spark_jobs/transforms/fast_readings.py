"""Records of Kafka as readings by SQL expressions alone, which is all that Real-Time Mode runs.

What landing would refuse is left out here: wrong forms, unknown devices and metrics, values out of
range, sentinels, and what is late. CBOR is left to landing as well.
"""

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from telemetry.products import Product
from telemetry.records import JSON, RECEIVED_AT_TRUST_US

MESSAGES = "array<struct<v:int,ts:string,device:string,metrics:map<string,variant>>>"
NUMBERS = ("double", "int")
NUMERIC = "^(BIGINT|DOUBLE|DECIMAL)"
"""How a variant names the numbers of JSON; a text that reads like one is none."""
LIMITS = (
    "tenant string, product string, lateness_us bigint, has_schema boolean,"
    " limits map<string,struct<min:double,max:double,sentinels:array<double>>>"
)
"""What a product allows, a row each."""


def limits_of(products: Iterable[Product]) -> list[tuple[object, ...]]:
    """Return the rows of `LIMITS`; each metric as the newest version that has it says."""
    return [
        (
            product.tenant,
            product.key,
            None if product.lateness is None else round(product.lateness.total_seconds() * 1e6),
            bool(product.versions),
            _metrics(product),
        )
        for product in products
    ]


def _metrics(product: Product) -> dict[str, tuple[float | None, float | None, list[float]]]:
    newest = {
        name: metric
        for version in reversed(product.newest_first)
        for name, metric in version.metrics.items()
    }
    return {
        name: (_float(metric.min), _float(metric.max), [float(each) for each in metric.sentinels])
        for name, metric in newest.items()
        if metric.type in NUMBERS
    }


def _float(bound: float | None) -> float | None:
    return None if bound is None else float(bound)


def messages(records: DataFrame, tolerance_us: int) -> DataFrame:
    """Return tenant, device_full, received_us, event_us and metrics, a row a message of JSON."""
    text = F.col("value").cast("string")
    many = F.when(F.ltrim(text).startswith("["), text).otherwise(
        F.concat(F.lit("["), text, F.lit("]"))
    )
    senders = records.where(F.coalesce(_header("content_type"), F.lit(JSON)) == JSON).select(
        F.coalesce(_header("tenant"), F.lit("default")).alias("tenant"),
        _device().alias("device_full"),
        _received().alias("received_us"),
        F.explode(F.from_json(many, MESSAGES)).alias("message"),
    )
    said, full = F.col("message.device"), F.col("device_full")
    is_own = said.isNull() | (said == full) | F.endswith(full, F.concat(F.lit("."), said))
    told = F.unix_micros(F.col("message.ts").try_cast("timestamp"))
    received = F.col("received_us")
    event = F.when(told.isNull(), received).otherwise(F.least(told, received + tolerance_us))
    return senders.where(
        (F.coalesce(F.col("message.v"), F.lit(1)) == 1)
        & is_own
        & (F.col("message.ts").isNull() | told.isNotNull())
    ).select(
        "tenant",
        "device_full",
        "received_us",
        event.alias("event_us"),
        F.col("message.metrics").alias("metrics"),
    )


def readings(
    messages: DataFrame, devices: DataFrame, limits: DataFrame, metrics: Sequence[str]
) -> DataFrame:
    """Return the readings of some metrics that landing would accept, each with its device's place.

    `devices` has the newest version of each, `limits` the rows of `LIMITS`; both are broadcast.
    """
    each = messages.select(
        "tenant", "device_full", "received_us", "event_us",
        F.explode("metrics").alias("metric", "said"),
    )  # fmt: skip
    is_number = F.schema_of_variant("said").rlike(NUMERIC)
    each = each.where(F.col("metric").isin(list(metrics)) & is_number)
    each = each.withColumn("value", F.try_variant_get("said", "$", "double"))
    placed = each.join(F.broadcast(devices), ["tenant", "device_full"])
    allowed = placed.join(F.broadcast(limits), ["tenant", "product"])
    limit = F.try_element_at("limits", F.col("metric"))
    value = F.col("value")
    is_in_range = (
        limit.isNotNull()
        & (value >= F.coalesce(limit["min"], value))
        & (value <= F.coalesce(limit["max"], value))
        & ~F.coalesce(F.array_contains(limit["sentinels"], value), F.lit(False))
    )
    delay = F.col("received_us") - F.col("event_us")
    is_in_time = F.col("lateness_us").isNull() | (delay <= F.col("lateness_us"))
    return allowed.where(
        value.isNotNull() & (~F.col("has_schema") | is_in_range) & is_in_time
    ).select(
        "tenant", "device_full", "product", "zone", "customer",
        "metric", "value", "event_us", "received_us",
    )  # fmt: skip


def _header(name: str) -> Column:
    """Return a header's text, the last of its name; null where there is none.

    No lambda: Spark interprets these, at ten times the cost of what it compiles.
    """
    from_end = F.nullif(F.array_position(F.reverse(F.col("headers.key")), name), F.lit(0))
    return F.try_element_at(F.col("headers.value"), (-from_end).cast("int")).cast("string")


def _device() -> Column:
    """Return the device's full name, as `telemetry.records.sender` reads it."""
    device, product = _header("device"), F.coalesce(_header("product"), F.lit("default"))
    full = F.when(device.contains(".") | (product == "default"), device).otherwise(
        F.concat(product, F.lit("."), device)
    )
    return F.coalesce(F.nullif(full, F.lit("")), F.col("key").cast("string"))


def _received() -> Column:
    """Return the gateway's time in microseconds where it is to be believed, else Kafka's."""
    kafka_us = F.unix_micros("timestamp")
    header = _header("received_at")
    told = F.when(header.rlike("^[0-9]{1,18}$"), header.try_cast("bigint"))
    is_near = F.abs(told - kafka_us) <= RECEIVED_AT_TRUST_US
    return F.when(is_near, told).otherwise(kafka_us)
