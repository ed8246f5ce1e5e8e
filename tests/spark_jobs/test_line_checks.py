"""Lines are told from those that fail others, and none that fits is taken for one of these."""

import json
import math

import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings

from simulator.poison import BODIES
from spark_jobs.transforms.line_checks import may_fit
from spark_jobs.transforms.lines import plain, read_all
from tests.spark_jobs.odd_records import lines as odd_lines
from tests.spark_jobs.odd_records import literal

METRICS = {"kwh": pa.float64(), "state": pa.string(), "open": pa.bool_(), "": pa.float64()}
SCHEMA = pa.schema(
    [
        *[pa.field(name, pa.int64()) for name in ("v", "seq")],
        *[pa.field(name, pa.string()) for name in ("ts", "boot", "device")],
        *[pa.field(name, pa.float64()) for name in ("lat", "lng")],
        pa.field("tags", pa.struct([("line", pa.string()), ("class", pa.string())])),
        pa.field("metrics", pa.struct([*METRICS.items()])),
    ]
)


def says_twice(line: bytes) -> bool:
    """Tell whether an object of the line has two fields of one name."""
    objects: list[list[str]] = []

    def noted(pairs: list[tuple[str, object]]) -> dict[str, object]:
        objects.append([name for name, _ in pairs])
        return dict(pairs)

    json.loads(line, object_pairs_hook=noted)
    return any(len(set(names)) < len(names) for names in objects)


def all_finite(values: list[object]) -> bool:
    """Tell whether no number among them is NaN or too large for one."""
    return all(math.isfinite(value) for value in values if isinstance(value, float))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@example(b'{"seq":1,"metrics":{"kwh":' + b"1" * 310 + b"}}")
@given(odd_lines | literal)
def test_line_that_fits_by_itself_may_fit(line: bytes) -> None:
    said = pa.array([line], pa.binary())
    if not plain(said).all():
        return
    (may,) = may_fit(said, SCHEMA)
    found, _ = read_all(said, SCHEMA)
    if may:
        assert found is not None or says_twice(line)
    elif found is not None:
        row = found.to_pylist()[0]
        values = [value for value in (row["metrics"] or {}).values() if value is not None]
        numbers = [*values, row["lat"], row["lng"]]
        assert not values or not all_finite(numbers), "which no message may say"


def test_no_poison_fits() -> None:
    said = [body for body, _ in BODIES]
    lines = pa.array(said, pa.binary())
    lines = lines.filter(pa.array(plain(lines)))
    assert len(lines) > 20
    assert not may_fit(lines, SCHEMA).any()


def test_metric_may_be_called_what_no_attribute_is() -> None:
    names = ["class", "a b", "x-1", "", "field_0", "ä"]
    metrics = pa.struct([(name, pa.float64()) for name in names])
    schema = pa.schema([("metrics", metrics)])
    said = [b'{"metrics":{"%b":1}}' % name.encode() for name in [*names, "field_1"]]
    lines = pa.array(said, pa.binary())
    assert may_fit(lines, schema).tolist() == [*[True] * len(names), False]
