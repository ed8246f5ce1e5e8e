"""The query service over HTTP: who may ask, in which forms it answers, and what it refuses."""

import io
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from services.query.cache import Cache
from services.query.times import micros
from telemetry.changes import TenantBody
from telemetry.tables import DEVICES
from tests.services.query_lake import Reading, TestLake, numbered, put
from tests.services.query_parts import NOW, TestedQueries

HOUR = 3_600_000_000
START = micros(NOW) - 24 * HOUR
RANGE: dict[str, Any] = {"start": START, "end": START + 24 * HOUR}
ASKED: dict[str, Any] = {"device_id": "meter.m1", "metric": "kwh", **RANGE}


@pytest.fixture
def queries(tmp_path: Path) -> TestedQueries:
    lake = TestLake(tmp_path / "lake")
    rows = [
        Reading(START + n * HOUR // 4, n / 7, metric=m) for n in range(96) for m in ("kwh", "v")
    ]
    rows += [Reading(START + n * HOUR, 5.0, tenant="other") for n in range(3)]
    rows += [Reading(START + n * HOUR, 'öl, "x"', metric="state") for n in range(3)]
    lake.land(numbered(rows))
    lake.make_gold(START + 20 * HOUR)
    return TestedQueries(tmp_path)


def test_nobody_asks_without_a_key(queries: TestedQueries) -> None:
    for key in ("", "hw_none.nothing", queries.local_key + "x", "nonsense", "a.b.c"):
        answer = queries.ask("/v1/query", key=key, **ASKED)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert queries.ask("/health", key="").status_code == 200


def test_service_is_ready_once_it_knows_the_keys(queries: TestedQueries) -> None:
    queries.service.directory.is_read = lambda: False
    for path in ("/health", "/v1/latest"):
        answer = queries.ask(path)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert answer.headers["Content-Type"] == "application/problem+json"
    queries.service.directory.is_read = lambda: True
    assert queries.ask("/health").is_success


def test_tenants_do_not_meet(queries: TestedQueries) -> None:
    own, others = queries.key("default"), queries.key("other")
    assert queries.json("/v1/query", key=own, **ASKED)["points_in"] == 96
    assert queries.json("/v1/query", key=others, **ASKED)["points_in"] == 3
    assert queries.ask("/v1/query", key=others, tenant="default", **ASKED).status_code == 403
    for path in ("/v1/latest", "/v1/devices/meter.m1/metrics"):
        assert {p["value"] for p in queries.json(path, key=others)["points"]} == {5.0}
    by_zone = {"by": "zone", "metric": "kwh", **RANGE}
    assert queries.json("/v1/aggregate", key=others, **by_zone)["points_in"] == 0
    assert queries.json("/v1/query", tenant="other", **ASKED)["points_in"] == 3


def test_key_ends_with_its_time_its_revocation_and_its_tenant(queries: TestedQueries) -> None:
    short, revoked, disabled = (
        queries.key("default", lives=timedelta(hours=1)), queries.key("default"),
        queries.key("other"),
    )  # fmt: skip
    for key in (short, revoked, disabled):
        assert queries.ask("/v1/latest", key=key).is_success
    queries.now += timedelta(hours=1)
    queries.tell("api_key", "default", revoked[3:].partition(".")[0], None)
    queries.tell("tenant", "other", "other", TenantBody(is_disabled=True))
    for key in (short, revoked, disabled):
        assert queries.ask("/v1/latest", key=key).status_code == 401


@pytest.mark.parametrize("agg", [None, "mean", "count", "stddev"])
def test_csv_and_arrow_say_what_json_says(queries: TestedQueries, agg: str | None) -> None:
    asked: dict[str, Any] = {**ASKED, "points": 20, "agg": agg, "fill": "null"}
    said = queries.json("/v1/query", **asked)
    points = said.pop("points")

    as_csv = queries.ask("/v1/query", format="csv", **asked)
    rows = pl.read_csv(io.BytesIO(as_csv.content), try_parse_dates=False)
    assert json.loads(as_csv.headers["Headwater-Answer"]) == said
    assert rows["time"].to_list() == [point["time"] for point in points]
    assert rows["value"].to_list() == [point["value"] for point in points]

    accept = {"Accept": "application/vnd.apache.arrow.stream"}
    as_arrow = queries.ask("/v1/query", headers=accept, **asked)
    table = pa.ipc.open_stream(as_arrow.content).read_all()
    assert json.loads(table.schema.metadata[b"headwater"]) == said
    assert table.column("value").to_pylist() == [point["value"] for point in points]
    times = [at.isoformat().replace("+00:00", "Z") for at in table.column("time").to_pylist()]
    assert times == [point["time"] for point in points]


def test_every_answer_declares_itself(queries: TestedQueries) -> None:
    declared = {"resolution", "method", "points_in", "points_out", "tiers", "truncated",
                "complete_until"}  # fmt: skip
    by_zone = {"by": "zone", "metric": "kwh", **RANGE}
    of_device = {"width": "hour", "device_id": "meter.m1", **RANGE}
    for path, asked in {
        "/v1/query": ASKED,
        "/v1/latest": {},
        "/v1/devices/meter.m1/metrics": {},
        "/v1/aggregate": by_zone,
        "/v1/windows": of_device,
    }.items():
        answer = queries.json(path, **asked)
        assert declared <= set(answer), path
        assert answer["points_out"] == len(answer["points"])


def test_watermark_is_said(queries: TestedQueries, tmp_path: Path) -> None:
    assert queries.json("/v1/latest")["complete_until"] is None
    progress = tmp_path / "progress"
    progress.mkdir()
    (progress / "gold.json").write_text(
        json.dumps({"watermarks": {"meter": "2026-05-31T20:00:00+00:00"}})
    )
    for path, asked in {"/v1/latest": {}, "/v1/query": ASKED}.items():
        assert queries.json(path, **asked)["complete_until"] == "2026-05-31T20:00:00Z"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"start": "yesterday"}, "query.start"),
        ({"start": "2026-06-01T00:00:00"}, "query.start"),
        ({"end": START}, "query.end"),
        ({"end": "9" * 30}, "query.end"),
        ({"points": 1}, "query.points"),
        ({"points": 10_001}, "query.points"),
        ({"agg": "median"}, "query.agg"),
        ({"metric": ""}, "query.metric"),
        ({"fill": "linear"}, ""),
        ({"metric": "state", "agg": "mean"}, ""),
    ],
)
def test_wrong_question_is_a_problem_that_says_where(
    queries: TestedQueries, change: dict[str, object], where: str
) -> None:
    answer = queries.ask("/v1/query", **{**ASKED, **change})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["title"].startswith("Unprocessable")
    assert [fault["where"] for fault in problem["errors"]] == ([where] if where else [])


