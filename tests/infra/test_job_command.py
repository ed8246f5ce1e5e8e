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
