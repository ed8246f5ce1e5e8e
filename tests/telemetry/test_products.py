"""Products and devices as data."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.devices import (
    Device,
    device_from_dict,
    device_to_dict,
    full_name,
    split_full_name,
)
from telemetry.durations import format_duration, parse_duration
from telemetry.errors import HeadwaterError
from telemetry.products import product_from_dict, product_to_dict, retention_span
from tests.telemetry.builders import METER


def test_product_survives_its_json_form() -> None:
    asked = {**METER, "sliding": {"width": "1 h", "every": "5 min"}, "session_gap": "10 min"}
    product = product_from_dict(asked)

    assert product_from_dict(product_to_dict(product)) == product


def of_metric(**fields: object) -> dict[str, object]:
    return {"versions": [{"version": 1, "metrics": {"a": fields}}]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"product": "a.b"}, "not a name"),
        ({"lateness": "soon"}, "not a duration"),
        ({"retention": "a while"}, "retention"),
        ({"versions": {}}, None),
        ({"versions": [1]}, "list of objects"),
        ({"versions": [{"version": 0, "metrics": {"a": {}}}]}, "whole number"),
        ({"versions": [{"version": 2**31, "metrics": {"a": {}}}]}, "from 1 to 2147483647"),
        ({"versions": [{"version": 1, "metrics": {}}]}, "at least one metric"),
        ({"versions": [{"version": 1, "metrics": {"a": {"type": "float"}}}]}, "type must be"),
        ({"versions": [{"version": 1, "metrics": {"a": {"min": 2, "max": 1}}}]}, "above max"),
        ({"versions": [{"version": 1, "metrics": {"a": {"unti": "C"}}}]}, "unknown field unti"),
        (of_metric(min="0"), "metric a: min must be a number"),
        (of_metric(max=float("inf")), "metric a: max must be a number"),
        (of_metric(max=10**400), "metric a: max must be a number"),
        (of_metric(sentinels=[10**400]), "metric a: sentinels must be finite"),
        (of_metric(unit=5), "metric a: unit must be a text"),
        (of_metric(sentinels=-200), "metric a: sentinels must be a list"),
        (of_metric(sentinels=[float("nan")]), "metric a: sentinels must be finite"),
        (of_metric(type="string", values=None), "metric a: values must be a list"),
        ({"sliding": {"width": "7 min", "every": "5 min"}}, "multiple"),
    ],
)
def test_wrong_product_is_refused_with_the_field(
    change: dict[str, object], named: str | None
) -> None:
    if named is None:
        assert product_from_dict({**METER, **change}).versions == ()
        return
    with pytest.raises(HeadwaterError, match=named):
        product_from_dict({**METER, **change})


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36500)))
def test_durations_survive_their_text(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_unbounded_is_none_both_ways() -> None:
    assert parse_duration("unbounded") is None
    assert format_duration(None) == "unbounded"


@pytest.mark.parametrize("text", ["999999 y", "9" * 400 + " d"])
def test_duration_whose_microseconds_no_64_bits_hold_is_refused(text: str) -> None:
    with pytest.raises(HeadwaterError, match="is too long: write unbounded"):
        parse_duration(text)


def test_retention_class_may_be_a_span() -> None:
    assert retention_span("30 d") == timedelta(days=30)
    assert retention_span("forever") is None
    assert retention_span("3000 y") is None, "no date is so far back"


def test_names_go_both_ways() -> None:
    assert split_full_name(full_name("meter", "d1")) == ("meter", "d1")
    assert split_full_name(full_name("default", "d1")) == ("default", "d1")


def test_device_survives_its_json_form() -> None:
    device = Device("meter.d1", zone="z", lat=1.5, lng=2.5)

    assert device_from_dict(device_to_dict(device)) == device


@pytest.mark.parametrize(
    "data", [{"device": "a b"}, {}, {"device": "a", "lat": 91}, {"device": "a", "lng": "east"}]
)
def test_wrong_device_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(HeadwaterError):
        device_from_dict(data)
