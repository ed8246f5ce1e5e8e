"""What each table is made from, as the design's flow says."""

import itertools

from telemetry import tables, topics

KAFKA = f"kafka.{topics.TELEMETRY.name}"
LANDING = "streams.landing"
GOLD = "streams.gold"
SCORING = "streams.scoring"
ALERT_LIVES = f"kafka.{topics.ALERTS_HISTORY.name}"

LANDED = (
    tables.MESSAGES.name,
    tables.READINGS.name,
    tables.REJECTED.name,
    tables.LATE.name,
    tables.DUPLICATES.name,
    tables.CONFLICTS.name,
    tables.DEVICES.name,
    tables.FIRST_USE.name,
    tables.LOST_OFFSETS.name,
    tables.RESTATEMENTS.name,
)
"""Tables that landing writes."""

AGGREGATED = (
    *(table.name for table in tables.DEVICE_WINDOWS.values()),
    *(table.name for table in tables.ZONE_WINDOWS.values()),
    tables.DEVICE_SLIDING.name,
    tables.SESSIONS.name,
    tables.DELIVERY_DELAY.name,
)
"""Tables that gold writes."""

SCORED = (tables.ANOMALIES.name,)
"""Tables that scoring writes."""

_SILVER = (tables.READINGS.name, tables.LATE.name)
_ASIDE = (tables.REJECTED.name, tables.DUPLICATES.name, tables.CONFLICTS.name)
_BATCHED = (
    *(table.name for table in tables.SUMMARIES),
    tables.BASELINES.name,
    tables.DEVICE_DUPLICATES.name,
    tables.CONSERVATION.name,
    tables.GATEWAY_CONSERVATION.name,
    tables.ALERTS.name,
)
"""Tables that batch jobs make; each run is a row of `ops.job_runs`."""


def _cascade(windows: dict[str, tables.Table]) -> dict[str, tuple[str, ...]]:
    names = [GOLD, *(table.name for table in windows.values())]
    return {name: (source,) for source, name in itertools.pairwise(names)}


UPSTREAM: dict[str, tuple[str, ...]] = {
    LANDING: (KAFKA,),
    tables.MESSAGES.name: (LANDING,),
    **{name: (tables.MESSAGES.name,) for name in (*_SILVER, *_ASIDE)},
    tables.DEVICES.name: (LANDING,),
    tables.FIRST_USE.name: (tables.MESSAGES.name,),
    tables.LOST_OFFSETS.name: (LANDING,),
    tables.RESTATEMENTS.name: (tables.LATE.name,),
    GOLD: _SILVER,
    **_cascade(tables.DEVICE_WINDOWS),
    **_cascade(tables.ZONE_WINDOWS),
    tables.DEVICE_SLIDING.name: (tables.DEVICE_MINUTE.name,),
    tables.SESSIONS.name: (GOLD,),
    tables.SUMMARY_ZONE_HOUR.name: (tables.DEVICE_HOUR.name,),
    tables.SUMMARY_ZONE_DAY.name: (tables.DEVICE_DAY.name,),
    tables.SUMMARY_PRODUCT_HOUR.name: (tables.DEVICE_HOUR.name,),
    tables.SUMMARY_PRODUCT_DAY.name: (tables.DEVICE_DAY.name,),
    tables.BASELINES.name: (tables.DEVICE_HOUR.name,),
    # Not the baselines, which a job makes from gold: run as one micro-batch that were a circle.
    SCORING: (tables.READINGS.name,),
    tables.ANOMALIES.name: (SCORING,),
    ALERT_LIVES: (SCORING,),
    tables.ALERTS.name: (ALERT_LIVES,),
    tables.JOB_RUNS.name: _BATCHED,
    tables.DELIVERY_DELAY.name: (GOLD,),
    tables.CONSERVATION.name: (tables.MESSAGES.name, *_SILVER, *_ASIDE),
    tables.GATEWAY_CONSERVATION.name: (tables.MESSAGES.name,),
    tables.DEVICE_DUPLICATES.name: (
        tables.READINGS.name,
        tables.DUPLICATES.name,
        tables.CONFLICTS.name,
    ),
}
"""The sources of each stream and table; a table that is not here has none in the lake."""
UPSTREAM[tables.QUALITY.name] = tuple(
    table.name for table in tables.TABLES if table not in (tables.QUALITY, tables.JOB_RUNS)
)
"""Each table is held to its suite."""


def upstream(name: str) -> tuple[str, ...]:
    """Return what a stream or table is made from."""
    return UPSTREAM.get(name, ())
