"""Products as data: metrics with type, unit, kind and range, in versions that may live together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast, get_args

from telemetry.durations import format_duration, micros, parse_duration
from telemetry.errors import HeadwaterError, ProductError
from telemetry.metric_fields import wrong_field
from telemetry.retention import DAY, HISTORY, Kept, Reach, shortfalls
from telemetry.tables import MESSAGES

MetricType = Literal["double", "int", "string", "bool"]
MetricKind = Literal["gauge", "counter", "state", "event"]
Compatibility = Literal[
    "BACKWARD",
    "BACKWARD_TRANSITIVE",
    "FORWARD",
    "FORWARD_TRANSITIVE",
    "FULL",
    "FULL_TRANSITIVE",
]
"""What a new version of a schema is held to: see `telemetry.compatibility`."""
Json = Mapping[str, object]

NAME = re.compile(r"[A-Za-z0-9_:\-]{1,128}")
RETENTION_CLASSES: dict[str, timedelta | None] = {
    "default": timedelta(days=90),
    HISTORY: timedelta(days=3650),
    "forever": None,
}
MOST_VERSION = 2**31 - 1
"""Of a schema: the column `schema_version` has 32 bits."""
LONGEST_KEPT = timedelta(days=365_000)
"""What is kept longer is kept for ever: no date is so far back."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What one metric may say; `min` and `max` are inclusive, `values` lists a text's words."""

    name: str
    type: MetricType
    unit: str | None = None
    kind: MetricKind = "gauge"
    min: float | None = None
    max: float | None = None
    required: bool = False
    sentinels: tuple[float | str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a product's schema."""

    version: int
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True)
class Sliding:
    """Sliding windows: how wide, and how often one begins."""

    width: timedelta = timedelta(hours=1)
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Product:
    """A kind of device. No `versions` means no schema: any metric, its type fixed by first use."""

    key: str
    tenant: str = "default"
    lateness: timedelta | None = timedelta(seconds=30)
    max_age: timedelta | None = timedelta(days=7)
    retention_class: str = "default"
    dedup_horizon: timedelta | None = timedelta(days=1)
    versions: tuple[SchemaVersion, ...] = ()
    sliding: Sliding | None = None
    session_gap: timedelta | None = None
    compatibility: Compatibility = "BACKWARD"
    newest_first: tuple[SchemaVersion, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.versions, key=lambda version: -version.version))
        object.__setattr__(self, "newest_first", ordered)

    @property
    def lateness_us(self) -> int | None:
        """How long a delivery may take, in microseconds; None for ever."""
        return micros(self.lateness)

    @property
    def max_age_us(self) -> int | None:
        """How old a message may be, in microseconds; None for any age."""
        return micros(self.max_age)


def history_product(
    key: str, versions: tuple[SchemaVersion, ...] = (), tenant: str = "default"
) -> Product:
    """Return a product for data of any age, never late, kept as history."""
    return Product(
        key=key,
        tenant=tenant,
        lateness=None,
        max_age=None,
        retention_class="history",
        versions=versions,
    )


DEFAULT_PRODUCT = history_product("default")
"""Product of devices whose name has no dot."""


def retention_span(retention_class: str) -> timedelta | None:
    """Return how long a class is kept, None for ever; a class may be named by its span, `30 d`."""
    if retention_class in RETENTION_CLASSES:
        return RETENTION_CLASSES[retention_class]
    try:
        span = parse_duration(retention_class.replace("_", " "))
    except HeadwaterError as error:
        known = ", ".join(RETENTION_CLASSES)
        raise ProductError(
            f"retention {retention_class!r} is unknown: write {known}, or a span such as '30 d'"
        ) from error
    return None if span is None or span > LONGEST_KEPT else span


def product_from_dict(data: Json) -> Product:
    """Read a product's JSON form; raise `ProductError` that names the field."""
    key = data.get("product")
    if not isinstance(key, str) or not NAME.fullmatch(key):
        raise ProductError(f"product: {key!r} is not a name (letters, digits, _ - :)")
    try:
        return _product(key, data)
    except ProductError as error:
        raise ProductError(f"product {key}: {error}") from None
    except HeadwaterError as error:
        raise ProductError(f"product {key}: {error}") from error


def _product(key: str, data: Json) -> Product:
    defaults = Product(key)
    retention = str(data.get("retention", defaults.retention_class))
    retention_span(retention)
    versions = tuple(_version(item) for item in _list(data, "versions"))
    if len({version.version for version in versions}) != len(versions):
        raise ProductError("versions: two have the same number")
    product = Product(
        key=key,
        tenant=str(data.get("tenant", defaults.tenant)),
        lateness=_duration(data, "lateness", defaults.lateness),
        max_age=_duration(data, "max_age", defaults.max_age),
        retention_class=retention,
        dedup_horizon=_duration(data, "dedup_horizon", defaults.dedup_horizon),
        versions=versions,
        sliding=_sliding(data),
        session_gap=_duration(data, "session_gap", None),
        compatibility=_compatibility(data.get("compatibility", defaults.compatibility)),
    )
    _check_retention(product)
    return product


