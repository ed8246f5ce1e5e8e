"""Real files, published by the command: every row accounted for, every window recomputed."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from tests.end_to_end.stack import Stack
from tests.end_to_end.windows import WIDTHS, differences, recomputed, stored

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def long_form(rows: pd.DataFrame, device: str, time: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    """Return one row a value from one column a metric."""
    wide = rows.assign(device=device, time=time)
    long = wide.melt(["device", "time"], var_name="metric", value_name="number")
    return long.rename(columns={"number": "value"})


def check_gold(stack: Stack, product: str, rows: pd.DataFrame) -> None:
    """Compare all four widths of device windows."""
    for width in WIDTHS:
        found = stored(stack.table(f"gold.device_{width}"), product)
        wrong = differences(recomputed(rows, width), found)
        assert not wrong, f"{width}: {len(wrong)} wrong: {wrong[:5]}"


@pytest.fixture(scope="module")
def said(full_stack: Stack, shared_data: Path) -> dict[str, dict[str, int]]:
    """Publish all of it, then verify the ledgers: what each `publish` said, by product."""
    households = shared_data / "smartmeter" / "households.csv.gz"
    device, time, *_ = pd.read_csv(households, nrows=1).columns
    columns = ["--device-column", device, "--time-column", time]
    nab = sorted((shared_data / "nab" / "data").glob("*/*.csv"))
    air = shared_data / "airquality" / "air_1-4000.csv"
    published = {
        "nab": publish(full_stack, "nab", *map(str, nab)),
        "household": publish(full_stack, "household", str(households), *columns),
        "air": publish(
            full_stack, "air", str(air), "--time-column", "Date,Time", "--sentinel", "-200"
        ),
    }
    ledgers = [str(full_stack.home / f"{product}.ndjson") for product in published]
    verdict = full_stack.run("verify", *ledgers, "--json", "--timeout", "400", timeout_s=560)
    assert isinstance(verdict.json, dict)
    assert verdict.json["ok"], verdict.out
    return published


def publish(stack: Stack, product: str, *arguments: str) -> dict[str, int]:
    """Publish with a ledger; return what the command said."""
    ledger = stack.home / f"{product}.ndjson"
    answer = stack.run("publish", *arguments, "--product", product, "--ledger", str(ledger))
    assert isinstance(answer.json, dict)
    return answer.json


def test_air_quality_has_no_reading_where_the_file_says_so(
    full_stack: Stack, shared_data: Path, said: dict[str, dict[str, int]]
) -> None:
    rows = pd.read_csv(shared_data / "airquality" / "air_1-4000.csv")
    time = pd.to_datetime(rows["Date"] + " " + rows["Time"], utc=True)
    metrics = rows.drop(columns=["Date", "Time"]).replace(-200, float("nan"))
    assert said["air"] == {"read": 4000, "published": 4000, "bad_lines": 0}
    check_gold(full_stack, "air", long_form(metrics, "air.air_1-4000", time))


def test_smart_meters_come_out_whole(
    full_stack: Stack, shared_data: Path, said: dict[str, dict[str, int]]
) -> None:
    rows = pd.read_csv(shared_data / "smartmeter" / "households.csv.gz")
    device, time, *metrics = rows.columns
    wide = rows[metrics].assign(
        device="household." + rows[device].astype(str),
        time=pd.to_datetime(
            rows[time], unit="s" if rows[time].dtype.kind in "if" else None, utc=True
        ),
    )
    numeric = [name for name in metrics if rows[name].dtype.kind in "if"]
    long = wide.melt(["device", "time"], numeric, var_name="metric", value_name="value")
    assert said["household"]["published"] == len(rows)
    check_gold(full_stack, "household", long.dropna(subset=["value"]))


def test_nab_keeps_its_duplicates_gaps_and_step_backwards(
    full_stack: Stack, shared_data: Path, said: dict[str, dict[str, int]]
) -> None:
    files = sorted((shared_data / "nab" / "data").glob("*/*.csv"))
    series = [(file.stem, pd.read_csv(file)) for file in files]
    long = pd.concat(
        long_form(rows[["value"]], f"nab.{stem}", pd.to_datetime(rows["timestamp"], utc=True))
        for stem, rows in series
    )
    assert said["nab"]["published"] == len(long)
    check_gold(full_stack, "nab", long)


@pytest.mark.usefixtures("said")
def test_history_is_kept_as_history(full_stack: Stack) -> None:
    readings = full_stack.table("silver.readings").filter(pl.col("product") == "nab")

    assert readings["retention_class"].unique().to_list() == ["history"]
    assert full_stack.table("silver.late").filter(pl.col("product") == "nab").is_empty()
