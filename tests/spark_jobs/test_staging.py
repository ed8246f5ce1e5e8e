"""Records that workers write: what is handed back without them, and how they come back."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from spark_jobs.column_files import added, as_text, content, from_text, records
from spark_jobs.transforms import routes
from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.judgement import Judgement, as_one
from spark_jobs.transforms.staging import CONTENT, staged, unstaged, with_content
from telemetry.tables import MESSAGES
from tests.spark_jobs.landing_fleet import NOW, TOLERANCE, Fleet
from tests.spark_jobs.test_judged import BODY, REGISTRY, batches, out

PLACE = ["topic", "partition", "offset", "item"]


def parts(fewest: int = 1) -> list[Judgement]:
    """Judge what a fleet sends that does everything wrong, and plain messages beside it."""
    plain = [out(BODY.replace(b'"seq": 7', b'"seq": %d' % n)) for n in range(100)]
    sent = [*Fleet(9).batch(200, NOW), *plain, out(b"[%b, {}]" % BODY)]
    return [*judged(batches(sent, 120), REGISTRY, tolerance_us=TOLERANCE, fewest=fewest)]


def in_order(messages: pa.Table) -> pl.DataFrame:
    return routes.frame_of(messages).sort(PLACE)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "bronze")


def landed(uri: str, fewest: int = 1) -> Judgement:
    def write(rows: pa.Table) -> list[str]:
        return [*map(as_text, added(uri, MESSAGES, rows))]

    return as_one(staged(parts(), write, fewest))


def read(uri: str, found: Judgement) -> pa.Table:
    return content(uri, map(from_text, found.files), [*PLACE[:3], *CONTENT])


def test_every_record_is_in_a_file_and_none_is_handed_back(uri: str) -> None:
    found, whole = landed(uri), as_one(parts())
    firsts = in_order(whole.messages).filter(item=0)
    assert sum(map(records, map(from_text, found.files))) == firsts.height
    held = in_order(read(uri, found).append_column("item", pa.nulls(firsts.height, pa.int32())))
    assert held.drop("item").equals(firsts.select(held.drop("item").columns))
    assert found.messages["is_staged"].unique().to_pylist() == [True]
    assert {name: found.messages[name].null_count for name in CONTENT} == dict.fromkeys(
        CONTENT, found.messages.num_rows
    )


def test_bytes_stay_where_a_rule_may_set_the_message_aside(uri: str) -> None:
    found, whole = in_order(landed(uri).messages), in_order(as_one(parts()).messages)
    bodies = whole.select(pl.coalesce("message", "value")).to_series()
    is_aside = whole["is_late"] | (whole["reasons"].list.len() > 0)
    assert is_aside.any()
    assert found["message"].filter(is_aside).equals(bodies.filter(is_aside))
    assert found["message"].null_count() > 90, "what is in time goes without its bytes"


def test_content_comes_back_for_the_rows_that_are_asked(uri: str) -> None:
    found, whole = landed(uri), in_order(as_one(parts()).messages)
    rows = np.flatnonzero(found.messages["seq"].is_valid().to_numpy())[::3]
    filled = with_content(found, rows, read(uri, found)).messages
    assert filled["value"].null_count >= filled.num_rows - len(rows)
    asked = routes.frame_of(filled.take(pa.array(rows)))
    expected = asked.select(PLACE).join(whole, on=PLACE, maintain_order="left", nulls_equal=True)
    is_first = expected["item"] == 0
    assert asked["value"].filter(is_first).equals(expected["value"].filter(is_first))


def test_unstaged_is_as_if_nothing_had_been_written(uri: str) -> None:
    found = landed(uri)
    back = unstaged(with_content(found, np.arange(found.messages.num_rows), read(uri, found)))
    firsts = np.flatnonzero(back.messages["item"].to_numpy() == 0)
    whole = as_one(parts())
    of_whole = np.flatnonzero(whole.messages["item"].to_numpy() == 0)
    bronze = [routes.bronze(back, firsts), routes.bronze(whole, of_whole)]
    got, expected = (routes.frame_of(rows).sort(PLACE[:3]) for rows in bronze)
    assert got.equals(expected)
    assert back.files == ()


def test_few_records_are_handed_back(uri: str) -> None:
    found = landed(uri, fewest=10_000)
    assert found.files == ()
    assert in_order(found.messages).equals(in_order(as_one(parts()).messages))
    assert not Path(uri).exists()


def test_no_room_is_left_for_bytes_that_are_not_handed_back(uri: str) -> None:
    sent = [out(BODY.replace(b'"seq": 7', b'"seq": %d' % n)) for n in range(1000)]
    (plain,) = judged(batches(sent, 1000), REGISTRY, tolerance_us=TOLERANCE, fewest=1)
    (found,) = staged([plain], lambda rows: [*map(as_text, added(uri, MESSAGES, rows))], 1)
    assert found.blocks
    sizes = [each.messages.get_total_buffer_size() for each in (plain, found)]
    assert sizes[0] - sizes[1] > 1000 * len(BODY)
