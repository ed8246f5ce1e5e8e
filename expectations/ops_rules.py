"""What the rows of dim and ops mean."""

from collections.abc import Mapping, Sequence

from expectations.rule import Rule, date_of, one_of
from telemetry import tables
from telemetry.tables import Table

RULES: Mapping[Table, Sequence[Rule]] = {
    tables.DEVICES: (
        Rule("a version ends after it begins", "valid_to > valid_from"),
        Rule("lat and lng are on the globe", "abs(lat) <= 90 and abs(lng) <= 180"),
    ),
    tables.DELIVERY_DELAY: (
        Rule("a row counts messages", "count >= 1"),
        Rule("percentiles are in order", "p50 <= p95 and p95 <= p99"),
        Rule("max is the greatest delay", "p99 <= max + 0.02 * abs(max) + 1e-6"),
        Rule("hour is a whole hour", "hour = date_trunc('hour', hour)"),
        date_of("hour_date", "hour"),
    ),
    tables.FIRST_USE: (one_of("type", "double", "string", "bool"),),
    tables.DEVICE_DUPLICATES: (
        Rule("counts are not negative", "duplicates >= 0 and conflicts >= 0 and removed >= 0"),
        Rule("the proof removed nothing", "removed = 0", "warning"),
    ),
    tables.CONSERVATION: (
        Rule("each message is in exactly one place", "holds"),
        Rule(
            "difference is silver less bronze",
            "difference = readings + late + rejected + duplicates + conflicts - items",
        ),
        Rule(
            "an hour that does not hold says where", "holds or difference != 0 or wrong is not null"
        ),
        Rule("hour is a whole hour", "hour = date_trunc('hour', hour)"),
        date_of("hour_date", "hour"),
    ),
    tables.GATEWAY_CONSERVATION: (
        Rule("what was acknowledged is there", "holds"),
        Rule(
            "difference is what is there less what was acknowledged",
            "difference = telemetry + dead + uplink + spooled - acknowledged",
        ),
        Rule("no more is acknowledged than was taken", "acknowledged <= taken"),
        Rule("hour is a whole hour", "hour = date_trunc('hour', began_at)"),
        date_of("hour_date", "hour"),
    ),
    tables.RESTATEMENTS: (
        Rule("a mark ends after it starts", "window_end > window_start"),
        one_of(
            "reason", "late", "replayed", "dedup", "replay", "backfill", "registry", "rebuild-gold"
        ),
        Rule(
            "marks are of minutes or of delays",
            f"table in ('{tables.DEVICE_MINUTE.name}', '{tables.DELIVERY_DELAY.name}')",
        ),
    ),
    tables.QUALITY: (date_of("checked_date", "checked_at"),),
    tables.JOB_RUNS: (
        Rule("a run ends after it starts", "ended_at >= started_at"),
        Rule("a run that failed says why", "success or error is not null"),
        date_of("started_date", "started_at"),
        Rule("the run ended well", "success", "warning"),
    ),
    tables.LOST_OFFSETS: (
        one_of("reason", "dropped", "topic made anew"),
        Rule("offsets are in order", "first_offset >= 0 and last_offset >= first_offset"),
    ),
}
