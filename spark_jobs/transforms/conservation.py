"""Conservation: each message of bronze is in exactly one table of silver, once."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

MISSING, REPEATED, UNKNOWN = "in no table", "in two places", "not in bronze"
KINDS = (MISSING, REPEATED, UNKNOWN)
MOST_RANGES = 20
HELD = {"offset": pl.Int64(), "item": pl.Int32(), "table": pl.String()}
Range = tuple[int, int]
"""(first, last) offset, both inclusive"""


@dataclass(frozen=True, slots=True)
class Balance:
    """Messages of some records of one partition: how many, where, and which are out of place."""

    items: int
    counts: dict[str, int]
    wrong: dict[str, list[Range]]

    @property
    def difference(self) -> int:
        """Messages in silver less those in bronze."""
        return sum(self.counts.values()) - self.items

    @property
    def holds(self) -> bool:
        """Tell whether every message is in its one place."""
        return not self.difference and not any(self.wrong.values())


def balance(records: pl.DataFrame, held: pl.DataFrame) -> Balance:
    """Hold messages that silver has, by `table`, against the records of bronze.

    A message is there as often as it has a row in `held`, so those of tables with a row a reading
    come once.
    """
    items = pl.int_ranges(0, "items", dtype=pl.Int32).alias("item")
    expected = records.select("offset", items).explode("item", empty_as_null=False)
    both = (
        expected.group_by("offset", "item")
        .agg(records=pl.len())
        .join(
            held.group_by("offset", "item").agg(copies=pl.len()),
            on=["offset", "item"],
            how="full",
            coalesce=True,
        )
        .with_columns(pl.col("records", "copies").fill_null(0))
    )
    found = {
        MISSING: pl.col("copies") == 0,
        REPEATED: (pl.col("copies") > 1) | (pl.col("records") > 1),
        UNKNOWN: pl.col("records") == 0,
    }
    return Balance(
        items=int(records["items"].sum()),
        counts=dict(held.group_by("table").len().iter_rows()),
        wrong={kind: _ranges(both.filter(of_kind)["offset"]) for kind, of_kind in found.items()},
    )


def together(balances: Iterable[Balance]) -> Balance:
    """Add up the balances of parts."""
    items, counts = 0, dict[str, int]()
    wrong: dict[str, list[Range]] = {kind: [] for kind in KINDS}
    for part in balances:
        items += part.items
        for table, count in part.counts.items():
            counts[table] = counts.get(table, 0) + count
        for kind, ranges in part.wrong.items():
            wrong[kind] += ranges
    return Balance(items, counts, {kind: _joined(ranges) for kind, ranges in wrong.items()})


def told(found: Balance) -> str | None:
    """Return the offsets that are out of place, as words; None if there is none."""
    sentences = [f"{_text(found.wrong[kind])} {kind}" for kind in KINDS if found.wrong[kind]]
    return "; ".join(sentences) or None


def ends_told(first: int | None, last: int | None) -> str:
    """Return between which offsets bronze has records of an hour, as words."""
    return "nothing in bronze" if first is None else f"offsets {first}-{last}"


def _text(ranges: list[Range]) -> str:
    some = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    more = [f"and {len(some) - MOST_RANGES} ranges more"] if len(some) > MOST_RANGES else []
    return ", ".join([*some[:MOST_RANGES], *more])


def _ranges(offsets: pl.Series) -> list[Range]:
    """Return the runs of consecutive offsets."""
    ordered = pl.DataFrame({"offset": offsets.unique().sort()})
    run = (pl.col("offset").diff() != 1).fill_null(value=False).cum_sum()
    runs = ordered.group_by(run.alias("run"), maintain_order=True)
    ends = runs.agg(first=pl.col("offset").min(), last=pl.col("offset").max())
    return list(ends.select("first", "last").iter_rows())


def _joined(ranges: list[Range]) -> list[Range]:
    """Return the ranges in order, those that meet as one."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
