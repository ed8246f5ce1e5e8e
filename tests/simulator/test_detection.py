"""The matcher against a plain one, and the figures that `verify` gives of a lake's alarms."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scoring.alarms import MONTH_US, figures, match
from simulator.scoring.detection import check_detection, detection_lines
from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import read_ledgers
from spark_jobs.lake import Lake
from spark_jobs.transforms.anomalies import anomalies
from telemetry.alerts import Alert
from telemetry.ledger import Label, Sent, line
from telemetry.tables import ALERTS, ANOMALIES
from tests.simulator.lakes import at

Episode = tuple[str, str, int, int]
NAMES = st.sampled_from(["default/a", "default/b"])
KINDS = st.sampled_from(["cap", "less"])
TIMES = st.integers(0, 60)
EPISODES = st.lists(
    st.tuples(NAMES, KINDS, TIMES, st.integers(1, 20)).map(
        lambda drawn: (drawn[0], drawn[1], drawn[2], drawn[2] + drawn[3])
    ),
    max_size=8,
)
ALARMS = st.lists(st.tuples(NAMES, TIMES), max_size=12)
SECOND = 1_000_000


def labels_of(episodes: list[Episode]) -> pl.DataFrame:
    schema = {"who": pl.String, "kind": pl.String, "from": pl.Int64, "to": pl.Int64}
    scaled = [(who, kind, begin * SECOND, end * SECOND) for who, kind, begin, end in episodes]
    return pl.DataFrame(scaled, schema=schema, orient="row")


def alarms_of(told: list[tuple[str, int]]) -> pl.DataFrame:
    scaled = [(who, time * SECOND) for who, time in told]
    return pl.DataFrame(scaled, schema={"who": pl.String, "at": pl.Int64}, orient="row")


@given(EPISODES, ALARMS, st.integers(0, 10))
def test_figures_are_those_of_a_plain_model(
    episodes: list[Episode], told: list[tuple[str, int]], grace: int
) -> None:
    delays: list[int] = []
    kinds: dict[str, list[int]] = {}
    for who, kind, begin, end in episodes:
        mine = [time for name, time in told if name == who and begin <= time <= end + grace]
        if mine:
            delays.append(min(mine) - begin)
        tally = kinds.setdefault(kind, [0, 0])
        tally[0] += 1
        tally[1] += bool(mine)
    false = sum(
        not any(who == name and begin <= time <= end + grace for who, _, begin, end in episodes)
        for name, time in told
    )

    matched = match(labels_of(episodes), alarms_of(told), grace * SECOND)
    found = figures(matched, 2 * MONTH_US)

    assert found["labels"] == len(episodes)
    assert found["found"] == len(delays)
    assert found["false_alarms"] == false
    assert found["false_alarms_per_device_month"] == false / 2
    hits = len(delays)
    assert found["precision"] == (round(hits / (hits + false), 6) if hits + false else None)
    assert found["recall"] == (round(hits / len(episodes), 6) if episodes else None)
    ordered = sorted(delays)
    p50 = ordered[-(-(len(ordered) - 1) // 2)] if ordered else None
    assert found["delay_s"]["p50"] == p50  # type: ignore[index]
    assert found["by_kind"] == {
        kind: {"labels": count, "found": some, "recall": round(some / count, 6)}
        for kind, (count, some) in sorted(kinds.items())
    }


def test_several_alarms_of_one_label_count_once_and_grace_ends() -> None:
    labels = labels_of([("default/a", "cap", 10, 20)])
    told = [("default/a", time) for time in (9, 10, 15, 23, 24)]

    found = figures(match(labels, alarms_of(told), 3 * SECOND), MONTH_US)

    assert (found["found"], found["false_alarms"]) == (1, 2)
    assert found["precision"] == pytest.approx(1 / 3, abs=1e-6)


def sent(device: str, seconds: int, sent_at: int) -> bytes:
    return line(
        Sent(
            e="sent", tenant="default", device=device, boot="b", seq=seconds,
            sha256=f"{seconds:064x}", sent_at=sent_at * SECOND, event_time=seconds * SECOND,
            expect="silver", reason=None,
        )
    )  # fmt: skip


def label(device: str, begin: int, end: int) -> bytes:
    return line(
        Label(
            {
                "e": "label", "tenant": "default", "device": device, "metric": "power",
                "kind": "cap", "from": begin * SECOND, "to": end * SECOND,
            }
        )
    )  # fmt: skip


def alarm(number: int, device: str, seconds: int, found_at: int) -> Alert:
    return Alert(
        id=f"{number:032x}", tenant="default", rule="low", rule_version=1, state="firing",
        severity="warning", event_time=seconds * SECOND, detected_at=found_at * SECOND,
        text="low", device=device, product="home", metric="power", value=1.0, bound=2.0,
        score=0.6,
    )  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.create(ANOMALIES)
    made.create(ALERTS)
    told = [
        alarm(1, "home.a", 30, 1_005),
        alarm(2, "home.a", 31, 1_005),
        alarm(3, "home.b", 30, 1_002),
        alarm(4, "home.a", 30, 900),
        alarm(5, "home.stranger", 30, 1_005),
        alarm(6, "home.a", 99, 1_005),
    ]
    made.append(ANOMALIES, anomalies(told).select(ANOMALIES.column_names), None)
    return made


def ledger(tmp_path: Path, *labels: bytes) -> Path:
    path = tmp_path / "ledger"
    readings = b"".join(
        sent(device, seconds, 1_000) for device in ("home.a", "home.b") for seconds in range(60)
    )
    path.write_bytes(b"".join(labels) + readings)
    return path


def test_alarms_of_the_run_alone_are_held_against_its_labels(tmp_path: Path, lake: Lake) -> None:
    path = ledger(tmp_path, label("home.a", 25, 40), label("home.b", 50, 55),
                  label("home.b", 70, 75))  # fmt: skip

    found = check_detection(LakeFiles(lake.root), read_ledgers([path]), timedelta(seconds=3))

    assert found is not None
    assert (found["labels"], found["found"]) == (2, 1), "a label that never came about is none"
    assert (found["alarms"], found["false_alarms"]) == (3, 1)
    assert found["delay_s"] == {"p50": 5.0, "p95": 5.0}
    assert found["alert_latency_s"] == {"p50": 5.0, "p95": 5.0}
    assert found["false_alarms_per_device_month"] == pytest.approx(30 * 86_400 / 118, rel=1e-6)
    assert any(text.startswith("recall") and "0.5" in text for text in detection_lines(found))


def test_alerts_from_elsewhere_count_and_those_of_rules_are_not_told_twice(
    tmp_path: Path, lake: Lake
) -> None:
    row = {
        "tenant": "default", "rule": "call", "severity": "warning", "state": "open",
        "device_full": "home.b", "opened_at": at(52 * SECOND), "updated_at": at(1_010 * SECOND),
        "opened_date": at(0).date(),
    }  # fmt: skip
    schema = lake.scan(ALERTS).collect_schema()
    rows = [{**row, "alert_id": f"{9:032x}"},
            {**row, "alert_id": f"{1:032x}", "device_full": "home.a"}]  # fmt: skip
    lake.append(ALERTS, pl.DataFrame(rows, schema=schema), None)
    path = ledger(tmp_path, label("home.b", 50, 55))

    found = check_detection(LakeFiles(lake.root), read_ledgers([path]), timedelta(0))

    assert found is not None
    assert (found["found"], found["alarms"]) == (1, 4)


def test_a_ledger_without_labels_says_nothing_of_detection(tmp_path: Path, lake: Lake) -> None:
    assert (
        check_detection(LakeFiles(lake.root), read_ledgers([ledger(tmp_path)]), timedelta(0))
        is None
    )
