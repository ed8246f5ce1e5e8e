"""What dedup is about to remove, where the file that says so is damaged."""

from pathlib import Path

import polars as pl
import pytest

from spark_jobs.jobs.removal_plan import RemovalPlan
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError


@pytest.mark.parametrize("content", [b"", b"no Arrow", b"ARROW1\0\0"])
def test_a_damaged_plan_is_named_with_what_mends_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "dedup.plan"
    path.write_bytes(content)
    plan = RemovalPlan(path, Lake(str(tmp_path / "lake")))

    with pytest.raises(HeadwaterError, match=rf"{path} cannot be read.*dedup --all"):
        plan.begin(pl.DataFrame({"source": ["silver.readings"]}))
