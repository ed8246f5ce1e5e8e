"""Compatibility of schema versions, held against the judge itself."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from telemetry.compatibility import Rule, evolution_breaks, unreadable, version_breaks
from telemetry.products import Compatibility, Metric, MetricType, Product, SchemaVersion
from telemetry.schema_check import broken_rule, check

NUMBERS = [-5.0, -1.0, 0.0, 0.5, 1.0, 3.0, 7.0, 100.0]
WORDS = ["idle", "on", "off", "fault"]
numbers = st.sampled_from(NUMBERS)
words = st.sampled_from(WORDS)


@st.composite
def metrics(draw: st.DrawFn, name: str) -> Metric:
    kind: MetricType = draw(st.sampled_from(["double", "int", "string", "bool"]))
    required = draw(st.booleans())
    if kind in ("double", "int"):
        low, high = draw(st.none() | numbers), draw(st.none() | numbers)
        assume(low is None or high is None or low <= high)
        sentinels: tuple[float | str, ...] = tuple(draw(st.sets(numbers, max_size=2)))
        return Metric(name, kind, min=low, max=high, required=required, sentinels=sentinels)
    if kind == "string":
        values = tuple(draw(st.sets(words, max_size=3)))
        sentinels = tuple(draw(st.sets(words, max_size=1)))
        return Metric(name, kind, required=required, values=values, sentinels=sentinels)
    return Metric(name, kind, required=required)


@st.composite
def versions(draw: st.DrawFn, number: int) -> SchemaVersion:
    names = draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1))
    return SchemaVersion(number, {name: draw(metrics(name)) for name in sorted(names)})


@st.composite
def readings(draw: st.DrawFn, version: SchemaVersion) -> dict[str, object]:
    """Draw metrics that the version takes."""
    said: dict[str, object] = {}
    for metric in version.metrics.values():
        pool: list[object] = [*NUMBERS, *WORDS, True, False]
        taken = [value for value in pool if broken_rule(metric, value) is None]
        if taken and (metric.required or draw(st.booleans())):
            said[metric.name] = draw(st.sampled_from(taken))
        assume(metric.name in said or not metric.required)
    return said


def taken_by(version: SchemaVersion, said: dict[str, object]) -> bool:
    return not check(said, Product("p", versions=(version,)), {})[2]


@settings(max_examples=60)
@given(st.data(), versions(1))
def test_message_that_the_reader_refuses_is_foreseen(
    data: st.DataObject, writer: SchemaVersion
) -> None:
    name = data.draw(st.sampled_from(["a", "b", "c"]))
    changed = {**writer.metrics, name: data.draw(metrics(name))}
    reader = SchemaVersion(2, changed)

    for one, other in ((reader, writer), (writer, reader)):
        assert taken_by(one, data.draw(readings(other))) or unreadable(one, other)


@settings(max_examples=60)
@given(st.data(), versions(1))
def test_every_metric_is_readable_by_a_wider_one(data: st.DataObject, old: SchemaVersion) -> None:
    wider = {
        name: replace(metric, min=None, max=None, values=(), required=False)
        for name, metric in old.metrics.items()
    }
    new = SchemaVersion(2, {**wider, "d": Metric("d", "double")})
    assert version_breaks(new, [old], "BACKWARD") == []
    assert taken_by(new, data.draw(readings(old)))


@given(versions(1))
def test_version_is_fully_compatible_with_itself(version: SchemaVersion) -> None:
    assert version_breaks(replace(version, version=2), [version], "FULL_TRANSITIVE") == []


def schema(version: int, *found: Metric) -> SchemaVersion:
    return SchemaVersion(version, {metric.name: metric for metric in found})


TEMPERATURE = Metric("t", "double", "°C", min=-50, max=100)
FAULTY = replace(TEMPERATURE, sentinels=(-200.0,))
STATE = Metric("s", "string", values=("idle", "on"))


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        ([TEMPERATURE], [TEMPERATURE], set(), set()),
        ([TEMPERATURE], [TEMPERATURE, STATE], set(), {"unknown_metric"}),
        ([TEMPERATURE, STATE], [TEMPERATURE], {"unknown_metric"}, set()),
        ([TEMPERATURE], [replace(TEMPERATURE, required=True)], {"required"}, set()),
        ([replace(TEMPERATURE, required=True)], [TEMPERATURE], set(), {"required"}),
        ([TEMPERATURE], [replace(TEMPERATURE, max=200)], set(), {"range"}),
        ([TEMPERATURE], [replace(TEMPERATURE, min=None)], set(), {"range"}),
        ([TEMPERATURE], [replace(TEMPERATURE, type="int")], {"type"}, set()),
        ([STATE], [replace(STATE, values=("idle", "on", "off"))], set(), {"values"}),
        ([STATE], [replace(STATE, values=())], set(), {"values"}),
        ([TEMPERATURE], [replace(TEMPERATURE, sentinels=(-200.0,))], set(), {"sentinels"}),
        ([TEMPERATURE], [replace(TEMPERATURE, sentinels=(0.0,))], {"sentinels"}, {"sentinels"}),
        ([FAULTY], [replace(TEMPERATURE, min=-300)], {"sentinels"}, {"range", "sentinels"}),
        ([FAULTY], [replace(FAULTY, min=-300)], set(), {"range"}),
    ],
)
def test_what_breaks_is_named(
    old: list[Metric], new: list[Metric], backward: set[Rule], forward: set[Rule]
) -> None:
    first, second = schema(1, *old), schema(2, *new)
    found = {
        mode: {one.rule for one in version_breaks(second, [first], mode)}
        for mode in ("BACKWARD", "FORWARD", "FULL")
    }
    assert found == {"BACKWARD": backward, "FORWARD": forward, "FULL": backward | forward}


@pytest.mark.parametrize("mode", ["BACKWARD", "FORWARD", "FULL"])
@pytest.mark.parametrize(
    ("new", "rule"),
    [
        (replace(TEMPERATURE, unit="°F"), "unit"),
        (replace(TEMPERATURE, kind="counter"), "kind"),
        (Metric("t", "bool", "°C"), "type"),
    ],
)
def test_stored_meaning_never_changes(mode: Compatibility, new: Metric, rule: Rule) -> None:
    found = version_breaks(schema(2, new), [schema(1, TEMPERATURE)], mode)
    assert rule in {one.rule for one in found}


def test_meaning_is_held_to_every_version_in_every_mode() -> None:
    earlier = [schema(1, TEMPERATURE), schema(2, TEMPERATURE, STATE), schema(3, STATE)]
    again = schema(4, STATE, replace(TEMPERATURE, unit="K"))
    assert [str(one) for one in version_breaks(again, earlier, "BACKWARD")] == [
        f"version 4, metric t: unit was °C and cannot become K: name a new metric (against"
        f" version {number})"
        for number in (1, 2)
    ]


def test_transitive_looks_at_every_version_before() -> None:
    narrow = [schema(1, TEMPERATURE), schema(2, replace(TEMPERATURE, max=10))]
    new = schema(3, replace(TEMPERATURE, max=10))
    assert version_breaks(new, narrow, "BACKWARD") == []
    found = version_breaks(new, narrow, "BACKWARD_TRANSITIVE")
    assert [(one.against, one.rule) for one in found] == [(1, "range")]


def test_known_versions_stay_as_they_are() -> None:
    first, second = schema(2, TEMPERATURE), schema(3, TEMPERATURE, STATE)
    before = Product("p", versions=(first, second))
    changed = schema(3, TEMPERATURE)
    late = schema(1, TEMPERATURE)
    found = evolution_breaks(before, replace(before, versions=(late, changed)))
    assert {(one.version, one.rule) for one in found} == {
        (2, "missing"),
        (3, "changed"),
        (1, "order"),
    }
    assert evolution_breaks(before, before) == []
    assert evolution_breaks(None, before) == []
