"""Records that are lists are judged anew a bearable number at a time, whatever they hold."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from pyspark.sql import SparkSession

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.judging import Piece, judge_here
from spark_jobs.jobs.known import known
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.jobs.replay_range import RangeReplay
from spark_jobs.jobs.replay_rejected import Wanted, replay_rejected
from spark_jobs.lake import Lake
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.spans import days
from telemetry.products import product_from_dict
from telemetry.records import record_headers
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS, REJECTED, RESTATEMENTS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, SECOND, TOLERANCE, enrol, write_segment

pytestmark = pytest.mark.spark
LISTS, LENGTH = 6, 50
AT = datetime.fromtimestamp(NOW / SECOND, UTC)
HIGHER = product_from_dict(
    {
        "product": "meter",
        "lateness": "30 s",
        "versions": [{"version": 1, "metrics": {"kwh": {"type": "double", "max": 1000}}}],
    }
)


def record(number: int) -> OutRecord:
    """Return a list of messages, of which the first breaks a rule."""
    said = [
        {"seq": number * LENGTH + n, "metrics": {"kwh": 1.5 if n else 500.0}} for n in range(LENGTH)
    ]
    headers = record_headers("meter.d1", received_at=NOW + number * SECOND, protocol="http")
    return OutRecord(b"meter.d1", orjson.dumps(said), headers)


@pytest.fixture
def settings(spark: SparkSession, tmp_path: Path) -> Settings:
    """Return a home where lists have landed, one a second."""
    made = Settings(home=tmp_path / "home")
    lake = Lake(made.lake_root)
    create_all(lake)
    enrol(made.registry_dir)
    paths = [
        str(write_segment(made.spool_dir, [record(n)], n, NOW + n * SECOND)) for n in range(LISTS)
    ]
    frame = spark.read.schema(RECORDS).parquet(*paths)
    Landing(made, lake).land(frame, Txn("landing_spool/1", 0))
    return made


def test_a_range_of_lists_is_judged_in_pieces(settings: Settings, tmp_path: Path) -> None:
    lake, beside = Lake(settings.lake_root), Lake(str(tmp_path / "beside"))
    create_all(beside)
    here, judged = judge_here(lake, tolerance_us=TOLERANCE), list[int]()

    def judge(piece: Piece, fleet: Fleet) -> Judgement:
        found = here(piece, fleet)
        judged.append(found.messages.num_rows)
        return found

    replayed = RangeReplay(
        lake, beside, known(settings, lake, AT), received=days(AT.date(), AT.date())
    )
    replayed.run(judge, lake.table(MESSAGES).version(), chunk=2 * LENGTH)

    assert judged == [2 * LENGTH] * (LISTS // 2)
    for table, count in ((READINGS, LISTS * (LENGTH - 1)), (REJECTED, LISTS)):
        assert beside.scan(table).collect().height == lake.scan(table).collect().height == count


def test_rejected_messages_of_lists_are_taken_up_in_pieces(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    RegistryFiles(settings.registry_dir).put_product(HIGHER)

    result = replay_rejected(settings, lake, AT, Wanted("range"), chunk=2 * LENGTH)

    assert (result["rejected"], result["taken_up"]) == (LISTS, LISTS)
    assert lake.scan(READINGS).collect().height == LISTS * LENGTH
    marks = lake.scan(RESTATEMENTS).collect()
    assert marks["mark_id"].n_unique() == LISTS // 2, "each piece marks what it lands"
