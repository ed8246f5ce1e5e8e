"""The verdict: figures, broken promises, and for each kind a few rows with their queries."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import polars as pl

from simulator.scoring.detection import detection_lines
from simulator.scoring.findings import Findings
from simulator.scoring.gold import GoldVerdict
from simulator.scoring.ledgers import IDENTITY, Ledger

EXAMPLES = 5
BROKEN = ("lost", "duplicate", "phantom", "altered", "misplaced")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` says."""

    ok: bool
    sent: int
    acked: int
    lost: int
    duplicate: int
    phantom: int
    altered: int
    misplaced: int
    late: int
    rejected: dict[str, int]
    duplicates: int
    conflicts: int
    stored_twice: int
    """Copies in bronze that the gateway made: no promise speaks of them, silver has one."""
    readings: int
    gold: dict[str, int] | None
    detection: dict[str, object] | None
    examples: list[dict[str, object]]

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def verdict(
    ledger: Ledger,
    places: pl.DataFrame,
    messages: pl.DataFrame,
    found: Findings,
) -> Verdict:
    """Put figures and findings together, all but gold."""
    counts = {kind: int(getattr(found, kind)["count"].sum()) for kind in BROKEN}
    ours = places.join(messages, on=IDENTITY, how="semi")
    outcomes = dict(ours.group_by("outcome").len().iter_rows())
    return Verdict(
        ok=not any(counts.values()),
        sent=ledger.sent.height,
        acked=int(ledger.acked["acked"].sum()),
        **counts,
        late=outcomes.get("late", 0),
        rejected=_rejected(ours, messages),
        duplicates=outcomes.get("duplicate", 0),
        conflicts=outcomes.get("conflict", 0),
        stored_twice=int(messages["stored_twice"].sum()),
        readings=int(ours["rows"].sum()),
        gold=None,
        detection=None,
        examples=list(_examples(found)),
    )


def with_gold(found: Verdict, gold: GoldVerdict) -> Verdict:
    """Add gold to the verdict."""
    return replace(
        found,
        ok=found.ok and gold.wrong.is_empty(),
        gold={"windows": gold.windows, "wrong": gold.wrong.height},
        examples=[*found.examples, *_gold_examples(gold)],
    )


def _rejected(places: pl.DataFrame, messages: pl.DataFrame) -> dict[str, int]:
    rules = pl.col("rules").cast(pl.String).str.split("|")
    foreseen = pl.col("reason").cast(pl.String)
    rule = pl.when(rules.list.contains(foreseen)).then(foreseen).otherwise(rules.list.first())
    refused = places.filter(pl.col("outcome") == "rejected")
    known = refused.join(messages.select(*IDENTITY, "reason"), on=IDENTITY)
    counts = known.select(rule.alias("rule")).group_by("rule").len().sort("rule")
    return {str(name): count for name, count in counts.iter_rows()}


def _examples(found: Findings) -> Iterator[dict[str, object]]:
    for kind in BROKEN:
        frame: pl.DataFrame = getattr(found, kind)
        for row in frame.head(EXAMPLES).iter_rows(named=True):
            tenant, _, device = str(row.pop("who")).partition("/")
            known = {name: value for name, value in row.items() if value is not None}
            example = {"kind": kind, "tenant": tenant, "device": device, **known}
            yield {**example, "sql": _query(example)}


def _query(row: dict[str, object]) -> str:
    table = "silver.readings"
    if row["kind"] in ("lost", "phantom", "altered") and "offset" in row:
        table = "bronze.messages"
    if "offset" in row and (row["kind"] not in ("duplicate",) or "seq" not in row):
        where = " and ".join(
            f'"{name}" = {_literal(row[name])}' for name in ("topic", "partition", "offset")
        )
    else:
        names = {"device_full": row["device"], "boot": row.get("boot"), "seq": row.get("seq")}
        where = " and ".join(
            f"{name} = {_literal(value)}" for name, value in names.items() if value is not None
        )
    return f"select * from {table} where {where}"  # noqa: S608 (shown, not run)


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _gold_examples(gold: GoldVerdict) -> Iterator[dict[str, object]]:
    for row in gold.wrong.head(EXAMPLES).iter_rows(named=True):
        device = str(row["who"]).partition("/")[2]
        start = f"{row['window_start']:%Y-%m-%d %H:%M:%S} UTC"
        yield {
            "kind": "gold",
            "device": device,
            "metric": row["metric"],
            "window_start": start,
            "detail": f"silver has {row['count'] or 0} readings, gold {row['gold_count'] or 0}",
            "sql": f"select * from {row['table']} where device_full = {_literal(device)}"  # noqa: S608
            f" and metric = {_literal(row['metric'])} and window_start = timestamp '{start}'",
        }


def table(found: Verdict) -> str:
    """Return the verdict as a person reads it."""
    lines = [f"{'sent':12}{found.sent:>12,}", f"{'acknowledged':12}{found.acked:>12,}"]
    lines += [f"{'readings':12}{found.readings:>12,}", ""]
    lines += [_line(kind, getattr(found, kind)) for kind in BROKEN]
    if found.gold:
        lines.append(_line("gold wrong", found.gold["wrong"]))
        lines.append(f"{'  windows':12}{found.gold['windows']:>12,}")
    lines += ["", f"{'late':12}{found.late:>12,}", f"{'duplicates':12}{found.duplicates:>12,}"]
    lines += [f"{'conflicts':12}{found.conflicts:>12,}"]
    lines += [f"{'stored twice':12}{found.stored_twice:>12,}  by the gateway"]
    lines += [f"{'rejected':12}{sum(found.rejected.values()):>12,}"]
    lines += [f"  {rule:24}{count:>12,}" for rule, count in found.rejected.items()]
    if found.detection:
        lines += ["", *detection_lines(found.detection)]
    for example in found.examples:
        lines += ["", f"{example['kind']}: {example.get('device', '')} {example['detail']}"]
        lines.append(f"  {example['sql']}")
    lines += ["", "every promise is kept" if found.ok else "PROMISES ARE BROKEN"]
    return "\n".join(lines)


def _line(name: str, count: int) -> str:
    return f"{name:12}{count:>12,}{'' if count == 0 else '  !'}"
