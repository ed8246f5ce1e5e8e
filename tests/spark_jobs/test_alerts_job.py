"""`headwater job alerts`: the newest word on each alert, however often and in any order."""

import random
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.jobs.alerts import merge
from spark_jobs.lake import Lake
from spark_jobs.transforms.alert_lives import lives, merged
from telemetry.alerts_history import AlertLife, Phase
from telemetry.tables import ALERTS

DAY_US = 86_400_000_000
BEGAN = 1_790_000_000_000_000


def told(number: int, version: int = 0, *, state: Phase = "open", day: int = 0) -> AlertLife:
    opened = BEGAN + day * DAY_US + number
    return AlertLife(
        alert_id=f"{number:032x}",
        tenant="default",
        rule="hot",
        rule_version=1,
        severity="warning",
        state=state,
        device_full=f"pump.p{number}",
        product="pump",
        zone=None,
        metric=None,
        value=float(version),
        bound=None,
        message="hot",
        opened_at=opened,
        acknowledged_at=None,
        resolved_at=opened + version if state == "resolved" else None,
        updated_at=opened + version,
        customer=f"c{number}",
    )


def stored(lake: Lake) -> dict[str, float]:
    rows = lake.scan(ALERTS).select("alert_id", "value").collect()
    assert rows["alert_id"].is_unique().all()
    return dict(rows.iter_rows())


def lake_at(folder: Path) -> Lake:
    lake = Lake(str(folder))
    lake.create(ALERTS)
    return lake


def test_lives_become_rows_with_their_times(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)

    assert merge(lake, [told(1), told(1, 5, state="resolved"), told(2, day=1)]) == 2

    rows = lake.scan(ALERTS).sort("alert_id").collect().rows(named=True)
    assert [row["state"] for row in rows] == ["resolved", "open"]
    assert [row["customer"] for row in rows] == ["c1", "c2"]
    assert rows[0]["opened_at"] == datetime.fromtimestamp(BEGAN / 1e6, UTC).replace(microsecond=1)
    assert rows[0]["resolved_at"].microsecond == 6
    assert [row["opened_date"] for row in rows] == [date(2026, 9, 21), date(2026, 9, 22)]


def test_an_older_word_and_the_same_word_change_nothing(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    merge(lake, [told(1, 5), told(2, 1)])
    version = lake.table(ALERTS).version()

    assert merge(lake, [told(1, 4), told(2, 1)]) == 0
    assert merge(lake, []) == 0
    assert lake.table(ALERTS).version() == version
    assert merge(lake, [told(1, 4), told(2, 2)]) == 1

    assert stored(lake) == {f"{1:032x}": 5.0, f"{2:032x}": 2.0}


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 6))
def test_order_cuts_and_repeats_of_the_topic_do_not_matter(seed: int, size: int) -> None:
    chance = random.Random(seed)
    words = [
        told(number, version, day=number % 2)
        for number in range(4)
        for version in range(chance.randint(1, 4))
    ]
    expected = {
        word.alert_id: max(w.value or 0 for w in words if w.alert_id == word.alert_id)
        for word in words
    }
    told_again = [*words, *chance.sample(words, len(words) // 2)]
    chance.shuffle(told_again)

    known = lives([])
    for start in range(0, len(told_again), size):
        rows, replaced = merged(known.lazy(), lives(told_again[start : start + size]))
        kept = known.join(replaced, on=replaced.columns, how="anti")
        known = pl.concat([kept, rows])

    assert dict(known.select("alert_id", "value").iter_rows()) == expected
