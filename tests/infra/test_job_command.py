"""What `headwater job` shows of a replay: differences as a table, then figures as JSON."""

import json

import pytest

from infra import job_screen

DIFFERENCE = {
    "table": "silver.readings",
    "key": {"device_full": "meter.d1", "seq": 7},
    "columns": ["value"],
    "before": {"value": 7.0},
    "after": {"value": 2.5},
}


def test_differences_are_a_table_and_the_figures_follow_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"differences": {"silver.readings": 1}, "ok": False}

    job_screen.show_figures({"first": [DIFFERENCE], **figures})

    *table, last = capsys.readouterr().out.splitlines()
    assert any("meter.d1" in line and "7.0" in line and "2.5" in line for line in table)
    assert json.loads(last) == figures


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"messages": 0, "differences": {}}, "bronze has no message"),
        (
            {"messages": 1200, "differences": {}, "compared": {"a": 1000, "b": 500}},
            "identical: 1,200 messages judged anew, 1,500 rows",
        ),
        ({"messages": 0, "differences": {"a": 2}, "file": "f.ndjson"}, "2 rows differ"),
        (
            {
                "messages": 3,
                "differences": {"a": 2},
                "file": "f.ndjson",
                "put": {"a": 4},
                "restated": "pending",
            },
            "listed in f.ndjson; put in place: 4 rows, gold: pending",
        ),
    ],
)
def test_a_sentence_beside_says_how_a_replay_ended(
    figures: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    job_screen.show_figures({"first": [], **figures})

    shown = capsys.readouterr()
    assert said in shown.err
    assert json.loads(shown.out) == figures
