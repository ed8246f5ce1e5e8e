"""What says how old data is: a dataset of the bundle, and by which source a panel is as old."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DATASET = "ff15f886-45b1-5b1b-a69c-5c557f244a84"
"""Where ages are asked: `data_age`."""
COLUMNS = ["source", "newest_at", "red_after_s"]
SOURCE = "age_of"
"""What a dataset's `extra` calls the source by whose age its panels are as old."""


ALERTS = "alerts"
KEPT_RED_MS = 120_000.0
"""Alerts that the streams keep are seconds behind; a job brings them where there are no streams."""


def age(row: Mapping[str, Any], now: datetime) -> dict[str, float | None]:
    """Return a source's age, null where nothing has come yet, and from when on it is red."""
    newest, red = row["newest_at"], float(row["red_after_s"]) * 1000
    # Neither None nor pandas' NaT, which alone is not itself.
    if newest is None or newest != newest:
        return {"age_ms": None, "red_after_ms": red}
    passed = now - newest.replace(tzinfo=UTC)
    return {"age_ms": max(0.0, passed.total_seconds() * 1000), "red_after_ms": red}


def kept_alerts(
    progress: Path, brought: Mapping[str, float | None], now: datetime
) -> Mapping[str, float | None]:
    """Return the age of alerts by what the streams say, or as it was brought where they are not."""
    try:
        said = json.loads(progress.read_bytes())
        since_ms = (now.timestamp() - said["at"] + said["age_s"]) * 1000
    except (OSError, ValueError, KeyError, TypeError):
        return brought
    known = [each for each in (brought["age_ms"], max(0.0, since_ms)) if each is not None]
    return {"age_ms": min(known), "red_after_ms": KEPT_RED_MS}
