"""Questions worth trying, and for a fault of each kind the query that finds its row."""

QUESTIONS = (
    (
        "How warm is each zone now?",
        "select zone, max(window_start) as minute, round(max_by(mean, window_start), 2) as mean"
        " from gold.zone_minute where metric = 'temperature' group by zone order by zone limit 8",
    ),
    (
        "Which devices send most of what is rejected, and why?",
        "select device_full, reasons[1].rule as rule, count(*) as messages from silver.rejected"
        " group by 1, 2 order by messages desc, 1 limit 5",
    ),
    (
        "How long does delivery take?",
        "select product, hour, count, round(p50, 3) as p50_s, round(p95, 3) as p95_s"
        " from ops.delivery_delay order by hour desc, product limit 5",
    ),
)

_ROW = "select device_full, boot, seq, "
_REJECTED = _ROW + "reasons from silver.rejected where "
_READING = _ROW + "metric, device_time, event_time, clock, quality from silver.readings where "
_MALFORMED = "reasons[1].rule = 'malformed' and reasons[1].value like "


def _rejected(condition: str) -> str:
    return f"{_REJECTED}{condition} limit 1"


def _of_rule(rule: str) -> str:
    return _rejected(f"reasons[1].rule = '{rule}'")


def _reading(condition: str) -> str:
    return f"{_READING}{condition} limit 1"


FAULTS = {
    "duplicate": _ROW + "first_partition, first_offset from silver.duplicates limit 1",
    "conflict": _ROW + "first_partition, first_offset from silver.conflicts limit 1",
    "late": _ROW + "metric, event_time, received_at from silver.late limit 1",
    "clock_behind": _ROW + "metric, event_time, received_at from silver.late"
    " order by event_time limit 1",
    "out_of_order": _ROW + "event_time, before from (select *, lag(event_time) over"  # noqa: S608 - our own text
    " (partition by device_full, boot order by received_at, item) as before"
    " from silver.readings) where event_time < before limit 1",
    "clock_ahead": _reading("clock = 'ahead'"),
    "clock_1970": _of_rule("too_old"),
    "missing_required": _of_rule("required"),
    "missing_metrics": _of_rule("missing"),
    "wrong_type": _rejected("reasons[1].rule = 'type' and reasons[1].field <> 'seq'"),
    "wrong_seq": _rejected("reasons[1].rule = 'type' and reasons[1].field = 'seq'"),
    "wrong_version": _of_rule("version"),
    "wrong_word": _of_rule("values"),
    "out_of_range": _of_rule("range"),
    "unknown_metric": _of_rule("unknown_metric"),
    "truncated": _rejected(f"{_MALFORMED}'unexpected end%'"),
    "bad_utf8": _rejected(f"{_MALFORMED}'%UTF-8%'"),
    "not_a_number": _rejected(
        "reasons[1].rule = 'malformed' and regexp_like(from_utf8(message), ':-?(NaN|Inf|nan)')"
    ),
    "too_large_number": _rejected(f"{_MALFORMED}'number is infinity%'"),
    "deep_nesting": _rejected(f"{_MALFORMED}'depth limit%'"),
    "empty_body": _of_rule("empty"),
    "not_a_message": _of_rule("not_a_message"),
    "unknown_device": _of_rule("unknown_device"),
    "unknown_product": _of_rule("unknown_product"),
    "other_device": _of_rule("device_mismatch"),
    "list": _rejected("item > 0"),
    "sentinel": _reading("quality = 'sentinel'"),
    "no_seq": _reading("boot like 'h:%'"),
    "no_ts": _reading("clock = 'missing' and boot not like 'k:%'"),
    "no_key": _reading("boot like 'k:%'"),
    "no_headers": "select topic, partition, received_at, from_utf8(value) as value"
    " from bronze.messages where cardinality(headers) = 0 limit 1",
}
"""Fault of the simulator → SQL that finds a row of it."""

TO_PLOT = (
    "select device_full, metric from silver.readings where metric = 'temperature'"
    " group by 1, 2 order by count(*) desc, 1 limit 1"
)
