"""Lakes broken by hand, and the verdicts on them."""

from collections.abc import Callable
from pathlib import Path

from simulator.scenarios import load_scenario
from simulator.scoring.lake import LakeFiles
from simulator.scoring.score import registered_sentinels, score
from simulator.scoring.verdict import BROKEN, Verdict
from telemetry.tables import READINGS
from tests.simulator.lakes import Row, Rows, prepared, write, write_ledger
from tests.simulator.runs import RunParts

FAULTS = load_scenario("faults")
Break = Callable[[Rows], None]


def judge_lake(root: Path, broken: Break = lambda rows: None, *, unacked: int = 0) -> Verdict:
    """Return the verdict on a faulty fleet's lake that `broken` has changed."""
    parts, rows, ledger = prepared(root, FAULTS)
    if unacked:
        write_ledger(parts, ledger, unacked=unacked)
    broken(rows)
    write(rows, root / "lake")
    return verdict_on(root, parts, ledger)


def verdict_on(root: Path, parts: RunParts, ledger: Path) -> Verdict:
    """Return the verdict on the lake that stands below `root`."""
    return score(LakeFiles(str(root / "lake")), [ledger], registered_sentinels(parts.registry))


def counts(verdict: Verdict) -> dict[str, int]:
    """Return the broken promises that are not 0."""
    return {kind: getattr(verdict, kind) for kind in BROKEN if getattr(verdict, kind)}


def plain(rows: Rows) -> list[Row]:
    """Return the readings of one ordinary message."""
    first = next(row for row in rows.of(READINGS) if str(row["device_full"]).startswith("meter"))
    return [row for row in rows.of(READINGS) if row["offset"] == first["offset"]]


def remove(rows: Rows, gone: list[Row]) -> None:
    """Remove readings."""
    kept = [row for row in rows.of(READINGS) if not any(row is other for other in gone)]
    rows.tables[READINGS.name] = kept
