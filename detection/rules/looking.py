"""Checks as looks: the kind decides what is seen of a series."""

from datetime import tzinfo

import numpy as np

from detection.memory import Bytes, Matrix
from detection.rules.baselines import Weeks, hours_before
from detection.rules.hours import HOUR_BYTES, hour_before
from detection.rules.looks import (
    SCORE_LIMITS,
    Limits,
    Look,
    Looking,
    Seed,
    look_of_ewma,
    look_of_mad,
    look_of_rate,
    look_of_stuck,
    look_of_value,
    look_of_zscore,
    plain,
    two_sided,
)
from detection.rules.readings import Times
from detection.rules.seasons import (
    SPREAD_BYTES,
    local,
    season,
    season_bytes,
    seed_season,
    slots_of,
    spread,
)
from detection.scoring import SCORE_DIGITS, SERIES
from telemetry.rules.checks import (
    Detector,
    Ewma,
    Mad,
    Range,
    Rate,
    Ratio,
    Seasonal,
    Stuck,
    Threshold,
    ZScore,
)
from telemetry.rules.rule import Rule
from telemetry.rules.schedule import zone_named


def looking(rule: Rule) -> Looking:
    """Return how a rule over one metric looks at a series; others have watches of their own."""
    match rule.check:
        case Threshold() | Range():
            return look_of_value(rule.check)
        case Rate():
            return look_of_rate(rule.check)
        case Stuck():
            return look_of_stuck(rule.check)
        case ZScore():
            return look_of_zscore(rule.check)
        case Mad():
            return look_of_mad(rule.check)
        case Ewma():
            return look_of_ewma(rule.check)
        case Seasonal():
            return _look_of_season(rule.check, rule.timezone)
        case Ratio():
            return _look_of_ratio(rule.check, rule.timezone)
        case Detector():
            return _look_of_detector(rule.check)
    raise TypeError(f"{rule.name} looks at more than one series")


def _look_of_detector(check: Detector) -> Looking:
    """Look at the score that `headwater detect` gives the reading, to as many digits."""
    detector = SERIES[check.detector]()

    def step(values: Matrix, _times: Times, states: Bytes) -> Look:
        scores = np.round(detector.step(values, states), SCORE_DIGITS)
        return plain(scores, np.ones(values.shape, np.bool_))

    return Looking(detector.state_bytes, step, SCORE_LIMITS)


def _look_of_season(check: Seasonal, timezone: str) -> Looking:
    """Look at the reading about its slot's past weeks, in the device's own spread."""
    zone = zone_named(timezone)

    def step(values: Matrix, times: Times, states: Bytes) -> Look:
        slots = slots_of(local(times, zone), check.slots)
        baseline, scale = season(values, slots, check.slots, states)
        usable = np.isfinite(baseline)
        return Look(values, np.where(usable, baseline, 0.0), scale, baseline, usable)

    limits = two_sided(check.deviations, check.direction)
    return Looking(season_bytes(check.slots), step, limits, _seeding(check.slots, zone))


def _seeding(count: int, zone: tzinfo) -> Seed:
    def seed(states: Bytes, stored: Weeks) -> None:
        slots = slots_of(local(hours_before(stored.version), zone), count) % count
        seed_season(states, slots, count, stored)

    return seed


def _look_of_ratio(check: Ratio, timezone: str) -> Looking:
    """Look at the reading as a share of its baseline, which must be above zero.

    The bound is `ratio` times the baseline, or `spreads` of the device's own from it where that is
    farther.
    """
    zone, is_below = zone_named(timezone), check.direction == "below"

    def baselines(values: Matrix, times: Times, states: Bytes) -> tuple[Matrix, Matrix]:
        if check.against == "season":
            return season(values, slots_of(local(times, zone), check.slots), check.slots, states)
        baseline = hour_before(values, times, states)
        return baseline, spread(values, baseline, states[:, HOUR_BYTES:])

    def step(values: Matrix, times: Times, states: Bytes) -> Look:
        baseline, own = baselines(values, times, states)
        usable = np.isfinite(baseline) & (baseline > 0)
        known = np.where(usable, baseline, 1.0)
        away = own * check.spreads
        bound = check.ratio * known
        bound = np.minimum(bound, known - away) if is_below else np.maximum(bound, known + away)
        return Look(values, np.zeros_like(values), bound / check.ratio, baseline, usable)

    limits = Limits(check.ratio, np.inf) if is_below else Limits(-np.inf, check.ratio)
    if check.against == "hour":
        return Looking(HOUR_BYTES + SPREAD_BYTES, step, limits)
    return Looking(season_bytes(check.slots), step, limits, _seeding(check.slots, zone))
