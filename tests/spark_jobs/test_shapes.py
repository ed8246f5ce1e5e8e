"""The columns that messages are parsed into are those that their own kind fills, and no more."""

import orjson
import pyarrow as pa

from spark_jobs.transforms.judged import judged
from spark_jobs.transforms.shapes import shape
from telemetry.products import product_from_dict
from tests.spark_jobs.odd_records import FLEET, batch_of, whole
from tests.telemetry.builders import METER, TOLERANCE


def lines(said: dict[str, object], count: int) -> list[bytes]:
    return [orjson.dumps({**said, "seq": number}) for number in range(count)]


USUAL = lines({"boot": "b", "metrics": {"kwh": 1}}, 100)
OTHER = lines({"aside": 1, "tags": {"hall": "a"}, "v": 1, "metrics": {"kwh": 1}}, 100)


def names(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema]


def test_a_kind_of_messages_has_the_columns_that_it_fills() -> None:
    kinds = [pa.array(kind, pa.binary()) for kind in (USUAL, OTHER)]
    found = shape(product_from_dict(METER), {}, kinds)
    assert found is not None
    assert [names(usual) for usual in found.usual] == [
        ["boot", "seq", "metrics"],
        ["v", "seq", "aside", "metrics", "tags"],
    ]
    assert {"v", "boot", "ts", "aside", "tags", "device"} <= {*names(found.whole)}
    assert names(found.usual[0].field("metrics").type) == ["kwh"]


def test_a_kind_that_says_no_metric_has_all_columns() -> None:
    kinds = [pa.array(lines({"boot": "b"}, 9), pa.binary()), pa.array(USUAL, pa.binary())]
    found = shape(product_from_dict(METER), {}, kinds)
    assert found is not None
    assert found.usual[0] == found.whole
    assert names(found.usual[1]) == ["boot", "seq", "metrics"]


def parts(others: int) -> list[int]:
    said = [*OTHER[:others], *USUAL]
    batch = batch_of([whole(value) for value in said])
    found = [*judged([batch], FLEET, tolerance_us=TOLERANCE)]
    assert sum(each.messages.num_rows for each in found) == len(said)
    return [each.messages.num_rows for each in found]


def test_few_that_begin_unlike_most_are_judged_one_by_one() -> None:
    assert parts(20) == [100, 20]


def test_many_that_begin_unlike_most_are_parsed() -> None:
    assert parts(90) == [190]


def test_few_of_either_kind_are_parsed_where_both_are_many() -> None:
    """The first digit of a number is among what is taken for the beginning."""
    batch = batch_of([whole(b'{"seq":%d,"metrics":{"kwh":1}}' % number) for number in range(99)])
    (found,) = judged([batch], FLEET, tolerance_us=TOLERANCE)
    assert found.messages.num_rows == 99
