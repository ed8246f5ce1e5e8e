"""A lateness proposed from the delays that were measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from deltalake import DeltaTable

from telemetry.durations import format_duration
from telemetry.errors import HeadwaterError
from telemetry.tables import DELIVERY_DELAY

STEPS = (timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Delay:
    """Delays of one hour of receipt, in seconds."""

    hour: datetime
    count: int
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """The least lateness that takes 99 messages of 100 in every hour; None is unbounded."""

    product: str
    declared: timedelta | None
    proposed: timedelta | None
    p99: float
    delays: tuple[Delay, ...]

    def as_json(self) -> dict[str, object]:
        """Return the proposal as the command prints it."""
        return {
            "product": self.product,
            "declared": format_duration(self.declared),
            "proposed": format_duration(self.proposed),
            "p99_s": self.p99,
            "messages": sum(delay.count for delay in self.delays),
            "hours": [
                {
                    "hour": delay.hour.isoformat(),
                    "count": delay.count,
                    "p50_s": delay.p50,
                    "p95_s": delay.p95,
                    "p99_s": delay.p99,
                    "max_s": delay.max,
                }
                for delay in self.delays
            ],
        }


def rounded_up(seconds: float) -> timedelta | None:
    """Return the least step that is not below `seconds`, or None for unbounded."""
    return next((step for step in STEPS if step.total_seconds() >= seconds), None)


def propose(product: str, declared: timedelta | None, delays: Sequence[Delay]) -> Proposal:
    """Propose from the worst hour's p99: a lateness must hold in bad hours too."""
    if not delays:
        raise HeadwaterError(
            f"no delay of product {product} is measured yet: let it send while the streams run"
        )
    worst = max(delay.p99 for delay in delays)
    return Proposal(product, declared, rounded_up(worst), worst, tuple(delays))


def measured(lake_root: str, product: str, tenant: str) -> list[Delay]:
    """Read the delays of a product, hour by hour."""
    path = f"{lake_root}/{DELIVERY_DELAY.name.replace('.', '/')}"
    if not DeltaTable.is_deltatable(path):
        raise HeadwaterError(f"there are no tables in {lake_root}: run `headwater up` first")
    mine = (pl.col("product") == product) & (pl.col("tenant") == tenant)
    rows = pl.scan_delta(path).filter(mine).sort("hour").collect()
    names = ("hour", "count", "p50", "p95", "p99", "max")
    return [Delay(*row) for row in rows.select(names).iter_rows()]
