"""What a person asked of `publish`; what is left open is guessed from each file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from telemetry.products import MetricType

FileForm = Literal["csv", "ndjson"]
TimeUnit = Literal["ns", "us", "ms", "s", "min", "h", "d"]


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """How times are written."""

    columns: tuple[str, ...] = ()
    unit: TimeUnit | None = None
    start: datetime | None = None
    format: str | None = None
    zone: str = "UTC"
    is_left_out: bool = False


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a file is laid out."""

    form: FileForm | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    has_header: bool | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """Which columns are metrics, and what is known of them."""

    columns: tuple[str, ...] = ()
    types: Mapping[str, MetricType] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    sentinels: tuple[float | str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """All options of one call."""

    product: str | None = None
    device: str | None = None
    device_column: str | None = None
    raw: bool = False
    rate: float | None = None
    ledger: Path | None = None
    time: TimeOptions = field(default_factory=TimeOptions)
    table: TableOptions = field(default_factory=TableOptions)
    metric: MetricOptions = field(default_factory=MetricOptions)
