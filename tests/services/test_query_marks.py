"""Up to when an answer is complete, said while gold goes on: never of what was not read yet."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.query.app import application
from services.query.latest import Latest
from services.query.listing import Listing, TableFiles
from services.query.live.channel import Subject
from services.query.live.viewing import Viewer, messages
from services.query.served import Access
from services.query.watermarks import Watermarks
from telemetry.tables import BY_NAME, WINDOW_MINUTES, ZONE_WINDOWS, Table
from tests.services.live_server import LiveServer
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_series import DAY, HOUR, MINUTE, START

BEFORE, AFTER = "2026-05-31T20:00:00Z", "2026-05-31T21:00:00Z"
ASKED: Mapping[str, Mapping[str, Any]] = {
    "/v1/latest": {},
    "/v1/devices": {},
    "/v1/aggregate": {"by": "zone", "metric": "kwh", "start": START, "end": START + DAY},
    "/v1/windows": {"width": "hour", "device_id": "meter.m1", "start": START, "end": START + DAY},
}


def say(progress: Path, until: str) -> None:
    """Write down what gold says of its watermark."""
    progress.mkdir(exist_ok=True)
    (progress / "gold.json").write_text(json.dumps({"watermarks": {"meter": until}}))


class OvertakenFiles(TableFiles):
    """A table into which gold commits as soon as somebody has looked."""

    def __init__(self, root: str, table: Table, progress: Path) -> None:
        super().__init__(root, table)
        self._progress = progress

    def listing(self) -> Listing:
        """Return the newest version, which is not the newest any more."""
        found = super().listing()
        say(self._progress, AFTER)
        return found


@pytest.fixture
def overtaken(tmp_path: Path) -> TestedQueries:
    lake = TestLake(tmp_path / "lake")
    lake.land(numbered(Reading(START + n * HOUR, float(n)) for n in range(24)))
    lake.make_gold(START + DAY)
    for name, table in ZONE_WINDOWS.items():
        rows = windows(lake.readings, WINDOW_MINUTES[name] * MINUTE, START + DAY, "zone")
        put(lake.root, table, with_period(rows, name))
    queries = TestedQueries(tmp_path)
    progress = tmp_path / "progress"
    tables = {
        name: OvertakenFiles(str(lake.root), BY_NAME[name], progress)
        for name in queries.service.window_tables
    }
    queries.service.zones.tables = {name: tables[name] for name in queries.service.zones.tables}
    seen = {**queries.service.lake.tables, **tables}
    for name in ("silver.readings", "silver.late", "dim.devices"):
        seen[name] = OvertakenFiles(str(lake.root), BY_NAME[name], progress)
    queries.service = replace(
        queries.service, window_tables=tables, latest=Latest(seen, queries.service.lake.hot)
    )
    queries.app = application(queries.service)
    say(progress, BEFORE)
    return queries


@pytest.mark.parametrize("path", ASKED)
def test_answer_is_complete_up_to_the_mark_of_before_it_was_read(
    overtaken: TestedQueries, path: str
) -> None:
    said = overtaken.json(path, **ASKED[path])
    assert said["points_out"]
    assert said["complete_until"] == BEFORE
    assert overtaken.json(path, **ASKED[path])["complete_until"] == AFTER


def test_marks_stay_as_they_were_taken(tmp_path: Path) -> None:
    say(tmp_path, BEFORE)
    watermarks = Watermarks(tmp_path)
    taken = watermarks.now()
    (tmp_path / "gold.json").unlink()
    assert watermarks.now().least("default", ["meter"]) is None
    assert taken.least("default", ["meter"]) == BEFORE


def test_a_beat_promises_no_more_than_was_handed_on(tmp_path: Path) -> None:
    live, progress = LiveServer(tmp_path), tmp_path / "progress"
    live.lake.land([Reading(START, 1.0)])
    live.close_minute(START, 1.0)
    say(progress, BEFORE)
    service = live.queries.service
    subject = Subject("default", "device", "meter.m1", "minute")
    viewer = Viewer(service.live, Access(service, "default"), subject, "k", lambda: True)

    async def told() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with aclosing(messages(viewer)) as said:
            async for kind, content, _ in said:
                found.append(json.loads(content))
                if len(found) == 1:
                    live.close_minute(START + MINUTE, 2.0)
                    say(progress, AFTER)
                if kind == "beat":
                    break
        return found

    *_, seen, beat = asyncio.run(told())
    assert (seen["type"], len(seen["rows"])) == ("windows", 1)
    assert beat["complete_until"] == BEFORE
    assert service.live.follower.complete_until(subject) == BEFORE
    service.live.follower.step()
    assert service.live.follower.complete_until(subject) == AFTER