def _compatibility(mode: object) -> Compatibility:
    if mode not in get_args(Compatibility):
        raise ProductError(f"compatibility {mode!r} must be one of {get_args(Compatibility)}")
    return cast(Compatibility, mode)


def _check_retention(product: Product) -> None:
    """Raise if retention would drop rows of the product that are still needed."""
    width = product.sliding.width if product.sliding else timedelta()
    # A late row may bridge two sessions: what began before it is read so far back.
    widest = max(width, product.session_gap or timedelta(), DAY)
    reach = Reach(product.lateness, product.max_age, product.dedup_horizon, widest)
    name = product.retention_class
    kept = Kept(name, retention_span(name), bronze_span=retention_span(MESSAGES.retention))
    short = "; ".join(shortfalls(reach, kept))
    if short:
        raise ProductError(short)


def _list(data: Json, name: str) -> list[Json]:
    items = data.get(name) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ProductError(f"{name}: must be a list of objects")
    return items


def _duration(data: Json, name: str, default: timedelta | None) -> timedelta | None:
    text = data.get(name)
    return default if text is None else parse_duration(str(text))


def _sliding(data: Json) -> Sliding | None:
    sliding = data.get("sliding")
    if not isinstance(sliding, Mapping):
        return None
    width = parse_duration(str(sliding.get("width", "1 h"))) or timedelta()
    every = parse_duration(str(sliding.get("every", "5 min"))) or timedelta()
    minute = timedelta(minutes=1)
    if not every or every % minute or width % every or not width:
        raise ProductError("sliding: every must be whole minutes, width a multiple of every")
    return Sliding(width, every)


def _version(data: Json) -> SchemaVersion:
    number, metrics = data.get("version"), data.get("metrics")
    if not isinstance(number, int) or not 1 <= number <= MOST_VERSION:
        text = f"must be a whole number from 1 to {MOST_VERSION}"
        raise ProductError(f"versions: version {number!r} {text}")
    if not isinstance(metrics, Mapping) or not metrics:
        raise ProductError(f"version {number}: metrics must be an object with at least one metric")
    return SchemaVersion(number, {name: _metric(name, spec) for name, spec in metrics.items()})


def _metric(name: str, spec: object) -> Metric:
    if not isinstance(spec, Mapping):
        raise ProductError(f"metric {name}: must be an object")
    if wrong := wrong_field(spec):
        raise ProductError(f"metric {name}: {wrong}")
    metric = Metric(
        name=name,
        type=cast(MetricType, spec.get("type", "double")),
        unit=spec.get("unit"),
        kind=cast(MetricKind, spec.get("kind", "gauge")),
        min=spec.get("min"),
        max=spec.get("max"),
        required=spec.get("required", False),
        sentinels=tuple(spec.get("sentinels", ())),
        values=tuple(spec.get("values", ())),
    )
    _check_metric(metric)
    return metric


def _check_metric(metric: Metric) -> None:
    if metric.type not in get_args(MetricType):
        raise ProductError(f"metric {metric.name}: type must be one of {get_args(MetricType)}")
    if metric.kind not in get_args(MetricKind):
        raise ProductError(f"metric {metric.name}: kind must be one of {get_args(MetricKind)}")
    least, greatest = metric.min, metric.max
    if (least is not None or greatest is not None) and metric.type not in (
        "double",
        "int",
    ):
        raise ProductError(f"metric {metric.name}: min and max are for numbers")
    if least is not None and greatest is not None and least > greatest:
        raise ProductError(f"metric {metric.name}: min {least} is above max {greatest}")


def product_to_dict(product: Product) -> dict[str, object]:
    """Return the JSON form that `product_from_dict` reads back equal."""
    data: dict[str, object] = {
        "product": product.key,
        "tenant": product.tenant,
        "lateness": format_duration(product.lateness),
        "max_age": format_duration(product.max_age),
        "retention": product.retention_class,
        "dedup_horizon": format_duration(product.dedup_horizon),
        "versions": [_version_to_dict(version) for version in product.versions],
    }
    if product.sliding:
        data["sliding"] = {
            "width": format_duration(product.sliding.width),
            "every": format_duration(product.sliding.every),
        }
    if product.session_gap:
        data["session_gap"] = format_duration(product.session_gap)
    if product.compatibility != "BACKWARD":
        data["compatibility"] = product.compatibility
    return data


def _version_to_dict(version: SchemaVersion) -> dict[str, object]:
    metrics = {name: _metric_to_dict(metric) for name, metric in version.metrics.items()}
    return {"version": version.version, "metrics": metrics}


def _metric_to_dict(metric: Metric) -> dict[str, object]:
    data: dict[str, object] = {"type": metric.type, "kind": metric.kind}
    for name in ("unit", "min", "max"):
        if (value := getattr(metric, name)) is not None:
            data[name] = value
    if metric.required:
        data["required"] = True
    if metric.sentinels:
        data["sentinels"] = list(metric.sentinels)
    if metric.values:
        data["values"] = list(metric.values)
    return data
