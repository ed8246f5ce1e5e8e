"""Each case of the JSON parsing suite lands with its value or is rejected, in whatever company."""

import json
from collections.abc import Iterator
from typing import NoReturn

import numpy as np
import polars as pl
import pytest

from spark_jobs.transforms import routes
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged, one_by_one
from spark_jobs.transforms.judgement import MESSAGES, Judgement, as_one
from spark_jobs.transforms.routes import frame_of
from telemetry.devices import Device
from telemetry.products import product_from_dict
from telemetry.registry import Registry
from telemetry.tables import READINGS
from tests.spark_jobs.odd_records import FLEET, REGISTRY, Sent, batch_of, whole
from tests.spark_jobs.test_columns import assert_same, in_order
from tests.telemetry.builders import TOLERANCE
from tests.telemetry.parsing_cases import Case, as_value, json_cases

DEVICES = ("meter.d1", "meter.moved", "plain")
FORMS = (
    b"%b",
    b'{"seq":1,"metrics":{"kwh":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"state":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"value":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"metric":%b,"place":%b,"tenant":%b}}',
    b'{"seq":1,"metrics":{"kwh":1},"boot":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"ts":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"lat":%b,"lng":%b}',
    b'{"seq":%b,"metrics":{"kwh":1}}',
    b'{"seq":1,"metrics":{"kwh":1},"tags":{"line":%b}}',
    b'{"seq":1,"metrics":%b}',
    b'[{"seq":2,"metrics":{"kwh":2}},%b,{"seq":3,"metrics":{"kwh":3}}]',
    b'[{"seq":2,"metrics":{"kwh":2}},{"seq":3,"metrics":{"kwh":%b}}]',
)


def said(case: Case, form: bytes) -> bytes:
    return form.replace(b"%b", case.text if form == b"%b" else as_value(case.text))


def company(case_of: list[bytes]) -> Iterator[Sent]:
    """Yield what is said by several devices, good messages before and behind each of them."""
    for number, value in enumerate(case_of):
        for device in DEVICES:
            yield whole(b'{"seq":%d,"metrics":{"kwh":%d.5}}' % (number, number % 40), device)
            yield whole(value, device)


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_case_is_judged_alike_in_columns_and_by_itself(form: bytes) -> None:
    batch = batch_of([*company([said(case, form) for case in json_cases()])])

    found = as_one(judged([batch], FLEET, tolerance_us=TOLERANCE))

    assert_same(found, one_by_one(batch, REGISTRY, tolerance_us=TOLERANCE))
    check(found)


def check(found: Judgement) -> None:
    """Hold each message against Python's own reading of its bytes."""
    firsts = frame_of(found.messages.select(["offset", "value", "item"])).filter(item=0)
    records = dict(firsts.select("offset", "value").iter_rows())
    for row in in_order(found).iter_rows(named=True):
        assert bool(row["reasons"]) != bool(row["readings"])
        if row["readings"]:
            raw = row["message"] if row["message"] is not None else records[row["offset"]]
            read = {each["metric"]: each for each in row["readings"]}
            expected = python_reads(raw)["metrics"]
            assert isinstance(expected, dict)
            assert read.keys() == expected.keys()
            for name, value in expected.items():
                assert repr(shown(read[name])) == repr(as_kept(value)), raw[:200]


def as_kept(value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value  # type: ignore[arg-type]


def shown(reading: dict[str, object]) -> object:
    kinds = (reading["value"], reading["value_text"], reading["value_bool"])
    (value,) = [each for each in kinds if each is not None]
    return value


def python_reads(raw: bytes) -> dict[str, object]:
    def refuse(literal: str) -> NoReturn:
        raise ValueError(literal)

    data = json.loads(raw.decode(), parse_constant=refuse)
    assert isinstance(data, dict)
    return data


def test_what_is_no_json_is_never_read() -> None:
    wrong = [case for case in json_cases() if case.name.startswith("n_")]
    batch = batch_of([whole(b'{"metrics":{"kwh":%b}}' % as_value(case.text)) for case in wrong])
    found = in_order(as_one(judged([batch], FLEET, tolerance_us=TOLERANCE)))
    read = found.filter(pl.col("readings").list.len() > 0)["offset"].to_list()
    assert len(wrong) > 180
    assert [wrong[offset - 10].name for offset in read] == []


def test_metrics_may_be_called_as_columns_are() -> None:
    names = [*READINGS.column_names, *MESSAGES.names, "row", "readings", "value 0", "", "ü"]
    metrics = {name: {"type": "double"} for name in names}
    product = product_from_dict(
        {"product": "odd", "versions": [{"version": 1, "metrics": metrics}]}
    )
    known = ([product], [Device("odd.d1")])
    said = {name: number + 0.5 for number, name in enumerate(dict.fromkeys(names))}
    body = json.dumps({"metrics": said}, ensure_ascii=False).encode()
    batch = batch_of([whole(body, "odd.d1")] * 80)

    (found,) = judged([batch], Fleet.of(*known), tolerance_us=TOLERANCE)

    assert len(found.blocks[0].columns.column_names) == len(said)
    assert_same(found, one_by_one(batch, Registry(*known), tolerance_us=TOLERANCE))
    rows = routes.readings(found, np.ones(80, dtype=bool)).blocks[0].rows()
    kept = {part["metric"][0].as_py(): part["value"].to_pylist() for part in rows}
    assert kept == {name: [value] * 80 for name, value in said.items()}
