"""What the rows of bronze and silver mean."""

from collections.abc import Mapping, Sequence

from expectations.rule import Rule, date_of, one_of
from telemetry import tables
from telemetry.tables import Table

REJECTIONS = (
    "empty",
    "malformed",
    "not_a_message",
    "type",
    "version",
    "missing",
    "reserved",
    "content_type",
    "device_mismatch",
    "unknown_device",
    "unknown_product",
    "unknown_metric",
    "too_many_metrics",
    "range",
    "required",
    "not_finite",
    "values",
    "too_old",
)
"""Every rule that the judgement names."""

_VALUES = (
    "int(value is not null) + int(value_text is not null) + int(value_bool is not null)"
    " = int(quality <> 'sentinel')"
)
_COPY = "not (first_topic = topic and first_partition = partition and first_offset = offset"

_COORDINATES = (
    Rule("offset and partition count from 0", "offset >= 0 and partition >= 0"),
    Rule("item counts from 0", "item >= 0"),
)
_READING = (
    *_COORDINATES,
    one_of("clock", "ok", "ahead", "missing"),
    one_of("quality", "ok", "sentinel"),
    Rule("event_time_us is event_time", "event_time_us = unix_micros(event_time)"),
    date_of("event_date", "event_time"),
    Rule(
        "clock is missing where the device said no time",
        "(clock = 'missing') = (device_time is null)",
    ),
    Rule(
        "event_time is device_time where clock is ok", "clock <> 'ok' or event_time = device_time"
    ),
    Rule(
        "event_time is before device_time where clock is ahead",
        "clock <> 'ahead' or event_time < device_time",
    ),
    Rule("one value a row and none for a sentinel", _VALUES),
    Rule("value is finite", "not isnan(value) and abs(value) < double('infinity')"),
    Rule("lat and lng are on the globe", "abs(lat) <= 90 and abs(lng) <= 180"),
    Rule(
        "device_full is product and device",
        "device_full = device or device_full = product || '.' || device",
    ),
    Rule("seq counts from 0", "seq >= 0"),
    Rule("the device named its time", "device_time is not null", "warning", 0.9),
    Rule("the reading was no sentinel", "quality <> 'sentinel'", "warning", 0.9),
)
_ASIDE = (*_COORDINATES, date_of("received_date", "received_at"))
_COPIES = (
    *_ASIDE,
    Rule("the first copy is known", "first_topic is not null and first_offset is not null"),
    Rule("no message is its own copy", f"{_COPY} and first_item = item)"),
)

RULES: Mapping[Table, Sequence[Rule]] = {
    tables.MESSAGES: (
        Rule("offset and partition count from 0", "offset >= 0 and partition >= 0"),
        Rule("a record holds at least one message", "items >= 1"),
        date_of("received_date", "received_at"),
        Rule("received_at is known", "received_at is not null"),
        Rule("kafka_time is known", "kafka_time is not null"),
        Rule(
            "received_at is within five minutes of kafka_time",
            "abs(timestampdiff(second, received_at, kafka_time)) <= 300",
        ),
        Rule("the record has a key", "kafka_key is not null", "warning", 0.9),
    ),
    tables.READINGS: _READING,
    tables.LATE: (
        *_READING,
        Rule("late rows came after they happened", "received_at > event_time"),
        Rule("late rows keep their message", "message is not null"),
    ),
    tables.REJECTED: (
        *_ASIDE,
        Rule("a rejected message has a reason", "reasons is not null and size(reasons) > 0"),
        Rule(
            "every reason is a known rule",
            f"forall(reasons, r -> r.rule in ({', '.join(repr(name) for name in REJECTIONS)}))",
        ),
        Rule("the rejected bytes are kept", "message is not null"),
    ),
    tables.DUPLICATES: _COPIES,
    tables.CONFLICTS: _COPIES,
}
