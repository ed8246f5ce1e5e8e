"""What rules remember as a release leaves it: `python -m tests.spark_jobs.previous_rules`.

Run it at each release beside `previous_release`: from then on the tests go on from what it stores.
"""

import lzma
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from spark_jobs.scoring_state import NAME, ScoringFiles, ScoringState
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, evaluator, readings, rule

FIXTURES = Path(__file__).parent / "fixtures"
STORED_MINUTES, MINUTES = 300, 400
STATE = ScoringState("scoring/stored", 7)


def rules() -> list[VersionedRule]:
    """Return rules of each way in which something is remembered."""
    few: dict[str, object] = {"learning": {"readings": 20}}
    return [
        rule({"kind": "threshold", "bound": 8.0}, rule="hot", persistence={"k": 2, "n": 3}),
        rule({"kind": "zscore", "deviations": 3.0, "readings": 50}, 1, rule="z", **few),
        rule({"kind": "mad", "deviations": 5.0, "readings": 9}, rule="mad"),
        rule({"kind": "seasonal", "deviations": 3.0, "slots": 168}, rule="week"),
        rule({"kind": "ratio", "ratio": 0.5}, rule="hour"),
        rule({"kind": "no_data", "lasts": "10 min"}, rule="silent", metric=None),
        rule({"kind": "several", "by": "t2", "rows": 100}, rule="both", metrics=["m", "n"]),
    ]


def rows(first: int, last: int) -> list[Row]:
    """Return what three devices say in some minutes; one of them pauses, another one jumps."""
    drawn = np.random.default_rng(8).normal(5.0, 1.0, (MINUTES, 3, 2))
    drawn[290:330, 1] += 6.0
    return [
        (f"d{device}", metric, MONDAY_US + minute * MINUTE_US, float(drawn[minute, device, place]))
        for minute in range(first, last)
        for device in range(3)
        for place, metric in enumerate("mn")
        if device != 2 or not 280 <= minute < 310
    ]


def main() -> None:
    """Store what today's code remembers."""
    judging = evaluator(*rules())
    judging.take(readings(rows(0, STORED_MINUTES)), 5)
    judging.tick(MONDAY_US + STORED_MINUTES * MINUTE_US)
    target = FIXTURES / f"rules-{version('headwater')}.state.xz"
    with tempfile.TemporaryDirectory() as name:
        ScoringFiles(Path(name)).save(STATE, judging)
        target.write_bytes(lzma.compress((Path(name) / NAME).read_bytes()))
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
