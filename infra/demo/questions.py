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

_REJECTED = (
    "empty",
    "malformed",
    "not_a_message",
    "type",
    "missing",
    "device_mismatch",
    "unknown_device",
    "unknown_product",
    "unknown_metric",
    "range",
    "required",
    "values",
    "too_old",
)
_OF_RULE = (
    "select device_full, boot, seq, reasons[1].field as field, reasons[1].value as value"
    " from silver.rejected where reasons[1].rule = 'RULE' limit 1"
)

FAULTS = {
    **{rule: _OF_RULE.replace("RULE", rule) for rule in _REJECTED},
    "duplicate": "select device_full, boot, seq, first_partition, first_offset"
    " from silver.duplicates limit 1",
    "conflict": "select device_full, boot, seq, first_partition, first_offset"
    " from silver.conflicts limit 1",
    "late": "select device_full, boot, seq, metric, event_time, received_at"
    " from silver.late limit 1",
    "clock ahead": "select device_full, boot, seq, device_time, event_time"
    " from silver.readings where clock = 'ahead' limit 1",
    "no time": "select device_full, boot, seq, event_time"
    " from silver.readings where clock = 'missing' limit 1",
    "sentinel": "select device_full, boot, seq, metric, quality"
    " from silver.readings where quality = 'sentinel' limit 1",
}
"""Fault → SQL that finds a row of it."""
