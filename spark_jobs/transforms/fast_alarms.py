"""Rules of the fast lane as one SQL expression: which of them a reading breaks, and its alerts.

The alerts are those of `detection/rules`, ids included, so that what scoring tells of the same
reading later is the same alert. A breach is told by each reading; scoring says when it is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from spark_jobs.transforms.sql_text import double, text
from telemetry.rules.checks import Range, Ratio, Seasonal, Threshold
from telemetry.rules.rule import Rule, VersionedRule
from telemetry.rules.words import span_us

SEPARATOR = "\x1f"
LEAST_SHARE, LEAST_SPREAD = 1e-6, 1e-9
"""No spread is taken for smaller, as in `detection/rules/looks.py`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What SQL says of a reading by a rule: whether it is broken, by which bound, how far, why."""

    is_broken: str
    bound: str
    score: str
    baseline: str
    why: str


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
    broken = " or ".join(f"({_is_told(kept.rule)})" for kept in rules)
    told = f"explode(array({', '.join(map(_alert, rules))})) as alert"
    # Few readings break a rule: to say so is cheap, and to say what it is need not be.
    each = readings.where(broken).selectExpr("device_full", told).where("alert is not null")
    return each.selectExpr(
        "cast(device_full as binary) as key", "cast(to_json(alert) as binary) as value"
    )


def _is_told(rule: Rule) -> str:
    return f"{_is_watched(rule)} and {judged_by(rule).is_broken}"


def _alert(kept: VersionedRule) -> str:
    rule, judged = kept.rule, judged_by(kept.rule)
    fields = {
        "id": _id(kept),
        "tenant": "tenant",
        "rule": text(rule.name),
        "rule_version": str(kept.version),
        "state": "'firing'",
        "severity": text(rule.severity),
        "event_time": "event_us",
        # `current_timestamp` stands still for as long as one of the mode's batches.
        "detected_at": "cast(reflect('java.lang.System', 'currentTimeMillis') as bigint) * 1000",
        "text": f"concat(format_string('%s of %s ', metric, device_full), {judged.why})",
        "device": "device_full",
        "product": "product",
        "zone": "zone",
        "customer": "customer",
        "metric": "metric",
        "value": "value",
        "bound": judged.bound,
        "score": judged.score,
        "baseline": judged.baseline,
        "deviation": f"value - {judged.baseline}",
        "baseline_version": f"if({judged.baseline} is not null, cast(version as string), null)",
        "v": "1",
    }
    alert = ", ".join(f"'{name}', {said}" for name, said in fields.items())
    return f"if({_is_told(rule)}, named_struct({alert}), null)"


def _id(kept: VersionedRule) -> str:
    rule = kept.rule
    named = ", ".join(map(text, (rule.name, str(kept.version), rule.tenant)))
    parts = f"{named}, device_full, cast(event_us as string), metric"
    return f"substring(sha2(concat_ws({text(SEPARATOR)}, {parts}), 256), 1, 32)"


def _is_watched(rule: Rule) -> str:
    """Tell whether the rule is for this reading at all."""
    scope = rule.scope
    metrics = ", ".join(map(text, rule.metrics))
    watched = f"tenant = {text(rule.tenant)} and metric in ({metrics})"
    for name, wanted in (
        ("product", scope.product), ("zone", scope.zone), ("device_full", scope.device)
    ):  # fmt: skip
        if wanted is not None:
            watched += f" and {name} <=> {text(wanted)}"
    if rule.connected_within is not None:
        within = span_us("connected_within", rule.connected_within)
        watched += f" and received_us - event_us <= {within}L"
    return watched


def judged_by(rule: Rule) -> Judged:
    """Return what a rule says of each reading."""
    check = rule.check
    if isinstance(check, Threshold):
        is_high = check.direction == "above"
        low, high = (None, check.bound) if is_high else (check.bound, None)
        return _beyond(rule, low, high, width=abs(check.bound))
    if isinstance(check, Range):
        low = None if check.direction == "above" else check.low
        high = None if check.direction == "below" else check.high
        return _beyond(rule, low, high, width=check.high - check.low)
    if isinstance(check, Seasonal):
        return _far(rule, check)
    assert isinstance(check, Ratio)
    return _share(rule, check)


def _beyond(rule: Rule, low: float | None, high: float | None, width: float) -> Judged:
    least, most = ("cast(null as double)" if one is None else double(one) for one in (low, high))
    is_low, is_high = _true(f"{least} > value"), _true(f"{most} < value")
    bound = f"if({is_low}, {least}, {most})"
    distance = f"abs(value - {bound})"
    return Judged(
        is_broken=f"({is_low} or {is_high}) and {distance} >= {double(rule.least_deviation)}",
        bound=bound,
        score=_score(f"1.0D + {distance} / {double(width or 1.0)}"),
        baseline="cast(null as double)",
        why=_is_beyond(bound),
    )


def _far(rule: Rule, check: Seasonal) -> Judged:
    least = f"{double(LEAST_SHARE)} * abs(median) + {double(LEAST_SPREAD)}"
    scale, limit = f"greatest(spread, {least})", double(check.deviations)
    away = f"((value - median) / {scale})"
    beyond = {
        "above": f"{away} > {limit}",
        "below": f"{away} < -{limit}",
        "either": f"abs({away}) > {limit}",
    }[check.direction]
    bound = f"(median + signum({away}) * {limit} * {scale})"
    usual = (
        "format_string(': %.1f deviations from the usual %s by the stored baseline of %s',"
        f" abs({away}), {_number('median')}, cast(version as string))"
    )
    return Judged(
        is_broken=f"{_true(beyond)} and {_is_far(rule)}",
        bound=bound,
        score=_score(f"abs({away}) / {limit}"),
        baseline="median",
        why=f"concat({_is_beyond(bound)}, {usual})",
    )


def _share(rule: Rule, check: Ratio) -> Judged:
    plain, away = f"median * {double(check.ratio)}", f"spread * {double(check.spreads)}"
    if check.direction == "below":
        bound = f"least({plain}, median - {away})"
        is_broken = f"{bound} > value"
    else:
        bound = f"greatest({plain}, median + {away})"
        is_broken = f"{bound} < value"
    usual = (
        f"format_string(', which is {check.ratio:.6g} of the usual %s by the stored baseline"
        f" of %s', {_number('median')}, cast(version as string))"
    )
    return Judged(
        is_broken=f"{_true(f'median > 0 and {is_broken}')} and {_is_far(rule)}",
        bound=bound,
        score=_score(f"1.0D + abs(value - {bound}) / nullif(abs({bound}), 0.0D)"),
        baseline="median",
        why=f"concat({_is_beyond(bound)}, {usual})",
    )


def _is_far(rule: Rule) -> str:
    return f"abs(value - median) >= {double(rule.least_deviation)}"


def _is_beyond(bound: str) -> str:
    side = f"if({bound} < value, 'above', 'below')"
    return f"format_string('is %s, %s %s', {_number('value')}, {side}, {_number(bound)})"


def _number(said: str) -> str:
    """Return a number's text in six digits behind the point at most, without idle zeros."""
    return f"regexp_replace(format_string('%.6f', {said}), r'\\.?0+$', '')"


def _score(reached: str) -> str:
    return f"round(({reached}) / ({reached} + 1.0D), 6)"


def _true(condition: str) -> str:
    return f"coalesce({condition}, false)"
