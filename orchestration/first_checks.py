"""The sensor that holds a new lake to its suites without waiting for the hour."""

from collections.abc import Sequence

import dagster as dg
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from orchestration.schedules import QUALITY as JOB
from telemetry.settings import Settings
from telemetry.tables import DEVICE_WINDOWS, QUALITY, Table

LOOK_EVERY_S = 60
ASKED = "asked"
GOLD: Sequence[Table] = tuple(DEVICE_WINDOWS.values())


def first_checks_sensor(settings: Settings) -> dg.SensorDefinition:
    """Start the first run of all suites once gold has rows, so that there is something to see.

    A lake whose suites were held before, by whomever, is left to the schedule.
    """

    @dg.sensor(
        name="first_checks",
        job_name=JOB,
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Holds a new lake to its suites as soon as gold has rows.",
    )
    def first_checks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor == ASKED or _has_rows(settings, [QUALITY]):
            return dg.SensorResult(skip_reason="suites were held before", cursor=ASKED)
        if not _has_rows(settings, GOLD):
            return dg.SensorResult(skip_reason="gold has no rows yet")
        return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=ASKED)

    return first_checks


def _has_rows(settings: Settings, tables: Sequence[Table]) -> bool:
    return any(_files(f"{settings.lake_root}/{each.name.replace('.', '/')}") for each in tables)


def _files(uri: str) -> int:
    try:
        return len(DeltaTable(uri).file_uris())
    except (DeltaError, OSError):
        # There is no such table yet.
        return 0
