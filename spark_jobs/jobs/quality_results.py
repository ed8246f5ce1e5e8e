"""Results of the quality job: kept in `ops.quality`, told to whoever started it."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from expectations.holding import Verdict
from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from telemetry.tables import QUALITY, Table


@dataclass(slots=True)
class Held:
    """What came out for one table."""

    rows: int = 0
    version: int = 0
    """Version of the table whose new rows were held."""
    seconds: float = 0.0
    verdicts: list[Verdict] = field(default_factory=list)


Results = Mapping[Table, Held]


def held_versions(lake: Lake) -> dict[str, int]:
    """Return up to which version all that had changed was held with no critical failure."""
    said = pl.col("details").str
    is_critical = said.json_path_match("$.severity") == "critical"
    runs = (
        lake.scan(QUALITY)
        .filter(said.json_path_match("$.scope") == "changed")
        .group_by("table", "run_id")
        .agg(
            pl.col("checked_at").max(),
            held=(pl.col("success") | ~is_critical).all(),
            rows=said.json_path_match("$.rows").cast(pl.Int64).max(),
            version=said.json_path_match("$.version").cast(pl.Int64).max(),
        )
    )
    good = runs.filter("held", pl.col("rows") > 0, pl.col("version").is_not_null())
    newest = good.group_by("table").agg(pl.col("version").sort_by("checked_at").last())
    return dict(newest.collect().iter_rows())


def keep(lake: Lake, results: Results, checked_at: datetime, scope: str) -> None:
    """Append every verdict to `ops.quality`; scope is `changed`, or `days` if some were named."""
    run_id = uuid.uuid4().hex
    rows = [
        {
            "run_id": run_id,
            "checked_at": checked_at,
            "table": table.name,
            "expectation": verdict.expectation,
            "success": verdict.success,
            "observed": verdict.observed,
            "unexpected": verdict.unexpected,
            "details": json.dumps({**verdict.details, **noted, "scope": scope}),
            "checked_date": checked_at.date(),
        }
        for table, held in results.items()
        for noted in [{"rows": held.rows, "version": held.version}]
        for verdict in held.verdicts
    ]
    if rows:
        frame = pl.DataFrame(rows, infer_schema_length=None)
        lake.append(QUALITY, frame, Txn(f"quality/{run_id}", 0))


def summary(results: Results, pages: Path) -> dict[str, object]:
    """Return the figures of each table, and whether nothing blocks."""
    tables = {table.name: _figures(held) for table, held in results.items()}
    success = all(figures["success"] for figures in tables.values())
    return {"success": success, "pages": str(pages), "tables": tables}


def _figures(held: Held) -> dict[str, object]:
    failed = [verdict for verdict in held.verdicts if not verdict.success]
    return {
        "success": not any(verdict.critical for verdict in failed),
        "expectations": len(held.verdicts),
        "failed": [_shown(verdict) for verdict in failed if verdict.critical],
        "warnings": [_shown(verdict) for verdict in failed if not verdict.critical],
        "rows": held.rows,
        "seconds": round(held.seconds, 2),
    }


def broken(results: Results) -> Iterator[str]:
    """Yield a line for each critical expectation that does not hold."""
    for table, held in results.items():
        for verdict in held.verdicts:
            if verdict.critical and not verdict.success:
                yield f"{table.name}: {_shown(verdict)}"


def _shown(verdict: Verdict) -> str:
    count = f" ({verdict.unexpected} rows)" if verdict.unexpected else ""
    seen = f", seen {verdict.observed}" if verdict.observed else ""
    return f"{verdict.expectation}{count}{seen}"
