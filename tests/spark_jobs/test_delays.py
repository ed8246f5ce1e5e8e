"""Sketches of delay: within one per cent, merged by addition, once a message."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from spark_jobs.transforms import delays

HOUR = datetime(2026, 10, 20, 8, tzinfo=UTC)


def delayed(seconds: np.ndarray) -> pl.DataFrame:
    micros = pl.Series((seconds * 1e6).astype(np.int64))
    return pl.DataFrame({"delay_us": micros}).with_columns(
        tenant=pl.lit("t"), product=pl.lit("p"), hour=pl.lit(HOUR)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quantiles_are_within_one_per_cent(seed: int) -> None:
    seconds = np.random.default_rng(seed).lognormal(0, 2, 5000)
    parts = [delays.sketched(delayed(part)) for part in np.array_split(seconds, 7)]

    row = delays.merged(*parts).row(0, named=True)

    assert row["count"] == 5000
    assert row["max"] == pytest.approx(seconds.max(), abs=1e-6)
    for name, share in delays.QUANTILES.items():
        exact = np.quantile(seconds, share, method="lower")
        assert row[name] == pytest.approx(exact, rel=0.0101), name


def test_stored_sketches_merge_again() -> None:
    seconds = np.arange(1, 101) / 10
    half = delays.merged(delays.sketched(delayed(seconds[::2])))

    whole = delays.merged(delays.unfolded(half), delays.sketched(delayed(seconds[1::2])))

    assert whole.equals(delays.merged(delays.sketched(delayed(seconds))))


def test_a_message_counts_once_and_never_below_zero() -> None:
    reading = {
        "tenant": "t",
        "device_full": "p.d",
        "boot": "b",
        "product": "p",
        "received_at": HOUR,
    }
    readings = pl.DataFrame(
        [
            reading | {"seq": seq, "event_time": HOUR + timedelta(seconds=ahead)}
            for seq, ahead in ((1, 5), (1, 5), (2, -3))
        ]
    )

    row = delays.merged(delays.sketched(delays.messages(readings))).row(0, named=True)

    assert row["count"] == 2
    assert row["p50"] == 0.0
    assert row["max"] == 3.0
