"""Records of Kafka as readings by SQL expressions alone, which is all that Real-Time Mode runs.

What landing would refuse is left out here: wrong forms, unknown devices and metrics, values out of
range, sentinels, and what is late. CBOR is left to landing as well.
"""

from collections.abc import Iterable, Sequence

import orjson
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.transforms.sql_text import text
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
_NAMES = ("tenant", "product", "lateness_us", "has_schema", "limits")


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


def _metrics(product: Product) -> dict[str, dict[str, object]]:
    newest = {
        name: metric
        for version in reversed(product.newest_first)
        for name, metric in version.metrics.items()
    }
    return {
        name: {
            "min": _float(metric.min),
            "max": _float(metric.max),
            "sentinels": [float(each) for each in metric.sentinels],
        }
        for name, metric in newest.items()
        if metric.type in NUMBERS
    }


def _float(bound: float | None) -> float | None:
    return None if bound is None else float(bound)


def messages(records: DataFrame, tolerance_us: int) -> DataFrame:
    """Return tenant, device_full, received_us, event_us and metrics, a row a message of JSON."""
    body = "cast(value as string)"
    many = f"if(startswith(ltrim({body}), '['), {body}, concat('[', {body}, ']'))"
    senders = records.where(f"coalesce({_header('content_type')}, '{JSON}') = '{JSON}'").selectExpr(
        f"coalesce({_header('tenant')}, 'default') as tenant",
        f"{_device()} as device_full",
        f"{_received()} as received_us",
        f"explode(from_json({many}, '{MESSAGES}')) as message",
    )
    is_own = (
        "message.device is null or message.device = device_full"
        " or endswith(device_full, concat('.', message.device))"
    )
    told = "unix_micros(try_cast(message.ts as timestamp))"
    event = f"if({told} is null, received_us, least({told}, received_us + {tolerance_us}))"
    return senders.where(
        f"coalesce(message.v, 1) = 1 and ({is_own})"
        f" and (message.ts is null or {told} is not null)"
    ).selectExpr(
        "tenant", "device_full", "received_us", f"{event} as event_us",
        "message.metrics as metrics",
    )  # fmt: skip


def readings(
    messages: DataFrame, devices: DataFrame, limits: DataFrame, metrics: Sequence[str]
) -> DataFrame:
    """Return the readings of some metrics that landing would accept, each with its device's place.

    `devices` has the newest version of each, `limits` the rows of `LIMITS`; both are broadcast.
    """
    each = messages.selectExpr(
        "tenant", "device_full", "received_us", "event_us", "explode(metrics) as (metric, said)"
    )
    watched = ", ".join(map(text, metrics))
    is_number = f"schema_of_variant(said) rlike '{NUMERIC}'"
    each = each.where(f"metric in ({watched}) and {is_number}").withColumn(
        "value", F.expr("try_variant_get(said, '$', 'double')")
    )
    placed = each.join(F.broadcast(devices), ["tenant", "device_full"])
    allowed = placed.join(F.broadcast(limits), ["tenant", "product"])
    limit = "try_element_at(limits, metric)"
    is_in_range = (
        f"({limit} is not null and value >= coalesce({limit}.min, value)"
        f" and value <= coalesce({limit}.max, value)"
        f" and not coalesce(array_contains({limit}.sentinels, value), false))"
    )
    is_in_time = "(lateness_us is null or received_us - event_us <= lateness_us)"
    return allowed.where(
        f"value is not null and (not has_schema or {is_in_range}) and {is_in_time}"
    ).select(
        "tenant", "device_full", "product", "zone", "customer",
        "metric", "value", "event_us", "received_us",
    )  # fmt: skip


def limits_frame(spark: SparkSession, products: Iterable[Product]) -> DataFrame:
    """Return the rows of `LIMITS`, by no Python worker."""
    said = orjson.dumps([dict(zip(_NAMES, row, strict=True)) for row in limits_of(products)])
    listed = f"from_json({text(said.decode())}, 'array<struct<{LIMITS}>>')"
    return spark.sql(f"select inline({listed})")


def _header(name: str) -> str:
    """Return a header's text, the last of its name; null where there is none.

    No lambda: Spark interprets these, at ten times the cost of what it compiles.
    """
    from_end = f"nullif(array_position(reverse(headers.key), '{name}'), 0)"
    return f"cast(try_element_at(headers.value, cast(-{from_end} as int)) as string)"


def _device() -> str:
    """Return the device's full name, as `telemetry.records.sender` reads it."""
    device, product = _header("device"), f"coalesce({_header('product')}, 'default')"
    is_full = f"contains({device}, '.') or {product} = 'default'"
    full = f"if({is_full}, {device}, concat({product}, '.', {device}))"
    return f"coalesce(nullif({full}, ''), cast(key as string))"


def _received() -> str:
    """Return the gateway's time in microseconds where it is to be believed, else Kafka's."""
    kafka_us, header = "unix_micros(timestamp)", _header("received_at")
    told = f"if({header} rlike '^[0-9]{{1,18}}$', try_cast({header} as bigint), null)"
    is_near = f"abs({told} - {kafka_us}) <= {RECEIVED_AT_TRUST_US}"
    return f"if({is_near}, {told}, {kafka_us})"
