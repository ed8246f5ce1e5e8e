"""The scoring of a lake: read the ledger, bronze and silver, compare, pass the verdict."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from edge.registry_files import RegistryFiles
from simulator.scoring.bronze import SentinelsOf, bronze_items
from simulator.scoring.contents import wrong_contents
from simulator.scoring.detection import check_detection
from simulator.scoring.findings import CLOCK_GRAIN_US, findings
from simulator.scoring.found import found_messages
from simulator.scoring.gold import check_gold
from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import Ledger, read_ledgers
from simulator.scoring.matching import Evidence, identities, placed
from simulator.scoring.verdict import Verdict, verdict, with_gold

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GRACE = timedelta(hours=1)
"""How long after a label's end an alarm still finds it."""


def score(
    lake: LakeFiles, ledgers: list[Path], sentinels: SentinelsOf, grace: timedelta = GRACE
) -> Verdict:
    """Hold the lake against ledgers."""
    ledger = read_ledgers(ledgers)
    whos = ledger.sent.select("who").unique()
    found, first_event = _silver(lake, ledger, whos, sentinels)
    gold = None if first_event is None else check_gold(lake, whos, first_event)
    whole = found if gold is None else with_gold(found, gold)
    return replace(whole, detection=check_detection(lake, ledger, grace))


def _silver(
    lake: LakeFiles, ledger: Ledger, whos: pl.DataFrame, sentinels: SentinelsOf
) -> tuple[Verdict, int | None]:
    since = EPOCH + timedelta(microseconds=ledger.first - CLOCK_GRAIN_US)
    items = bronze_items(lake, whos, since, sentinels)
    evidence = Evidence(ledger, items, found_messages(lake, whos, items, since))
    places = placed(evidence)
    messages = identities(evidence, places)
    contents = wrong_contents(lake, places, messages, since)
    wrong = findings(evidence, messages, contents)
    first_event = evidence.found["event_time"].min()
    found = verdict(ledger, places, messages, wrong)
    return found, first_event if isinstance(first_event, int) else None


def registered_sentinels(registry: RegistryFiles) -> SentinelsOf:
    """Return what stands for no reading, by tenant and product, then by metric."""
    sentinels: dict[str, dict[str, frozenset[object]]] = {}
    for (tenant, key), product in registry.products().items():
        metrics: dict[str, frozenset[object]] = {}
        for version in product.versions:
            for name, metric in version.metrics.items():
                metrics[name] = metrics.get(name, frozenset()) | frozenset(metric.sentinels)
        sentinels[f"{tenant}/{key}"] = {name: found for name, found in metrics.items() if found}
    return dict(sentinels)
