"""What the rows of gold mean."""

from collections.abc import Mapping, Sequence

from expectations.rule import Rule, date_of, one_of
from telemetry import tables
from telemetry.tables import WINDOW_MINUTES, Table

_ROUNDING = "1e-9 * count * greatest(abs(min), abs(max))"
_DEVIATION = "abs(deviation - (value - baseline)) <= 1e-9 * greatest(abs(value), abs(baseline))"


def _unless_beyond(column: str, sql: str) -> str:
    """Leave open what a column says that no double can: of values near 1e308, or their squares.

    A device may send such; one hour of them must not fail the suite until they are dropped.
    """
    return f"not (abs({column}) < double('infinity')) or {sql}"


_STATISTICS = (
    Rule(
        "mean lies between min and max",
        _unless_beyond("mean", "min - abs(min) * 1e-9 <= mean and mean <= max + abs(max) * 1e-9"),
    ),
    Rule(
        "mean times count is sum",
        _unless_beyond("mean * count - sum", f"abs(mean * count - sum) <= {_ROUNDING}"),
    ),
    Rule("stddev is null for less than two values", "count > 1 or stddev is null"),
)
_WINDOW = (
    *_STATISTICS,
    Rule("count is not negative", "count >= 0"),
    Rule("a window ends after it starts", "window_end > window_start"),
    Rule("m2 is not negative", "m2 >= 0"),
    Rule(
        "stddev follows from m2",
        _unless_beyond("m2", "count < 2 or abs(stddev * stddev * (count - 1) - m2) <= 1e-9 * m2"),
    ),
    Rule(
        "first and last lie between min and max",
        "first between min and max and last between min and max",
    ),
    Rule("first is not after last", "first_at <= last_at"),
    Rule(
        "first and last happened in the window",
        "first_at >= window_start and last_at <= window_end",
    ),
    Rule("window_period is not after the window", "window_period <= to_date(window_start)"),
)
_SUMMARY = (
    *_STATISTICS,
    Rule("a summary of readings has a device", "devices >= 1 or count = 0"),
    Rule("count is not negative", "count >= 0"),
)


def _tumbling(minutes: int) -> Sequence[Rule]:
    width = minutes * 60
    return (
        *_WINDOW,
        Rule(
            "the window is as wide as its table says",
            f"unix_seconds(window_end) - unix_seconds(window_start) = {width}",
        ),
        Rule(
            "the window starts on its grid", f"unix_micros(window_start) % {width * 1_000_000} = 0"
        ),
    )


RULES: Mapping[Table, Sequence[Rule]] = {
    **{
        windows[name]: _tumbling(minutes)
        for windows in (tables.DEVICE_WINDOWS, tables.ZONE_WINDOWS)
        for name, minutes in WINDOW_MINUTES.items()
    },
    tables.DEVICE_SLIDING: _WINDOW,
    tables.SESSIONS: _WINDOW,
    **{table: _SUMMARY for table in tables.SUMMARIES},
    tables.BASELINES: (
        Rule("slot is an hour of the week", "slot between 0 and 167"),
        Rule("a baseline is made of hours", "weeks between 1 and 8"),
        Rule("distances are not negative", "mad >= 0 and spread >= 0"),
        Rule("spread is no less than that of the means", "spread >= 1.4826 * mad * (1 - 1e-9)"),
    ),
    tables.ANOMALIES: (
        one_of("severity", "info", "warning", "critical"),
        Rule("a score is from 0 to 1", "score between 0 and 1"),
        Rule("deviation is value less baseline", _unless_beyond("deviation", _DEVIATION)),
        date_of("event_date", "event_time"),
    ),
    tables.ALERTS: (
        one_of("severity", "info", "warning", "critical"),
        one_of("state", "open", "acknowledged", "resolved"),
        Rule("a resolved alert says when", "state != 'resolved' or resolved_at is not null"),
        Rule("an alert ends after it opens", "resolved_at >= opened_at"),
        date_of("opened_date", "opened_at"),
    ),
}
