"""What a streaming query is to the application that hosts it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pyspark.sql import SparkSession

Trigger = Literal["always", "available-now"]


@dataclass(frozen=True, slots=True)
class Figures:
    """How far a query is; times in microseconds since 1970, None before the first row.

    `input_rows_per_s` is None where Spark counts what the query reads. A lag may be one of before:
    who knows it is away.
    """

    lag_messages: int = 0
    is_lag_known: bool = True
    landed_until: float | None = None
    """Of landing, seconds since 1970: all that had come by then is in silver."""
    received_at: int | None = None
    event_time: int | None = None
    watermarks: dict[str, int] = field(default_factory=dict)
    never_final: tuple[str, ...] = ()
    """Products without a watermark, since their lateness is unbounded or not known."""
    rows: dict[str, int] = field(default_factory=dict)
    input_rows_per_s: float | None = None


class Running(Protocol):
    """A query at work: what its host asks of Spark's, or of one that needs no Spark."""

    @property
    def isActive(self) -> bool:
        """Whether it goes on."""

    @property
    def lastProgress(self) -> Mapping[str, Any] | None:
        """What its last batch said."""

    @property
    def status(self) -> Mapping[str, Any]:
        """What it does now: `isTriggerActive` while a batch runs."""

    def exception(self) -> Exception | None:
        """Return why it ended."""

    def stop(self) -> None:
        """End it."""

    def awaitTermination(self) -> bool | None:
        """Wait for its end; raise what ended it."""


class Query(Protocol):
    """A query with a checkpoint of its own; `start` is called again after every failure."""

    @property
    def name(self) -> str:
        """Name of its checkpoint folder and of its progress file."""

    def own(self) -> None:
        """Take its lock, unless it is held; raise if another process has it."""

    def close(self) -> None:
        """Let other processes have its checkpoint."""

    def start(self, spark: SparkSession, trigger: Trigger) -> Running:
        """Start it behind what it has done, building its memory anew from the lake."""

    def figures(self) -> Figures:
        """Say how far it is; called each second from another thread, so it must be cheap."""