def test_times_are_taken_as_iso_and_as_microseconds(queries: TestedQueries) -> None:
    iso = {"start": "2026-05-31T02:00:00+02:00", "end": "2026-06-01T00:00:00Z"}
    assert (
        queries.json("/v1/query", **{**ASKED, **iso})["points"]
        == (queries.json("/v1/query", **ASKED)["points"])
    )


def test_new_data_is_seen_at_once_and_old_answers_are_kept(
    queries: TestedQueries, tmp_path: Path
) -> None:
    before = {**ASKED, "end": START + HOUR}
    queries.json("/v1/query", **before)
    queries.json("/v1/query", **ASKED)
    answers = queries.service.answers
    hits, misses = answers.hits, answers.misses
    TestLake(tmp_path / "lake").land([Reading(START + 23 * HOUR + 1, 1.0, seq=999)])
    assert queries.json("/v1/query", **ASKED)["points_in"] == 97
    assert (answers.hits, answers.misses) == (hits, misses + 1)
    assert queries.json("/v1/query", **before)["points_in"] == 4
    newest = queries.json("/v1/latest", metric="kwh")["points"][0]
    assert (newest["time"], newest["value"]) == ("2026-05-31T23:45:00Z", 95 / 7)


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    tested = TestedQueries(tmp_path, query_rate=1.0, query_burst_s=2.0)
    answers = [tested.ask("/v1/latest") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) == 1
    assert "requests_per_second" in answers[2].json()["detail"]
    tested.now += timedelta(seconds=1)
    assert tested.ask("/v1/latest").is_success


def test_many_waiters_share_one_call() -> None:
    cache: Cache[int] = Cache(100)
    entered, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def make() -> int:
        calls.append(1)
        entered.set()
        go_on.wait(10)
        return 7

    found: list[int] = []
    ask: Callable[[], None] = lambda: found.append(cache.get("k", make, lambda _: 1))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(5)]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (found, len(calls)) == ([7] * 5, 1)


def test_cache_holds_no_more_than_its_bytes() -> None:
    cache: Cache[int] = Cache(10)
    for key in range(5):
        cache.get(key, lambda: 0, lambda _: 4)
    assert cache.bytes == 8
    assert cache.get(0, lambda: 1, lambda _: 4) == 1
    cache.get("large", lambda: 2, lambda _: 11)
    assert cache.bytes == 8


def test_lake_without_tables_answers_nothing_yet(tmp_path: Path) -> None:
    tested = TestedQueries(tmp_path)
    assert tested.json("/v1/query", **ASKED)["points"] == []
    assert tested.json("/v1/latest")["points"] == []
    lake = TestLake(tmp_path / "lake")
    lake.land([Reading(START, 3.0)])
    assert tested.json("/v1/query", **ASKED)["points_in"] == 1
    assert tested.json("/v1/latest")["points_in"] == 1


def test_latest_follows_a_device_that_moves(tmp_path: Path) -> None:
    lake = TestLake(tmp_path / "lake")
    lake.land([Reading(START, 3.0)])
    tested = TestedQueries(tmp_path)
    (point,) = tested.json("/v1/latest")["points"]

    where = {"tenant": "default", "device_full": point["device_id"], "product": point["product"]}
    put(tmp_path / "lake", DEVICES, [{**where, "zone": "elsewhere"}])

    (moved,) = tested.json("/v1/latest")["points"]
    assert moved == {**point, "zone": "elsewhere"}


def test_key_of_the_home_is_its_owners_alone(queries: TestedQueries) -> None:
    assert queries.settings.query_key_file.stat().st_mode & 0o777 == 0o600
