"""The one-liners of docs/publish.md, read over the real files: every row makes a message."""

import csv
import glob
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from infra.commands.publish import publish, publish_options
from infra.publish.lines import BadLine, source_file
from infra.publish.making import Made, made
from infra.publish.options import PublishOptions
from infra.publish.plan import FilePlan, plan_file

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT.parent / "shared" / "data"
PAGE = CHECKOUT / "docs" / "publish.md"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real data sets are not beside this checkout (../shared/data)"
)


def one_liner(product: str) -> tuple[list[str], PublishOptions]:
    """Return files and options of the command that the page shows for a product."""
    text = PAGE.read_text("utf-8").replace("\\\n", " ")
    commands = re.findall(r"^headwater publish (\.\./shared/data/.*)$", text, re.MULTILINE)
    command = next(line for line in commands if f"--product {product}" in line)
    words = [
        found
        for word in shlex.split(command)
        for found in (sorted(glob.glob(str(CHECKOUT / word))) if "/" in word else [word])  # noqa: PTH207
    ]
    context = publish.make_context("publish", words)
    return list(context.params["files"]), publish_options(context.params)  # type: ignore[arg-type]


def read(product: str) -> Iterator[tuple[FilePlan, list[Made | BadLine]]]:
    files, options = one_liner(product)
    for name in files:
        with ExitStack() as stack:
            source = stack.enter_context(source_file(name, raw=False))
            reader = stack.enter_context(source.reading())
            plan = plan_file(source, options)
            yield plan, list(made(plan, reader.lines(), options))


def all_of(product: str) -> list[Made]:
    rows = [row for _, found in read(product) for row in found]
    assert not [row for row in rows if isinstance(row, BadLine)]
    return [row for row in rows if isinstance(row, Made)]


def message(row: Made) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(row.value)
    return found


def test_smart_meters() -> None:
    rows = all_of("meter")
    assert len(rows) == 157_000
    assert len({row.device_full for row in rows}) == 5
    assert rows[0].device_full == "meter.10006414"
    first = message(rows[0])
    assert (first["ts"], first["seq"]) == ("2012-02-10T08:00:00Z", 2)
    assert first["metrics"] == {"general_supply_kwh": 0.141}


def test_air_quality() -> None:
    rows = all_of("air")
    first = message(rows[0])
    assert len(rows) == 4_000
    assert first["ts"] == "2004-03-10T18:00:00Z"
    assert isinstance(first["metrics"], dict)
    assert first["metrics"]["C6H6(GT)"] == 11.881723488680304
    assert len(first["metrics"]) == 13


def test_nab_has_every_row_of_29_files_in_the_file_s_order() -> None:
    found = list(read("nab"))
    assert len(found) == 29
    for plan, rows in found:
        with plan.source.path.open(newline="") as file:
            truth = list(csv.DictReader(file))
        assert len(rows) == len(truth)
        for row, line in zip(rows, truth, strict=True):
            assert isinstance(row, Made)
            sent = message(row)
            assert row.device_full == f"nab.{plan.source.path.stem}"
            assert sent["ts"] == line["timestamp"].replace(" ", "T") + "Z"
            assert sent["metrics"] == {"value": float(line["value"])}


def test_engines() -> None:
    rows = all_of("engine")
    first = message(rows[0])
    assert len(rows) == 14_130
    assert {row.device_full for row in rows} == {f"engine.{unit}" for unit in range(1, 71)}
    assert first["ts"] == "2000-01-01T00:01:00Z"
    assert isinstance(first["metrics"], dict)
    assert len(first["metrics"]) == 24
    assert first["metrics"]["s21"] == 23.4190


def test_mill() -> None:
    rows = all_of("mill")
    last = message(rows[-1])
    assert len(rows) == 7_000
    assert last["seq"] == 7_001
    assert isinstance(last["metrics"], dict)
    assert last["metrics"]["Type"] in ("L", "M", "H")
    assert isinstance(last["metrics"]["Torque [Nm]"], float)
