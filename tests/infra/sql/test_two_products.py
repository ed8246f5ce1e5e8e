"""Where a product says texts under the name of another one's numbers, no number is another."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from telemetry.settings import Settings
from telemetry.tables import DEVICE_WINDOWS, READINGS, ZONE_WINDOWS
from tests.infra.sql.cookbook_asked import TITLES, asked, nearly, unlimited
from tests.infra.sql.cookbook_windows import windows
from tests.infra.sql.seeded_lake import Row, append

PRODUCT, WORD = "panel", "warm"


@pytest.fixture(scope="module")
def with_texts(alone: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the same lake with a device that says what it feels, in a zone of others."""
    home: Path = tmp_path_factory.mktemp("texts")
    lake = home / "lake"
    shutil.copytree(alone.lake_root, lake)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [said(seq, midnight - timedelta(hours=seq)) for seq in range(1, 24 * 13)]
    append(lake, READINGS, rows)
    for width, minutes in (("hour", 60), ("day", 1440)):
        append(lake, DEVICE_WINDOWS[width], windows(rows, minutes, "device_full"))
        append(lake, ZONE_WINDOWS[width], windows(rows, minutes, "zone"))
    return Settings(home=home)


def said(seq: int, at: datetime) -> Row:
    """Return a reading of temperature that is a text."""
    return {
        "tenant": "default", "device_full": f"{PRODUCT}.p1", "device": "p1", "product": PRODUCT,
        "zone": "attic", "boot": "b", "seq": seq, "metric": "temperature", "value_text": WORD,
        "event_time": at, "event_time_us": int(at.timestamp()) * 1_000_000, "received_at": at,
        "clock": "ok", "quality": "ok", "topic": "telemetry", "partition": 0,
        "offset": 900_000 + seq, "item": 0, "retention_class": "default", "event_date": at.date(),
    }  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_texts_of_another_product_change_no_answer_about_numbers(
    title: str, alone: Settings, with_texts: Settings
) -> None:
    statement = unlimited(title)
    expected = asked(alone, statement)
    found = asked(with_texts, statement)
    names = found.select(pl.col(pl.String)).columns
    is_its_own = pl.any_horizontal(
        pl.lit(value=False), *(pl.col(name).str.starts_with(PRODUCT) for name in names)
    )
    others = found.filter(is_its_own.fill_null(value=False).not_())
    assert others.rows() == [nearly(row) for row in expected.rows()]
