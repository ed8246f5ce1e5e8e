"""The replay of parked messages starts when their devices have become known, and only then."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from orchestration.batch import REPLAY
from orchestration.registrations import replay_sensor
from telemetry.settings import Settings
from telemetry.tables import DEVICES, REJECTED, Table

NOW = datetime(2026, 11, 27, tzinfo=UTC)
REASONS = pl.List(pl.Struct({"field": pl.String, "rule": pl.String, "value": pl.String}))


class Lake:
    """Two tables of a lake, and the sensor that looks at them again and again."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.sensor = replay_sensor(self.settings)
        self.cursor: str | None = None

    def _uri(self, table: Table) -> Path:
        return self.settings.home / "lake" / table.name.replace(".", "/")

    def knows(self, *names: str, tenant: str = "default") -> None:
        """Have landing write what devices it knows."""
        rows = {"tenant": [tenant] * len(names), "device_full": list(names)}
        frame = pl.DataFrame(rows, schema={"tenant": pl.String, "device_full": pl.String})
        frame.write_delta(self._uri(DEVICES), mode="overwrite")

    def parks(
        self, name: str | None, rule: str = "unknown_device", replayed: datetime | None = None
    ) -> None:
        """Reject a message."""
        row = {
            "tenant": "default",
            "device_full": name,
            "reasons": [{"field": "device", "rule": rule, "value": ""}],
            "replayed_at": replayed,
        }
        schema: dict[str, pl.DataType | type[pl.DataType]] = {
            "tenant": pl.String,
            "device_full": pl.String,
            "reasons": REASONS,
            "replayed_at": pl.Datetime("us", "UTC"),
        }
        frame = pl.DataFrame([row], schema=schema)
        frame.write_delta(self._uri(REJECTED), mode="append")

    def looks(self, instance: dg.DagsterInstance | None = None) -> bool:
        """Say whether the sensor starts a replay now."""
        with dg.DagsterInstance.ephemeral() as own:
            context = dg.build_sensor_context(instance or own, cursor=self.cursor)
            found = self.sensor(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor
        return bool(found.run_requests)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def test_lake_without_tables_starts_nothing(lake: Lake) -> None:
    assert not lake.looks()
    lake.knows("d1")
    assert not lake.looks()


@pytest.mark.parametrize("rule", ["unknown_device", "unknown_product"])
def test_registration_starts_the_replay_of_its_messages_once(lake: Lake, rule: str) -> None:
    lake.knows("d1")
    lake.parks("d2", rule)
    assert not lake.looks()

    lake.knows("d1", "d2")
    assert [lake.looks(), lake.looks()] == [True, False]


def test_what_waits_when_dagster_first_looks_is_replayed(lake: Lake) -> None:
    lake.parks("d1")
    lake.knows("d1")
    assert lake.looks()


def test_messages_of_others_or_for_other_reasons_start_nothing(lake: Lake) -> None:
    lake.knows()
    assert not lake.looks()
    lake.parks("stranger")
    lake.parks(None)
    lake.parks("d2", "range")
    lake.parks("d2", replayed=NOW)
    lake.knows("d2")
    assert not lake.looks()
    lake.parks("d3")
    lake.knows("d2", "d3", tenant="acme")
    assert not lake.looks()


def test_device_that_was_known_before_starts_no_second_replay(lake: Lake) -> None:
    lake.parks("d1")
    lake.knows("d1")
    assert lake.looks()
    lake.knows("d1", "d2")
    assert not lake.looks()


def test_no_replay_starts_while_one_is_not_over_and_nothing_is_missed(lake: Lake) -> None:
    lake.parks("d1")
    lake.knows("d1")
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.DagsterRun(job_name=REPLAY, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        assert not lake.looks(instance)
        instance.report_run_failed(run)
        assert lake.looks(instance)
