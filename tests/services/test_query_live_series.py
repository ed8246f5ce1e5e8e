"""`/v1/live` tells each series' newest windows, though others of the subject are newer by hours."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from services.query.live.channel import HELD
from services.query.times import time_text
from tests.services.live_server import MINUTE, LiveServer, first, served
from tests.services.query_lake import Reading, numbered
from tests.services.test_query_service import START

END_MINUTE = 600


def counted(event: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((row["product"], row["metric"]) for row in event["rows"])


def of_minutes(minutes: range, **whose: str) -> list[Reading]:
    return [Reading(START + n * MINUTE, float(n), **whose) for n in minutes]  # type: ignore[arg-type]


@pytest.mark.parametrize("slower_by", [180, 5 * 1440])
def test_product_whose_windows_close_later_is_told_too(tmp_path: Path, slower_by: int) -> None:
    live = LiveServer(tmp_path)
    until = {"meter": END_MINUTE, "ferry": END_MINUTE - slower_by}
    progress = tmp_path / "progress"
    progress.mkdir(exist_ok=True)
    marks = {product: time_text(START + n * MINUTE) for product, n in until.items()}
    (progress / "gold.json").write_text(json.dumps({"watermarks": marks}))
    devices = {"meter": "meter.m1", "ferry": "ferry.f1"}
    live.lake.land(
        numbered(
            reading
            for product, device in devices.items()
            for reading in of_minutes(range(until[product] - 200, until[product]), device=device)
        )
    )
    live.close_windows(START + END_MINUTE * MINUTE)
    with served(live), live.events(zone="north", history=HELD) as events:
        told = counted(first(events, "windows"))
        assert told == {("meter", "kwh"): HELD, ("ferry", "kwh"): HELD}
        said = live.get(
            "/v1/windows", width="minute", zone="north", start=START - 6 * 1440 * MINUTE,
            end=START + END_MINUTE * MINUTE,
        ).json()  # fmt: skip
        assert first(events, "beat")["complete_until"] == said["complete_until"] == marks["ferry"]


def test_metric_that_is_told_hourly_has_as_many_windows_as_a_day_holds(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    hourly = of_minutes(range(0, END_MINUTE, 60), metric="hourly")
    silent = of_minutes(range(0, 30), metric="silent")
    live.lake.land(numbered([*of_minutes(range(END_MINUTE)), *hourly, *silent]))
    live.close_windows(START + END_MINUTE * MINUTE)
    with served(live), live.events(device_id="meter.m1", history=60) as events:
        told = counted(first(events, "windows"))
        assert told == {("meter", "kwh"): 60, ("meter", "hourly"): 10, ("meter", "silent"): 30}
