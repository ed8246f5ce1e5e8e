"""Rules of the fast lane as one SQL expression: which of them a reading breaks, and its alerts.

The alerts are those of `detection/rules`, ids included, so that what scoring tells of the same
reading later is the same alert. A breach is told by each reading; scoring says when it is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from telemetry.rules.checks import Range, Ratio, Seasonal, Threshold
from telemetry.rules.rule import Rule, VersionedRule
from telemetry.rules.words import span_us

SEPARATOR = "\x1f"
LEAST_SHARE, LEAST_SPREAD = 1e-6, 1e-9
"""No spread is taken for smaller, as in `detection/rules/looks.py`."""
_NULL = "double"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a rule says of a reading: whether it is broken, by which bound, how far, why."""

    is_broken: Column
    bound: Column
    score: Column
    baseline: Column
    why: Column


def is_fast(kept: VersionedRule) -> bool:
    """Tell whether a rule is at work in this lane."""
    return kept.is_on and kept.rule.lane == "fast"


def needs_baselines(rules: Sequence[VersionedRule]) -> bool:
    """Tell whether any of the rules is held against stored baselines."""
    return any(isinstance(kept.rule.check, Ratio | Seasonal) for kept in rules)


def alerts(readings: DataFrame, rules: Sequence[VersionedRule]) -> DataFrame:
    """Return `key` and `value` of the topic's records, one for each rule that a reading breaks.

    `readings` are those of `fast_readings`, with median, spread and version of the baseline of
    their hour of the week where rules need them, else null.
    """
    broken = [_is_watched(kept.rule) & judged_by(kept.rule).is_broken for kept in rules]
    told = F.array(*(_alert(kept) for kept in rules))
    # Few readings break a rule: to say so is cheap, and to say what it is need not be.
    few = readings.where(reduce(or_, broken))
    each = few.select("device_full", F.explode(told).alias("alert")).where("alert is not null")
    return each.select(
        F.col("device_full").cast("binary").alias("key"),
        F.to_json("alert").cast("binary").alias("value"),
    )


def _alert(kept: VersionedRule) -> Column:
    rule, judged = kept.rule, judged_by(kept.rule)
    deviation = F.col("value") - judged.baseline
    fields = {
        "id": _id(kept),
        "tenant": F.col("tenant"),
        "rule": F.lit(rule.name),
        "rule_version": F.lit(kept.version),
        "state": F.lit("firing"),
        "severity": F.lit(rule.severity),
        "event_time": F.col("event_us"),
        # `current_timestamp` stands still for as long as one of the mode's batches.
        "detected_at": F.call_function(
            "reflect", F.lit("java.lang.System"), F.lit("currentTimeMillis")
        ).cast("bigint")
        * 1000,
        "text": F.concat(F.format_string("%s of %s ", "metric", "device_full"), judged.why),
        "device": F.col("device_full"),
        "product": F.col("product"),
        "zone": F.col("zone"),
        "customer": F.col("customer"),
        "metric": F.col("metric"),
        "value": F.col("value"),
        "bound": judged.bound,
        "score": judged.score,
        "baseline": judged.baseline,
        "deviation": deviation,
        "baseline_version": F.when(judged.baseline.isNotNull(), F.col("version").cast("string")),
        "v": F.lit(1),
    }
    alert = F.struct(*(column.alias(name) for name, column in fields.items()))
    return F.when(_is_watched(rule) & judged.is_broken, alert)


def _id(kept: VersionedRule) -> Column:
    rule = kept.rule
    event = F.col("event_us").cast("string")
    parts = F.lit(rule.name), F.lit(str(kept.version)), F.lit(rule.tenant), F.col("device_full")
    joined = F.concat_ws(SEPARATOR, *parts, event, F.col("metric"))
    return F.substring(F.sha2(joined, 256), 1, 32)


