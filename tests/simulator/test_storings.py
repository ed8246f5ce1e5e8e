"""What the gateway stored twice is told from what nobody sent."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from simulator.scoring.storings import arrival, with_storings
from simulator.scoring.verdict import Verdict, table
from telemetry.tables import DUPLICATES, MESSAGES, READINGS
from tests.simulator.breaking import counts, judge_lake, plain
from tests.simulator.lakes import Row, Rows

STAMP = {"received_at": b"1795000000000000", "gateway": b"g1-a-1"}
LATER = {**STAMP, "received_at": b"1795000000000001"}
PAGE_2 = {**STAMP, "gateway": b"g1-a-2"}
DIRECT = {"received_at": STAMP["received_at"]}
BARE: dict[str, bytes] = {}
FIRST, SECOND = 1, 2
"""Two arrivals."""


def copy(arrival: int | None, offset: int, message: int = 0) -> Row:
    return {
        "who": "default/meter.m1",
        "h1": message,
        "h2": 0,
        "topic": "telemetry",
        "partition": 0,
        "offset": offset,
        "item": 0,
        "arrival": arrival,
    }


def message(in_bronze: int, *, sent: int = 1, again: int = 0, number: int = 0) -> Row:
    identity = {"who": "default/meter.m1", "h1": number, "h2": 0}
    return {**identity, "in_bronze": in_bronze, "sent": sent, "again": again}


def stored_twice(copies: list[Row], *, sent: int = 1, again: int = 0) -> int:
    messages = pl.DataFrame([message(len(copies), sent=sent, again=again)])
    items = pl.DataFrame(copies, schema_overrides={"arrival": pl.UInt64})
    return int(with_storings(messages, items)["stored_twice"].item())


def test_copies_of_one_arrival_are_counted_by_message() -> None:
    messages = pl.DataFrame([message(1), message(3, number=1), message(2, number=2)])
    copies = [copy(FIRST, 0), *(copy(FIRST, offset, 1) for offset in (1, 2, 3))]
    copies += [copy(FIRST, 4, 2), copy(SECOND, 5, 2)]

    found = with_storings(messages, pl.DataFrame(copies))

    expected = messages.with_columns(stored_twice=pl.Series([0, 2, 0], dtype=pl.Int64))
    assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("arrivals", "sent", "again", "expected"),
    [
        pytest.param([FIRST, SECOND], 2, 0, 0, id="sent twice"),
        pytest.param([FIRST, SECOND], 1, 1, 0, id="sent again"),
        pytest.param([FIRST, FIRST, SECOND], 1, 1, 1, id="sent again, and stored twice"),
        pytest.param([FIRST, FIRST], 2, 0, 0, id="sent twice in one batch"),
        pytest.param([FIRST, FIRST, FIRST], 2, 0, 1, id="one of two of a batch"),
        pytest.param([FIRST, FIRST, SECOND], 1, 0, 1, id="stored twice beside a phantom"),
        pytest.param([FIRST, None], 1, 0, 0, id="by another producer"),
        pytest.param([None, None], 1, 0, 0, id="by no gateway"),
    ],
)
def test_only_further_copies_of_one_arrival_are_the_gateways(
    arrivals: list[int | None], sent: int, again: int, expected: int
) -> None:
    copies = [copy(arrival, offset) for offset, arrival in enumerate(arrivals)]

    assert stored_twice(copies, sent=sent, again=again) == expected


def test_row_of_bronze_that_is_there_twice_is_not_the_gateways() -> None:
    assert stored_twice([copy(FIRST, 0), copy(FIRST, 0)]) == 0
    assert stored_twice([copy(FIRST, 0), copy(FIRST, 1), copy(FIRST, 1)]) == 1
    assert stored_twice([copy(FIRST, 0), copy(FIRST, 1), copy(FIRST, 1)], sent=2) == 0


def test_arrival_is_of_both_headers() -> None:
    stamps = [STAMP, STAMP, LATER, PAGE_2, DIRECT, {"gateway": STAMP["gateway"]}, BARE]
    maps = pa.array([list(stamp.items()) for stamp in stamps], pa.map_(pa.string(), pa.binary()))

    found = pl.DataFrame(pa.table({"headers": maps})).select(arrival())["arrival"]

    assert found[:2].n_unique() == 1
    assert found[1:4].n_unique() == 3
    assert found.is_null().to_list() == [False] * 4 + [True] * 3


def stored(
    root: Path, first: dict[str, bytes], second: dict[str, bytes], **also: object
) -> Verdict:
    """Judge a lake in which one ordinary message is there twice, and told of as a duplicate."""

    def broken(rows: Rows) -> None:
        row = plain(rows)[0]
        record = next(each for each in rows.of(MESSAGES) if each["offset"] == row["offset"])
        record["headers"] = list(first.items())
        again = {**record, "offset": 1_000_000, "headers": list(second.items()), **also}
        rows.of(MESSAGES).append(again)
        rows.of(DUPLICATES).append(
            {**row, "offset": 1_000_000, "message": record["value"], "reasons": []}
        )

    return judge_lake(root, broken)


def test_record_that_the_gateway_stored_twice_breaks_no_promise(tmp_path: Path) -> None:
    verdict = stored(tmp_path, STAMP, STAMP)

    assert counts(verdict) == {}
    assert verdict.ok, table(verdict)
    assert verdict.stored_twice == 1
    assert "stored twice           1  by the gateway" in table(verdict)


@pytest.mark.parametrize(
    ("first", "second"),
    [(STAMP, LATER), (STAMP, PAGE_2), (STAMP, DIRECT), (DIRECT, DIRECT), (BARE, BARE)],
)
def test_copy_that_is_of_another_arrival_is_a_phantom(
    tmp_path: Path, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    verdict = stored(tmp_path, first, second)

    assert counts(verdict) == {"phantom": 1}
    assert verdict.stored_twice == 0


def test_other_bytes_of_the_same_arrival_are_a_phantom(tmp_path: Path) -> None:
    body = b'{"boot":"zz","seq":1,"metrics":{"power":1}}'

    assert counts(stored(tmp_path, STAMP, STAMP, value=body))["phantom"] == 1


def keep_twice(rows: Rows, offset: object) -> None:
    """Have silver keep what the gateway stored twice once more."""
    record = next(each for each in rows.of(MESSAGES) if each["offset"] == offset)
    record["headers"] = list(STAMP.items())
    rows.of(MESSAGES).append({**record, "offset": 1_000_000})
    readings = [row for row in rows.of(READINGS) if row["offset"] == offset]
    copies = [{**row, "offset": 1_000_000} for row in readings]
    if str(copies[0]["boot"]).startswith("k:"):
        copies = [{**row, "seq": 1_000_000} for row in copies]
    rows.of(READINGS).extend(copies)


def keyed(rows: Rows) -> object:
    return plain(rows)[0]["offset"]


def keyless(rows: Rows) -> object:
    return next(row["offset"] for row in rows.of(READINGS) if str(row["boot"]).startswith("k:"))


@pytest.mark.parametrize("which", [keyed, keyless])
def test_silver_has_once_what_was_stored_twice(
    tmp_path: Path, which: Callable[[Rows], object]
) -> None:
    verdict = judge_lake(tmp_path, lambda rows: keep_twice(rows, which(rows)))

    assert counts(verdict) == {"duplicate": 1}
    assert verdict.stored_twice == 1
