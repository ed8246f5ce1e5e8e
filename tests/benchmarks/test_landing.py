"""A comparison of ways to land: what is asked, and what becomes of a peer that fails."""

import argparse
import subprocess

import pytest

from benchmarks.landing import in_turns
from benchmarks.marks import check_warm_up

WAYS = ("ours", "spark_plain", "flink_plain")


def taken(way: str, number: int) -> dict[str, object]:
    return {"cpu_us": 1.0, "turn": (way, number)}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (subprocess.CalledProcessError(-9, ["python"]), "exit code -9"),
        (AssertionError("flink_plain: 3 rows in plain, 4 are right"), "4 are right"),
    ],
)
def test_a_peer_that_fails_is_left_out_and_says_why(error: Exception, why: str) -> None:
    asked = []

    def land(way: str, number: int) -> dict[str, object]:
        asked.append((way, number))
        if (way, number) == ("flink_plain", 1):
            raise error
        return taken(way, number)

    rounds, left_out = in_turns(land, 3, WAYS)

    assert [*left_out] == ["flink_plain"]
    assert why in left_out["flink_plain"]
    assert [[*each] for each in rounds] == [[*WAYS], [*WAYS[:2]], [*WAYS[:2]]]
    assert asked[-2:] == [("ours", 2), ("spark_plain", 2)], "it is not tried again"


def test_ours_that_fails_is_no_peer() -> None:
    def land(way: str, number: int) -> dict[str, object]:
        raise AssertionError(f"{way} {number}: rows are missing")

    with pytest.raises(AssertionError, match="ours 0: rows are missing"):
        in_turns(land, 3, WAYS)


@pytest.mark.parametrize(
    ("messages", "warm", "batch"), [(800_000, 800_000, 200_000), (1000, 0, 1000), (500, 350, 300)]
)
def test_a_backlog_that_its_warm_up_takes_whole_is_refused_before_it_is_sent(
    messages: int, warm: int, batch: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = argparse.ArgumentParser()
    with pytest.raises(SystemExit):
        check_warm_up(options, messages, warm, batch)
    assert f"of {messages:,} messages none is left" in capsys.readouterr().err
    check_warm_up(options, 2 * messages + 1, warm, batch)
