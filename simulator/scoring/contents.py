"""Whether the rows of a message in silver are its readings, at its time, of its bytes."""

from datetime import datetime

import polars as pl

from simulator.scoring.found import KEPT, kept_rows
from simulator.scoring.lake import COORDINATES, LakeFiles
from simulator.scoring.ledgers import IDENTITY

MOST = 100_000
"""So many wrong messages are looked at closely; of more, rows are only counted."""


def wrong_contents(
    lake: LakeFiles, places: pl.DataFrame, messages: pl.DataFrame, since: datetime
) -> pl.DataFrame:
    """Return the messages whose rows are wrong, with the kind of wrong; one row for each kind."""
    suspects = _suspects(places, messages)
    metrics = pl.col("rows")
    if suspects.height:
        suspects = suspects.join(_metrics(lake, suspects, since), on=COORDINATES, how="left")
        metrics = pl.coalesce("metrics", "rows")
    is_kept = pl.col("outcome").is_in(list(KEPT))
    kinds = pl.concat_list(
        pl.when(is_kept & (metrics < pl.col("readings"))).then(pl.lit("lost")),
        pl.when(is_kept & (metrics < pl.col("rows"))).then(pl.lit("duplicate")),
        pl.when(is_kept & (metrics > pl.col("readings"))).then(pl.lit("phantom")),
    ).list.drop_nulls()
    altered = pl.lit(["altered"], dtype=pl.List(pl.String))
    wrong = pl.when(kinds.list.len() > 0).then(kinds).otherwise(altered)
    return suspects.with_columns(wrong.alias("wrong")).explode("wrong")


def _suspects(places: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    sent = messages.select(*IDENTITY, pl.col("event_time").alias("want_time"), "sent_at")
    is_kept = pl.col("outcome").is_in(list(KEPT))
    other_readings = (pl.col("rows") != pl.col("readings")) | (
        pl.col("fingerprint") != pl.col("found_fingerprint")
    )
    other_bytes = (pl.col("m1") != pl.col("h1")) | (pl.col("m2") != pl.col("h2"))
    is_wrong = (is_kept & (other_readings | pl.col("is_torn"))) | other_bytes.fill_null(False)
    want_time = pl.coalesce("want_time", "received_at")
    timed = places.filter(is_kept).select(*IDENTITY, *COORDINATES, "event_time", "received_at")
    # A clock ahead is held to the gateway's: it is ahead of the arrival, not of the sending.
    ahead = pl.col("want_time") - pl.col("sent_at")
    is_held = (ahead > 0) & (pl.col("event_time") - pl.col("received_at") == ahead)
    is_other = (pl.col("event_time") != want_time) & ~is_held.fill_null(value=False)
    mistimed = timed.join(sent, on=IDENTITY).filter(is_other)
    return pl.concat(
        [
            places.filter(pl.col("outcome").is_not_null(), is_wrong).join(
                sent, on=IDENTITY, how="semi"
            ),
            places.filter(is_kept & ~is_wrong).join(
                mistimed, on=[*IDENTITY, *COORDINATES], how="semi"
            ),
        ]
    )


def _metrics(lake: LakeFiles, suspects: pl.DataFrame, since: datetime) -> pl.DataFrame:
    places = suspects.select(COORDINATES).unique().head(MOST)
    parts = []
    for outcome in KEPT:
        rows = kept_rows(lake, outcome, since).select(*COORDINATES, "metric")
        for chunk in (*lake.chunks(rows), rows.clear().collect()):
            typed = chunk.with_columns(pl.col("topic").cast(pl.Categorical))
            parts.append(typed.join(places, on=COORDINATES, how="semi"))
    of_message = pl.concat(parts).group_by(COORDINATES)
    return of_message.agg(pl.col("metric").n_unique().alias("metrics"))
