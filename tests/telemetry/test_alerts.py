"""The alert's form: what it reads back, and what it refuses by field and rule."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.alerts import Alert, AlertError, alert_id

MOST_MICROS = 2**62 - 1


def alert(**changes: object) -> Alert:
    """Return an alert; say what matters."""
    known: dict[str, object] = {
        "id": alert_id("hot", 3, "default", "pump.p1", 5, "celsius"),
        "tenant": "default",
        "rule": "hot",
        "rule_version": 3,
        "state": "firing",
        "severity": "critical",
        "event_time": 5,
        "detected_at": 6,
        "text": "pump.p1 is hot",
        "device": "pump.p1",
    }
    return Alert(**{**known, **changes})  # type: ignore[arg-type]


@given(
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    text=st.text(min_size=1, max_size=50),
    evidence=st.lists(
        st.tuples(st.integers(0, MOST_MICROS), st.none() | st.floats(-1e9, 1e9)), max_size=4
    ),
)
def test_what_is_written_is_read(
    value: float | None, text: str, evidence: list[tuple[int, float | None]]
) -> None:
    told = alert(value=value, text=text, evidence=tuple(evidence))

    assert Alert.from_json(told.to_json()) == told


def test_a_field_of_a_newer_release_is_left_out() -> None:
    newer = json.dumps({**json.loads(alert().to_json()), "colour": "red"}).encode()

    assert Alert.from_json(newer) == alert()


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("id", "X", "regex"),
        ("severity", "grave", "enum"),
        ("rule", "", "length"),
        ("event_time", -1, ">= 0"),
        ("value", "hot", "float"),
        ("v", 2, "enum"),
    ],
)
def test_a_wrong_field_is_named_with_its_rule(field: str, value: object, rule: str) -> None:
    content = json.dumps({**json.loads(alert().to_json()), field: value}).encode()

    with pytest.raises(AlertError, match=field) as caught:
        Alert.from_json(content)
    assert caught.value.field == field
    assert rule in caught.value.rule


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_what_is_no_object_is_refused_whole(content: bytes) -> None:
    with pytest.raises(AlertError) as caught:
        Alert.from_json(content)
    assert caught.value.field == ""


def test_an_absent_field_is_named() -> None:
    content = {k: v for k, v in json.loads(alert().to_json()).items() if k != "text"}

    with pytest.raises(AlertError) as caught:
        Alert.from_json(json.dumps(content).encode())
    assert (caught.value.field, caught.value.rule) == ("text", "is missing")


def test_an_id_follows_from_every_part() -> None:
    parts = ("hot", 3, "default", "pump.p1", 5, "celsius")
    others = ("cold", 4, "other", None, 6, "kelvin")
    ids = {alert_id(*parts)} | {
        alert_id(*(*parts[:place], other, *parts[place + 1 :]))  # type: ignore[arg-type]
        for place, other in enumerate(others)
    }

    assert len(ids) == len(parts) + 1
    assert alert_id(*parts) == "e4365a4b05f3195abea03de803b6c229"


def test_what_is_told_of_one_device_has_one_key() -> None:
    assert alert().key() == b"pump.p1"
    assert alert(device=None, zone="hall").key() == b"default/hall"
    assert alert(device=None).key() == b"default/"
