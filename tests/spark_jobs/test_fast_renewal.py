"""When the fast lane starts another query, and which of two it keeps."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import SparkSession

from edge.rule_files import RuleFiles
from spark_jobs.jobs.fast import FastLane, Wanted
from spark_jobs.jobs.fast_lane import FastQuery, Offsets
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings

RENEW_S = 60.0
ENDS: Offsets = {0: 7}


@dataclass
class Query:
    """Stands for a query: started, live and failed as the test says."""

    offsets: Offsets = field(default_factory=dict)
    live: bool = True
    error: BaseException | None = None
    stopped: bool = False

    def start(self, _spark: SparkSession, offsets: Offsets) -> None:
        self.offsets = offsets

    def is_live(self, _spark: SparkSession, _now: float) -> bool:
        return self.live

    def stop(self) -> None:
        self.stopped = True


class Watched:
    """A lane whose queries the test sees, one second a step."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, fast_renew_s=RENEW_S)
        self.queries: list[Query] = []
        self.wanted: list[Wanted] = []
        self.lives = True
        self.now = 1_000.0
        self.put(1)
        spark = cast("SparkSession", None)
        self.lane = FastLane(self.settings, spark, self._query, lambda _settings, _since: ENDS)

    def _query(self, _settings: Settings, wanted: Wanted) -> FastQuery:
        self.wanted.append(wanted)
        self.queries.append(Query(live=self.lives))
        return cast("FastQuery", self.queries[-1])

    def put(self, version: int) -> None:
        """Put a version of the rule to work."""
        check = {"kind": "threshold", "bound": 80 + version}
        declared = {"rule": "hot", "metric": "t", "lane": "fast", "check": check}
        kept = VersionedRule(rule_from_dict(declared), version, is_on=True)
        RuleFiles(self.settings.registry_dir).put(kept)

    def go(self, seconds: float) -> None:
        """Step on for so long."""
        until = self.now + seconds
        while self.now < until:
            self.now += 1.0
            assert self.lane.step(self.now)

    @property
    def at_work(self) -> list[Query]:
        return [query for query in self.queries if not query.stopped]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_another_query_renews_what_is_broadcast_then_the_first_ends(watched: Watched) -> None:
    watched.go(RENEW_S - 10)
    (first,) = watched.queries
    watched.lives = False
    watched.go(20)
    second = watched.queries[1]
    assert watched.at_work == [first, second], "the first works until the second is live"
    assert second.offsets == ENDS
    second.live = True
    watched.go(2)
    assert watched.at_work == [second]
    watched.go(RENEW_S)
    assert len(watched.queries) == 3


def test_query_that_fails_to_renew_leaves_the_one_at_work(watched: Watched) -> None:
    watched.go(10)
    (first,) = watched.queries
    watched.lives = False
    watched.go(RENEW_S)
    watched.queries[1].error = RuntimeError("no file")
    watched.lives = True
    watched.go(1)
    assert not first.stopped
    watched.go(10)
    assert watched.at_work == [watched.queries[2]]


def test_changed_rule_is_taken_up_while_another_query_begins(watched: Watched) -> None:
    watched.go(10)
    watched.lives = False
    watched.go(RENEW_S)
    watched.put(2)
    watched.go(2)
    first, second, third = watched.queries
    assert second.stopped
    third.live = True
    watched.go(2)
    assert first.stopped
    assert watched.at_work == [third]


def test_lane_goes_on_where_nothing_can_be_written(watched: Watched) -> None:
    watched.go(5)
    # As on a full disk: what is to be replaced is none to be replaced.
    (seen,) = (watched.settings.checkpoint_dir / "fast").glob("seen.json")
    seen.unlink()
    (seen / "held").mkdir(parents=True)

    watched.go(5)

    assert watched.at_work == watched.queries


def test_query_that_may_not_have_caught_up_is_followed_from_where_it_began(
    watched: Watched,
) -> None:
    watched.go(5)
    began: Offsets = {0: 3}
    watched.queries[0].offsets = began
    watched.put(2)
    watched.go(2)
    watched.put(3)
    watched.go(2)
    assert [query.offsets for query in watched.queries[1:]] == [began, began]
    watched.go(40)
    watched.put(4)
    watched.go(2)
    assert watched.queries[3].offsets == ENDS


def test_query_at_work_that_ends_is_begun_anew(watched: Watched) -> None:
    watched.go(10)
    watched.queries[0].error = RuntimeError("gone")
    watched.go(5)
    assert watched.queries[0].stopped
    assert watched.at_work == [watched.queries[1]]


def test_known_rules_go_on_while_the_registry_is_away(watched: Watched) -> None:
    watched.go(10)
    rules = watched.settings.registry_dir / "rules"
    (rules / "default" / "hot.json").write_text('{"rule": "ho')
    watched.go(RENEW_S)
    assert watched.at_work == [watched.queries[1]], "what is broadcast is renewed all the same"
    watched.queries[1].error = RuntimeError("gone")
    watched.go(5)
    assert watched.at_work == [watched.queries[2]]

    rules.rename(watched.settings.registry_dir / "away")
    watched.queries[2].error = RuntimeError("gone")
    watched.go(10)
    assert watched.at_work == [watched.queries[3]]
    (watched.settings.registry_dir / "away").rename(rules)
    watched.put(2)
    watched.go(3)
    assert watched.at_work == [watched.queries[4]]
    assert [kept.version for kept in watched.wanted[-1].rules] == [2]
