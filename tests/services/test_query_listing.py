"""A listing grows by what commits say, and is the same as one that the whole log gives."""

import json
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest
from deltalake import DeltaTable

from services.query.listing import NOTHING, Listing, TableFiles
from telemetry.tables import DEVICE_DAY, DEVICE_MINUTE, LATE, READINGS, Table
from tests.services.query_lake import Reading, TestLake, numbered

START = 20_600 * 86_400_000_000
TABLES = (READINGS, LATE, DEVICE_MINUTE, DEVICE_DAY)


def of(root: Path, table: Table) -> DeltaTable:
    return DeltaTable(str(root / Path(*table.name.split("."))))


def said(listing: Listing) -> tuple[object, ...]:
    files = zip(
        listing.paths,
        listing.modified,
        listing.lows.tolist(),
        listing.highs.tolist(),
        listing.subjects,
        listing.metrics,
        listing.rows,
        listing.homes,
        strict=True,
    )
    return listing.version, listing.held, sorted(files)


def readings(first: int) -> list[Reading]:
    # Times of which milliseconds are not all, classes, and a class that has to be escaped.
    kinds = ("default", "history", "of a year, 5 %")
    return numbered(
        Reading(
            START + first * 40_000_000_007 + n * 7_000_001,
            float(n),
            device=f"meter.m{n % 3}",
            is_late=n % 4 == 0,
            retention_class=kinds[n % 3],
        )
        for n in range(24)
    )


def test_listing_that_grew_is_that_of_the_whole_log(tmp_path: Path) -> None:
    lake = TestLake(tmp_path)
    lake.land(readings(0))
    lake.make_gold(START)
    growing = {table: TableFiles(str(tmp_path), table) for table in TABLES}
    acts: list[Callable[[], object]] = [
        lambda: None,
        lambda: lake.land(readings(1), files=3),
        lambda: of(tmp_path, READINGS).optimize.compact(),
        lambda: of(tmp_path, READINGS).delete("device_full = 'meter.m1'"),
        lambda: lake.make_gold(START + 86_400_000_000),
        lambda: lake.land(readings(2)),
        lambda: of(tmp_path, LATE).delete("seq < 9"),
        lambda: of(tmp_path, LATE).delete(),
        lambda: of(tmp_path, READINGS).alter.set_table_properties({"delta.appendOnly": "false"}),
        lambda: lake.land(readings(3)),
    ]
    for act in acts:
        act()
        for table, files in growing.items():
            assert said(files.listing()) == said(TableFiles(str(tmp_path), table).listing())


def test_log_is_not_read_again_for_a_commit(tmp_path: Path) -> None:
    lake = TestLake(tmp_path)
    lake.land(readings(0))
    files = TableFiles(str(tmp_path), READINGS)
    before = files.listing()
    lake.land(readings(1))
    (tmp_path / "silver" / "readings" / "_delta_log" / f"{0:020d}.json").unlink()
    assert set(before.paths) < set(files.listing().paths)


def test_table_that_is_gone_or_anew_is_seen(tmp_path: Path) -> None:
    lake = TestLake(tmp_path)
    lake.land(readings(0), files=3)
    files = TableFiles(str(tmp_path), READINGS)
    before = files.listing()
    (tmp_path / "silver").rename(tmp_path / "away")
    assert files.listing() is NOTHING
    lake.land(readings(1))
    assert not set(files.listing().paths) & set(before.paths)


@pytest.mark.parametrize("action", [{"protocol": {}}, {"add": {"path": "x", "deletionVector": {}}}])
def test_commit_that_says_more_has_the_whole_log_read(
    tmp_path: Path, action: dict[str, object]
) -> None:
    lake = TestLake(tmp_path)
    lake.land(readings(0))
    files = TableFiles(str(tmp_path), READINGS)
    version = files.listing().version
    log = tmp_path / "silver" / "readings" / "_delta_log"
    (log / f"{version + 1:020d}.json").write_text(json.dumps(action))
    with pytest.raises(Exception, match=r"."):
        files.listing()


def test_half_a_commit_is_looked_at_again(tmp_path: Path) -> None:
    """A folder may be listed with a version's checksum, and without its entry."""
    lake = TestLake(tmp_path)
    lake.land(readings(0))
    lake.land(readings(1))
    log = tmp_path / "silver" / "readings" / "_delta_log"
    newest = of(tmp_path, READINGS).version()
    entry = log / f"{newest:020d}.json"
    (log / f"{newest:020d}.crc").write_text("{}")
    entry.rename(tmp_path / "entry")
    seen_later = Timer(0.15, lambda: (tmp_path / "entry").rename(entry))
    seen_later.start()
    found = TableFiles(str(tmp_path), READINGS).listing()
    seen_later.join()
    assert found.version == newest
