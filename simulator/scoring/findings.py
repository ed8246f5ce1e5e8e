"""What is wrong, by kind: a row a message, with its coordinates and what was seen."""

from dataclasses import dataclass

import polars as pl

from simulator.scoring.lake import COORDINATES
from simulator.scoring.ledgers import IDENTITY, OUTCOMES, Ledger
from simulator.scoring.matching import KEY, Evidence

CLOCK_GRAIN_US = 5_000
"""Kafka's append time is in whole milliseconds, so it may lie a little before the ledger's."""

WAITED_US = 100_000
"""What comes so long after it was written down has waited: its device had no connection."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Wrong messages by kind; each frame has key, coordinates, count and detail."""

    lost: pl.DataFrame
    duplicate: pl.DataFrame
    phantom: pl.DataFrame
    altered: pl.DataFrame
    misplaced: pl.DataFrame


def findings(evidence: Evidence, messages: pl.DataFrame, wrong: pl.DataFrame) -> Findings:
    """Return every broken promise; `messages` are the identities, `wrong` is of their contents."""
    missing = messages.filter(pl.col("acked") > pl.col("found"))
    strays = _strays(evidence, messages)
    changed = missing.filter(pl.col("in_bronze") < pl.col("acked"), pl.col("seq").is_not_null())
    changed = changed.join(strays, on=KEY, how="semi")
    return Findings(
        lost=pl.concat(
            [_lost(missing.join(changed, on=IDENTITY, how="anti")), _by_rows(wrong, "lost")]
        ),
        duplicate=pl.concat(
            [_twice(evidence), _kept_twice(messages), _by_rows(wrong, "duplicate")]
        ),
        phantom=pl.concat(
            [
                _row(strays.join(changed, on=KEY, how="anti"), "never sent"),
                _extra(messages),
                _without_bronze(evidence, missing),
                _by_rows(wrong, "phantom"),
            ]
        ),
        altered=pl.concat(
            [_row(changed, "other bytes under its key in bronze"), _by_rows(wrong, "altered")]
        ),
        misplaced=pl.concat([_misplaced(messages), _wrong_reason(messages)]),
    )


def _row(frame: pl.DataFrame, detail: str | pl.Expr, count: str | pl.Expr = "one") -> pl.DataFrame:
    number = pl.lit(1) if isinstance(count, str) else count
    return frame.select(
        *KEY,
        *COORDINATES,
        number.cast(pl.Int64).alias("count"),
        (pl.lit(detail) if isinstance(detail, str) else detail).alias("detail"),
    )


def _strays(evidence: Evidence, messages: pl.DataFrame) -> pl.DataFrame:
    within = _within(evidence.ledger)
    return evidence.items.filter(within).join(messages, on=IDENTITY, how="anti")


def _within(ledger: Ledger) -> pl.Expr:
    return pl.col("received_at").is_between(ledger.first - CLOCK_GRAIN_US, ledger.last)


def _lost(missing: pl.DataFrame) -> pl.DataFrame:
    detail = (
        pl.when(pl.col("in_bronze") < pl.col("acked"))
        .then(pl.lit("acknowledged, not in bronze"))
        .otherwise(pl.lit("in bronze, in no table of silver"))
    )
    return _row(missing, detail, pl.col("acked") - pl.col("found"))


def _twice(evidence: Evidence) -> pl.DataFrame:
    kept = evidence.found.filter(pl.col("outcome").is_in(["silver", "late"]))
    copies = kept.group_by(KEY).agg(
        pl.len().alias("copies"), *(pl.col(name).last() for name in COORDINATES)
    )
    return _row(
        copies.filter(pl.col("copies") > 1),
        pl.format("{} messages of one key in readings and late", "copies"),
        pl.col("copies").cast(pl.Int64) - 1,
    )


def _kept_twice(messages: pl.DataFrame) -> pl.DataFrame:
    """Return what the gateway stored twice and silver cannot tell from two messages."""
    over = pl.col("keyless") - pl.col("sent") - pl.col("again")
    kept = pl.min_horizontal(over, "stored_twice")
    rows = messages.filter(pl.col("seq").is_null(), kept > 0)
    return _row(rows, "stored twice by the gateway, and kept twice: it has no key", kept)


def _extra(messages: pl.DataFrame) -> pl.DataFrame:
    extra = pl.col("in_bronze") - pl.col("sent") - pl.col("again") - pl.col("stored_twice")
    return _row(messages.filter(extra > 0), "more copies in bronze than were sent", extra)


def _without_bronze(evidence: Evidence, missing: pl.DataFrame) -> pl.DataFrame:
    rows = evidence.found.filter(_within(evidence.ledger))
    orphans = rows.join(evidence.items, on=COORDINATES, how="anti")
    return _row(
        orphans.join(missing, on=KEY, how="anti"),
        pl.format("in {}, but not in bronze", "outcome"),
    )


def _by_rows(wrong: pl.DataFrame, kind: str) -> pl.DataFrame:
    detail = pl.format(
        "{}: {} readings sent, {} rows; event time {}",
        "outcome",
        "readings",
        pl.col("rows").fill_null(0),
        pl.col("event_time").fill_null(0),
    )
    return _row(wrong.filter(pl.col("wrong") == kind), detail)


def _misplaced(messages: pl.DataFrame) -> pl.DataFrame:
    over = pl.sum_horizontal(
        (pl.col(f"found_{outcome}") - pl.col(f"want_{outcome}")).clip(0) for outcome in OUTCOMES
    ) - (pl.col("in_bronze") - pl.col("sent")).clip(0)
    # What a device sent again, or had to keep, may have come too late, or after a conflict.
    is_delayed = (pl.col("again") > 0) | (pl.col("waited") > WAITED_US)
    unsure = messages.filter((pl.col("sent") > pl.col("acked")) | is_delayed)
    keyed = unsure.filter(pl.col("seq").is_not_null())
    sure = messages.join(unsure, on=IDENTITY, how="anti").join(keyed, on=KEY, how="anti")
    swayed = messages.join(sure, on=IDENTITY, how="anti")
    refusal = (pl.col("want_rejected") > 0) != (pl.col("found_rejected") > 0)
    return pl.concat(
        [
            _row(sure.filter(over > 0), _where(), over),
            _row(swayed.filter(pl.col("found") > 0, refusal), _where()),
        ]
    )


def _where() -> pl.Expr:
    return pl.format(
        "expected {}; found {}",
        pl.concat_str([_named("want", outcome) for outcome in OUTCOMES]),
        pl.concat_str([_named("found", outcome) for outcome in OUTCOMES]),
    )


def _named(column: str, outcome: str) -> pl.Expr:
    count = pl.col(f"{column}_{outcome}")
    return (
        pl.when(count > 0).then(pl.format("{} {} ", count, pl.lit(outcome))).otherwise(pl.lit(""))
    )


def _wrong_reason(messages: pl.DataFrame) -> pl.DataFrame:
    rules, reason = pl.col("rules").cast(pl.String), pl.col("reason").cast(pl.String)
    rows = messages.filter(
        pl.col("want_rejected") > 0,
        pl.col("found_rejected") > 0,
        ~rules.str.split("|").list.contains(reason),
    )
    return _row(rows, pl.format("rejected for {}, expected {}", rules, reason))
