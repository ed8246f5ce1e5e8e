"""What a way has written is counted before figures are printed."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.landed import checked_bytes


def flink_lake(root: Path, rows: list[tuple[str, int, float | None]]) -> Path:
    """Write files as Flink does: no ending, and one that is not finished."""
    folder = root / "plain"
    folder.mkdir()
    frame = pl.DataFrame(
        {
            "device_full": [device for device, _, _ in rows],
            "boot": ["b" for _ in rows],
            "seq": [seq for _, seq, _ in rows],
            "metrics": [{"metric_00": value} for _, _, value in rows],
        },
        schema_overrides={"metrics": pl.Struct({"metric_00": pl.Float64()})},
    )
    frame.write_parquet(folder / "part-0")
    (folder / ".part-1.inprogress").write_bytes(b"torn")
    return root


def test_files_that_are_whole_are_counted(tmp_path: Path) -> None:
    lake = flink_lake(tmp_path, [("d1", 0, 1.0), ("d1", 1, 2.0)])

    found = checked_bytes("flink_plain", lake, 2, 1)

    assert found == (tmp_path / "plain" / "part-0").stat().st_size


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([("d1", 0, 1.0)], "1 rows"),
        ([("d1", 0, 1.0), ("d1", 0, 2.0)], "1 keys"),
        ([("d1", 0, 1.0), ("d1", 1, None)], "1 values"),
    ],
)
def test_what_is_missing_twice_or_null_is_refused(
    tmp_path: Path, rows: list[tuple[str, int, float | None]], wrong: str
) -> None:
    with pytest.raises(AssertionError, match=wrong):
        checked_bytes("flink_plain", flink_lake(tmp_path, rows), 2, 1)


def test_readings_that_gold_lacks_are_told(tmp_path: Path) -> None:
    minutes = tmp_path / "gold" / "device_minute"
    pl.DataFrame({"device_full": ["d1", "d2"], "count": [1, 2]}).write_delta(str(minutes))

    with pytest.raises(AssertionError, match="3 readings in minutes of gold, 4 are right"):
        checked_bytes("ours_gold", tmp_path, 2, 2)
