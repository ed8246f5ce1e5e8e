"""A message is judged whole, in order, with every reason; time is clamped and late is a row's."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from telemetry.devices import Device
from telemetry.judge import clamp, judge
from telemetry.message import Reason
from telemetry.products import DEFAULT_PRODUCT, history_product
from telemetry.registry import Registry
from telemetry.schema_check import Reading
from tests.telemetry.builders import (
    NOW,
    SECOND,
    TOLERANCE,
    body,
    product,
    record,
    registry,
    rules,
    verdict,
)

DEEP = b'{"metrics":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def test_good_message_becomes_readings_with_units() -> None:
    judged = verdict(body(metrics={"kwh": 1.5, "open": True, "state": "idle"}))

    assert judged.readings == (
        Reading("kwh", 1.5, None, None, "kWh", "ok"),
        Reading("open", None, None, True, None, "ok"),
        Reading("state", None, "idle", None, None, "ok"),
    )
    assert (judged.boot, judged.seq, judged.schema_version, judged.late) == ("b", 1, 1, False)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"[]", "empty"),
        (b"   ", "malformed"),
        (b'{"metrics":{"kwh":1', "malformed"),
        (b'{"metrics":{"kwh":NaN}}', "malformed"),
        (b'{"metrics":{"kwh":Infinity}}', "malformed"),
        (b'{"metrics":{"kwh":1e400}}', "malformed"),
        (b'{"metrics":{"kwh":"\xff"}}', "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (DEEP, "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"12", "not_a_message"),
        (b'"text"', "not_a_message"),
        (b"null", "not_a_message"),
    ],
)
def test_what_is_no_message_says_why(value: bytes | None, rule: str) -> None:
    judged = verdict(value)

    assert rules(judged) == [("", rule)]
    assert (judged.items, judged.device_full) == (1, "meter.d1")


def test_no_device_may_number_its_messages_as_those_without_a_key_are() -> None:
    value = b'{"boot":"k:telemetry:0:0","seq":7,"metrics":{"kwh":1.0}}'

    judged = verdict(value)

    assert rules(judged) == [("boot", "reserved")]
    assert rules(verdict(value.replace(b'"seq":7,', b""))) == []


def test_every_wrong_field_is_listed() -> None:
    judged = verdict(b'{"v":2,"ts":5,"boot":1,"seq":-1,"metrics":[],"lat":91,"tags":{"a":1}}')

    assert rules(judged) == [
        ("v", "version"),
        ("metrics", "type"),
        ("ts", "type"),
        ("boot", "type"),
        ("seq", "range"),
        ("lat", "range"),
        ("tags.a", "type"),
    ]


def test_every_wrong_metric_is_listed_and_one_rejects_the_message() -> None:
    metrics = {"kwh": -1, "open": 1, "state": "off", "temperature": "x", "new": 1, "count": 1.5}

    judged = verdict(body(metrics=metrics))

    assert rules(judged) == [
        ("kwh", "range"),
        ("open", "type"),
        ("state", "values"),
        ("temperature", "type"),
        ("new", "unknown_metric"),
        ("count", "type"),
    ]
    assert judged.readings == ()


@pytest.mark.parametrize("whole", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**64, 10**25, 1e300])
def test_int_that_a_double_may_not_hold_is_rejected_and_not_rounded(whole: int | float) -> None:
    sent = b'{"metrics":{"kwh":1,"count":%b}}'

    assert rules(verdict(sent % str(whole).encode())) == [("count", "range")]
    held = verdict(sent % b"-9007199254740992").readings[1]
    assert held == Reading("count", -(2**53), None, None, None, "ok")


def test_of_very_many_reasons_the_last_are_counted_by_rule() -> None:
    wrong = {f"m{n}": n for n in range(130)} | {"kwh": 1e9, "open": 1, "count": 0.5}
    found = verdict(body(metrics=wrong)).reasons
    assert found[:100] == tuple(Reason(f"m{n}", "unknown_metric", str(n)) for n in range(100))
    assert found[100:] == (
        Reason("", "unknown_metric", "and 30 metrics more"),
        Reason("", "range", "and 1 metrics more"),
        Reason("", "type", "and 2 metrics more"),
    )


def test_missing_required_metric_is_named() -> None:
    assert rules(verdict(body(metrics={"open": False}))) == [("kwh", "required")]


@pytest.mark.parametrize("metrics", [{}, None])
def test_message_without_metrics_is_rejected(metrics: object) -> None:
    assert [rule for _, rule in rules(verdict(body(metrics=metrics)))] in (["missing"], ["type"])


def test_sentinel_is_a_row_without_value_even_out_of_range() -> None:
    judged = verdict(body(metrics={"kwh": 1, "temperature": -200}))

    assert judged.readings[1] == Reading("temperature", None, None, None, None, "sentinel")


def test_unknown_device_and_product_are_named() -> None:
    assert rules(verdict(body(), device_full="meter.d2")) == [("device", "unknown_device")]
    assert rules(verdict(body(), device_full="boiler.d1")) == [("product", "unknown_product")]
    assert rules(verdict(body(), key=None, headers={})) == [("device", "unknown_device")]


def test_decoding_is_judged_before_the_device() -> None:
    assert rules(verdict(b"{", device_full="nobody.x")) == [("", "malformed")]


@pytest.mark.parametrize(("said", "fits"), [("d1", True), ("meter.d1", True), ("d2", False)])
def test_message_may_only_name_its_sender(said: str, fits: bool) -> None:
    judged = verdict(body(device_id=said))

    assert (judged.reasons == ()) is fits


def test_foreign_record_without_headers_is_json_of_the_key_received_at_append_time() -> None:
    judged = verdict(body(), headers={}, kafka_time=NOW + 5)

    assert (judged.tenant, judged.device_full, judged.received_at) == (
        "default",
        "meter.d1",
        NOW + 5,
    )
    assert judged.reasons == ()


@pytest.mark.parametrize(
    ("off_by", "believed"), [(0, True), (300 * SECOND, True), (301 * SECOND, False)]
)
def test_received_at_is_believed_near_the_append_time_only(off_by: int, believed: bool) -> None:
    judged = verdict(body(), kafka_time=NOW + off_by)

    assert judged.received_at == (NOW if believed else NOW + off_by)


@pytest.mark.parametrize(
    ("ts", "clock", "event_time"),
    [
        (None, "missing", NOW),
        (NOW - SECOND, "ok", NOW - SECOND),
        (NOW + TOLERANCE, "ok", NOW + TOLERANCE),
        (NOW + TOLERANCE + 1, "ahead", NOW + TOLERANCE),
    ],
)
def test_event_time_is_clamped(ts: int | None, clock: str, event_time: int) -> None:
    assert clamp(ts, NOW, TOLERANCE) == (event_time, clock)


def test_ancient_message_is_too_old_and_not_late() -> None:
    judged = verdict(body(ts="1970-01-01T00:00:00Z"))

    assert rules(judged) == [("ts", "too_old")]
    assert not judged.late


@pytest.mark.parametrize(("delay_s", "late"), [(30, False), (31, True)])
def test_late_is_delivery_longer_than_the_product_allows(delay_s: int, late: bool) -> None:
    sent = datetime.fromtimestamp(NOW / SECOND - delay_s, UTC).isoformat()

    assert verdict(body(ts=sent)).late is late


def test_history_is_never_late_nor_too_old() -> None:
    known = registry(history_product("air"), devices=(Device("air.d1"),))

    judged = verdict(
        b'{"ts":"1904-03-10T18:00:00Z","metrics":{"x":1}}', known, device_full="air.d1"
    )

    assert (judged.reasons, judged.late) == ((), False)


def test_plain_name_is_of_product_default_with_types_fixed_by_first_use() -> None:
    known = Registry([], [Device("plain")], {("default", "default"): {"x": "double"}})

    fits = verdict(b'{"metrics":{"x":1,"y":"new"}}', known, device_full="plain")
    breaks = verdict(b'{"metrics":{"x":"1"}}', known, device_full="plain")

    assert (fits.product, fits.reasons) == (DEFAULT_PRODUCT.key, ())
    assert rules(breaks) == [("x", "type")]


def test_types_that_first_use_has_fixed_are_those_of_a_tenant() -> None:
    devices = [Device("plain"), Device("plain", tenant="acme")]
    fixed = {("default", "default"): {"x": "double"}, ("acme", "default"): {"x": "string"}}
    known = Registry([], devices, fixed)

    def verdict_of(tenant: str, value: bytes) -> list[tuple[str, str]]:
        headers = record(value, "plain").headers | {"tenant": tenant.encode()}
        return rules(verdict(value, known, device_full="plain", headers=headers))

    assert verdict_of("default", b'{"metrics":{"x":1}}') == []
    assert verdict_of("default", b'{"metrics":{"x":"1"}}') == [("x", "type")]
    assert verdict_of("acme", b'{"metrics":{"x":"1"}}') == []
    assert verdict_of("acme", b'{"metrics":{"x":1}}') == [("x", "type")]


def test_two_versions_live_at_once_and_reasons_are_of_the_newest() -> None:
    versions = [
        {"version": 1, "metrics": {"a": {"type": "int"}, "b": {"type": "double"}}},
        {"version": 2, "metrics": {"a": {"type": "double"}, "c": {"type": "string"}}},
    ]
    known = registry(product(versions=versions), devices=(Device("meter.d1"),))

    def outcome(metrics: dict[str, object]) -> tuple[int | None, list[tuple[str, str]]]:
        judged = verdict(body(metrics=metrics), known)
        return judged.schema_version, rules(judged)

    assert outcome({"a": 1, "b": 2.0}) == (1, [])
    assert outcome({"a": 1.5, "c": "x"}) == (2, [])
    assert outcome({"a": 1.5, "b": 2.0}) == (2, [("b", "unknown_metric")])


def test_list_is_judged_element_by_element() -> None:
    value = b'[{"seq":1,"metrics":{"kwh":1}}, {"seq":2,"metrics":{}} ,7]'

    judged = judge(record(value), registry(), tolerance_us=TOLERANCE)

    assert [(one.item, one.items, bool(one.reasons)) for one in judged] == [
        (0, 3, False),
        (1, 3, True),
        (2, 3, True),
    ]
    assert [one.raw for one in judged] == [
        b'{"seq":1,"metrics":{"kwh":1}}',
        b'{"seq":2,"metrics":{}}',
        b"7",
    ]


def test_device_is_joined_as_it_was_at_event_time() -> None:
    moved = datetime(2026, 11, 21, tzinfo=UTC)
    first = Device("meter.d1", zone="a")
    known = registry(product(), devices=(replace(first, zone="b", valid_from=moved), first))
    edge = int(moved.timestamp()) * SECOND

    zones = [known.device_at("default", "meter.d1", edge + step) for step in (-1, 0)]

    assert [device.zone for device in zones if device] == ["a", "b"]
