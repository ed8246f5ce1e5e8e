"""Progress of the streams as files: what `status` and the checks read."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from spark_jobs.jobs.query import Figures

State = Literal["starting", "running", "degraded", "stopped", "failed"]


class Run(NamedTuple):
    """What Spark knows of a query."""

    state: State
    batch_id: int | None = None
    input_rows_per_s: float = 0.0
    is_busy: bool = False
    error: str | None = None


def progress(name: str, run: Run, figures: Figures, at: float) -> dict[str, object]:
    """Return a query's progress; idle once nothing is left to read and no batch runs."""
    received_at = figures.received_at
    is_settled = run.state in ("running", "stopped") and figures.is_lag_known
    return {
        "name": name,
        "state": run.state,
        "at": round(at, 3),
        "batch_id": run.batch_id,
        "input_rows_per_s": run.input_rows_per_s,
        "lag_messages": figures.lag_messages,
        "is_lag_known": figures.is_lag_known,
        "landed_until": figures.landed_until,
        "age_s": None if received_at is None else round(max(0.0, at - received_at / 1e6), 3),
        "event_time": None if figures.event_time is None else _iso(figures.event_time),
        "idle": is_settled and figures.lag_messages == 0 and not run.is_busy,
        "watermarks": {product: _iso(at_us) for product, at_us in figures.watermarks.items()},
        "never_final": figures.never_final,
        "rows": figures.rows,
        "error": run.error,
    }


def _iso(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()


def forget_progress(folder: Path, name: str) -> None:
    """Remove the file of a query that is not part of the stack any more."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def read_progress(path: Path) -> Mapping[str, Any] | None:
    """Return what a query said last; None where it says nothing, or a loss of power emptied it."""
    try:
        said = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def write_progress(folder: Path, said: dict[str, object]) -> None:
    """Replace a query's file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{said['name']}.new"
    temporary.write_text(json.dumps(said))
    temporary.replace(folder / f"{said['name']}.json")
