"""Clocks: what devices say of the time moves nothing, and is kept beside what is believed."""

from datetime import UTC, datetime, timedelta

import polars as pl
from deltalake import DeltaTable

from infra.drills.freshness import PRODUCT
from infra.drills.ground import Ground, Verdict
from telemetry.tables import READINGS


def moved_nothing(ground: Ground, verdict: Verdict) -> list[str]:
    """Hold that no clock moved the watermark ahead of the time, and that those ahead are told."""
    found = [*_watermark(ground), *_unflagged(ground)]
    return found if verdict.get("late") else [*found, "no clock was behind"]


def _watermark(ground: Ground) -> list[str]:
    marks = ground.progress("gold").get("watermarks")
    mark = marks.get(PRODUCT) if isinstance(marks, dict) else None
    if mark is None:
        return ["gold tells no watermark of the drill's product"]
    if datetime.fromisoformat(str(mark)) > datetime.now(UTC):
        return [f"a device's clock moved the watermark to {mark}"]
    return []


def _unflagged(ground: Ground) -> list[str]:
    """Hold readings since the drill began: one ahead says so, and is held to its arrival."""
    arrived = pl.col("received_at")
    uri = f"{ground.settings.lake_root}/{READINGS.name.replace('.', '/')}"
    mine = pl.scan_delta(DeltaTable(uri)).filter(
        pl.col("product") == PRODUCT, arrived >= ground.began
    )
    latest = arrived + timedelta(seconds=ground.settings.clock_tolerance_s)
    is_ahead = (pl.col("device_time") > latest).fill_null(value=False)
    is_flagged = pl.col("clock") == "ahead"
    is_held = pl.col("event_time") == latest
    is_wrong = (is_ahead != is_flagged) | (is_ahead & ~is_held)
    told = mine.select(ahead=is_ahead.sum(), wrong=is_wrong.sum()).collect().row(0, named=True)
    if told["wrong"]:
        return [f"{told['wrong']} readings of clocks ahead are not flagged, or not held"]
    return [] if told["ahead"] else ["no clock was ahead"]
