"""Payloads as devices of others send them: what a rule reads of each."""

import orjson
import pytest

from gateway.identity import Identity
from gateway.outcome import Rejected
from gateway.rules import RuleError, Translated, read_rules, translate

OWN = Identity("default", "plug.p1", "credential/x")
Fields = dict[str, object]


def said(topic: str, rule: dict[str, object], payload: bytes) -> object:
    """Return what a rule of this topic makes of a payload."""
    rules = read_rules(orjson.dumps({"rules": [{"name": "r", "topic": topic} | rule]}))
    return translate(rules, OWN, topic, payload)


def message(found: object) -> dict[str, object]:
    assert isinstance(found, Translated), found
    made = orjson.loads(found.payload or b"")
    assert isinstance(made, dict)
    return made


ALIBABA = b"""{"id": "123", "version": "1.0", "method": "thing.event.property.post",
    "params": {"Power": {"value": "on", "time": 1524448722000}, "WF": {"value": 23.6}}}"""


def test_property_post_of_a_link_sdk_has_its_time_in_milliseconds() -> None:
    rule: Fields = {
        "time": "params.Power.time",
        "time_unit": "ms",
        "metrics": {"power": {"path": "params.Power.value"}, "wf": {"path": "params.WF.value"}},
    }
    assert message(said("/sys/plug/p1/thing/event/property/post", rule, ALIBABA)) == {
        "v": 1,
        "ts": "2018-04-23T01:58:42Z",
        "metrics": {"power": "on", "wf": 23.6},
    }


@pytest.mark.parametrize(
    ("unit", "number", "moment"),
    [
        ("s", b"1524448722", "2018-04-23T01:58:42Z"),
        ("s", b"1524448722.25", "2018-04-23T01:58:42.250000Z"),
        ("s", b'"1524448722"', "2018-04-23T01:58:42Z"),
        ("ms", b"1524448722001", "2018-04-23T01:58:42.001000Z"),
        ("us", b"1524448722000001", "2018-04-23T01:58:42.000001Z"),
        ("s", b"0", "1970-01-01T00:00:00Z"),
        ("s", b"-1", "1969-12-31T23:59:59Z"),
        ("ms", b"253402300799999", "9999-12-31T23:59:59.999000Z"),
    ],
)
def test_time_that_is_a_number_is_of_the_unit_that_the_rule_says(
    unit: str, number: bytes, moment: str
) -> None:
    rule: Fields = {"time": "t", "time_unit": unit, "metrics": {"a": {"path": "a"}}}
    assert message(said("x", rule, b'{"t":%b,"a":1}' % number))["ts"] == moment


@pytest.mark.parametrize(
    "number", [b"true", b'"noon"', b"[1]", b"1e300", b"253402300800000", b"-1e20", b'"NaN"']
)
def test_number_that_is_no_time_is_undecodable(number: bytes) -> None:
    rule: Fields = {"time": "t", "time_unit": "ms", "metrics": {"a": {"path": "a"}}}
    found = said("x", rule, b'{"t":%b,"a":1}' % number)

    assert isinstance(found, Rejected)
    assert found.reason == "undecodable"
    assert "r: t is no " in found.text


def test_number_for_a_time_says_how_to_have_it_read() -> None:
    rule: Fields = {"time": "t", "metrics": {"a": {"path": "a"}}}
    found = said("x", rule, b'{"t":1524448722,"a":1}')

    assert isinstance(found, Rejected)
    assert "time_unit" in found.text


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"21.5", 21.5),
        (b" -3\n", -3),
        (b"true", True),
        (b'"idle"', "idle"),
        (b"ON", "ON"),
        ("küche".encode(), "küche"),
        (b"21,5", "21,5"),
    ],
)
def test_payload_that_is_a_value_itself_is_the_metric(payload: bytes, value: object) -> None:
    made = message(said("home/p1/state", {"metrics": {"state": {"path": "."}}}, payload))
    assert made["metrics"] == {"state": value}


def test_value_itself_has_its_unit_and_condition() -> None:
    rule: Fields = {
        "metrics": {"temperature": {"path": ".", "unit": ["degF", "degC"]}},
        "where": [{"path": ".", "op": "!=", "value": "unavailable"}],
    }
    made = message(said("home/p1/state", rule, b"212"))

    assert made["metrics"] == {"temperature": pytest.approx(100.0)}
    assert said("home/p1/state", rule, b"unavailable") == Translated("plug.p1", None)
    cold = said("home/p1/state", rule, b"cold")
    assert isinstance(cold, Rejected)
    assert ". is no number" in cold.text


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b'{"a":1}', b"[1]", b"null"])
def test_payload_that_is_no_value_is_undecodable(payload: bytes) -> None:
    found = said("home/p1/state", {"metrics": {"state": {"path": "."}}}, payload)
    assert isinstance(found, Rejected)
    assert found.reason == "undecodable"


def test_text_is_none_where_a_rule_wants_fields() -> None:
    rule: Fields = {"metrics": {"state": {"path": "."}, "power": {"path": "P"}}}
    assert isinstance(said("home/p1/state", rule, b"ON"), Rejected)


def test_unit_of_no_time_is_refused() -> None:
    with pytest.raises(RuleError, match="time_unit ms of no time"):
        said("x", {"time_unit": "ms", "metrics": {"a": {"path": "a"}}}, b"{}")


def test_number_that_a_rule_makes_infinite_is_not_left_out_in_silence() -> None:
    rule: Fields = {"metrics": {"a": {"path": "a", "scale": 1000}, "b": {"path": "b"}}}
    found = said("t", rule, b'{"a": 1e308, "b": 1}')
    assert isinstance(found, Rejected)
    assert found.reason == "undecodable"
    assert "a is beyond all numbers: 1e+308" in found.words