def _is_watched(rule: Rule) -> Column:
    """Tell whether the rule is for this reading at all."""
    scope = rule.scope
    watched = (F.col("tenant") == rule.tenant) & F.col("metric").isin(list(rule.metrics))
    for name, wanted in (
        ("product", scope.product), ("zone", scope.zone), ("device_full", scope.device)
    ):  # fmt: skip
        if wanted is not None:
            watched = watched & F.col(name).eqNullSafe(wanted)
    if rule.connected_within is not None:
        within = span_us("connected_within", rule.connected_within)
        watched = watched & (F.col("received_us") - F.col("event_us") <= within)
    return watched


def judged_by(rule: Rule) -> Judged:
    """Return what a rule says of each reading."""
    check = rule.check
    if isinstance(check, Threshold):
        is_high = check.direction == "above"
        low, high = (None, check.bound) if is_high else (check.bound, None)
        return _beyond(rule, F.lit(low), F.lit(high), width=abs(check.bound))
    if isinstance(check, Range):
        low = None if check.direction == "above" else check.low
        high = None if check.direction == "below" else check.high
        return _beyond(rule, F.lit(low), F.lit(high), width=check.high - check.low)
    if isinstance(check, Seasonal):
        return _far(rule, check)
    assert isinstance(check, Ratio)
    return _share(rule, check)


def _beyond(rule: Rule, low: Column, high: Column, width: float) -> Judged:
    low, high = low.cast("double"), high.cast("double")
    is_low, is_high = _true(low > F.col("value")), _true(high < F.col("value"))
    bound = F.when(is_low, low).otherwise(high)
    distance = F.abs(F.col("value") - bound)
    return Judged(
        is_broken=(is_low | is_high) & (distance >= rule.least_deviation),
        bound=bound,
        score=_score(1.0 + distance / (width or 1.0)),
        baseline=F.lit(None).cast(_NULL),
        why=_is_beyond(bound),
    )


def _far(rule: Rule, check: Seasonal) -> Judged:
    scale = F.greatest(F.col("spread"), LEAST_SHARE * F.abs(F.col("median")) + LEAST_SPREAD)
    away = (F.col("value") - F.col("median")) / scale
    bound = F.col("median") + F.signum(away) * check.deviations * scale
    beyond = {
        "above": away > check.deviations,
        "below": away < -check.deviations,
        "either": F.abs(away) > check.deviations,
    }[check.direction]
    usual = F.format_string(
        ": %.1f deviations from the usual %s by the stored baseline of %s",
        F.abs(away), _number(F.col("median")), F.col("version").cast("string"),
    )  # fmt: skip
    return Judged(
        is_broken=_true(beyond) & (F.abs(F.col("value") - F.col("median")) >= rule.least_deviation),
        bound=bound,
        score=_score(F.abs(away) / check.deviations),
        baseline=F.col("median"),
        why=F.concat(_is_beyond(bound), usual),
    )


def _share(rule: Rule, check: Ratio) -> Judged:
    plain, away = F.col("median") * check.ratio, F.col("spread") * check.spreads
    if check.direction == "below":
        bound = F.least(plain, F.col("median") - away)
        is_broken = bound > F.col("value")
    else:
        bound = F.greatest(plain, F.col("median") + away)
        is_broken = bound < F.col("value")
    usual = F.format_string(
        f", which is {check.ratio:.6g} of the usual %s by the stored baseline of %s",
        _number(F.col("median")), F.col("version").cast("string"),
    )  # fmt: skip
    far = F.abs(F.col("value") - F.col("median")) >= rule.least_deviation
    return Judged(
        is_broken=_true((F.col("median") > 0) & is_broken) & far,
        bound=bound,
        score=_score(1.0 + F.abs(F.col("value") - bound) / F.nullif(F.abs(bound), F.lit(0.0))),
        baseline=F.col("median"),
        why=F.concat(_is_beyond(bound), usual),
    )


def _is_beyond(bound: Column) -> Column:
    side = F.when(bound < F.col("value"), "above").otherwise("below")
    return F.format_string("is %s, %s %s", _number(F.col("value")), side, _number(bound))


def _number(column: Column) -> Column:
    """Return a number's text in six digits behind the point at most, without idle zeros."""
    return F.regexp_replace(F.format_string("%.6f", column), r"\.?0+$", "")


def _score(reached: Column) -> Column:
    return F.round(reached / (reached + 1.0), 6)


def _true(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))
