"""What workers hand to the driver: whole, and small where nothing can be put together."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
from polars.testing import assert_frame_equal

from spark_jobs.transforms import delays
from spark_jobs.transforms.reduction import KINDS, NO_READING, pack, reduction, unpacked
from spark_jobs.transforms.rules import rules
from telemetry.products import Product

RULES = rules([Product("meter")])
BEGAN = datetime(2012, 2, 10, tzinfo=UTC)


def history(count: int) -> pl.DataFrame:
    """Return a reading each half hour: each is a window of its own."""
    rows = [
        {
            "tenant": "default",
            "product": "meter",
            "device_full": "meter.1",
            "metric": "power",
            "boot": "f:1",
            "seq": number,
            "event_time": BEGAN + number * timedelta(minutes=30),
            "received_at": BEGAN + timedelta(days=5_000),
            "value": number % 97 / 10,
        }
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=NO_READING.schema)


def test_what_is_packed_comes_back_and_history_takes_less_than_half_its_bytes() -> None:
    readings = history(5_000)
    made = reduction(readings, delays.messages(readings), RULES)

    packed = pa.Table.from_batches([pack(made)])

    found = unpacked(packed, RULES)
    for kind in KINDS:
        assert_frame_equal(getattr(found, kind), getattr(made, kind))
    assert made.minutes.height == 5_000
    assert packed.nbytes < made.minutes.write_ipc(None).getbuffer().nbytes / 2
