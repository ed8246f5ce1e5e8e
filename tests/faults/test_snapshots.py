"""What a reader may never see is seen when it is there."""

import polars as pl

from tests.faults.snapshots import Bronze, Ranges, complaints

TABLES = ("rejected", "duplicates", "conflicts", "late", "readings")


def bronze(*items: int, unsettled: Ranges | None = None) -> Bronze:
    """A record an offset, each with its number of messages."""
    rows = [("telemetry", 0, offset, count) for offset, count in enumerate(items)]
    schema = {"topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "items": pl.Int32}
    return Bronze(pl.DataFrame(rows, schema, orient="row"), unsettled or {})


def silver(**messages: list[tuple[int, int, int]]) -> dict[str, pl.DataFrame]:
    """Rows of (offset, item, key) by table."""
    schema = {
        "topic": pl.String, "partition": pl.Int32, "offset": pl.Int64, "item": pl.Int32,
        "key": pl.UInt64,
    }  # fmt: skip
    return {
        f"silver.{table}": pl.DataFrame(
            [("telemetry", 0, *row) for row in messages.get(table, [])], schema, orient="row"
        )
        for table in TABLES
    }


WHOLE = silver(readings=[(0, 0, 1), (0, 0, 2), (1, 0, 3)], late=[(1, 1, 4)], rejected=[(2, 0, 0)])


def test_whole_batches_are_well() -> None:
    assert complaints(WHOLE, bronze(1, 2, 1), bronze(1, 2, 1)) == []


def test_newest_batch_may_be_underway() -> None:
    before = bronze(1, 2, 1, 1, unsettled={("telemetry", 0): (3, 3)})

    assert complaints(WHOLE, bronze(1, 2, 1, 1), before) == []


def test_settled_record_that_silver_lacks_is_seen() -> None:
    (found,) = complaints(WHOLE, bronze(1, 2, 1, 1), bronze(1, 2, 1, 1))

    assert "1 not conserved" in found


def test_half_a_list_is_seen() -> None:
    (found,) = complaints(silver(readings=[(0, 0, 1)]), bronze(2), bronze(2))

    assert "1 not conserved" in found


def test_silver_ahead_of_bronze_is_seen() -> None:
    (found,) = complaints(WHOLE, bronze(1, 2), None)

    assert "1 in silver before bronze" in found


def test_key_in_readings_and_late_is_seen() -> None:
    twice = silver(readings=[(0, 0, 1)], late=[(1, 0, 1)])

    (found,) = complaints(twice, bronze(1, 1), bronze(1, 1))

    assert "2 doubled keys" in found
