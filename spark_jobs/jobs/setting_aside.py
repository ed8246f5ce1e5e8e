"""Messages that the proof takes out of silver, with their bytes: duplicates and conflicts."""

from collections.abc import Iterator

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.transforms.copies import ITEM, MESSAGE
from telemetry.message import decode
from telemetry.tables import CONFLICTS, DUPLICATES, MESSAGES

PIECE = 20_000
_RECORD = ITEM[:3]
_FIRST_RECORD = [f"first_{name}" for name in _RECORD]


def set_aside(lake: Lake, later: pl.DataFrame) -> None:
    """Append messages to duplicates or conflicts by their bytes, those that are not there yet."""
    for messages in later.unique(ITEM).sort(ITEM).iter_slices(PIECE):
        judged = _with_bytes(lake, _not_there(lake, messages))
        is_same = pl.col("first_message").is_null() | (
            pl.col("first_message") == pl.col("message")
        ).fill_null(value=True)
        for table, rows in (
            (DUPLICATES, judged.filter(is_same)),
            (CONFLICTS, judged.filter(~is_same)),
        ):
            if rows.height:
                lake.append(table, rows.select(table.column_names), None)


def _not_there(lake: Lake, messages: pl.DataFrame) -> pl.DataFrame:
    """Leave out what a run that was killed has set aside."""
    offsets = pl.col("offset").is_between(messages["offset"].min(), messages["offset"].max())
    for table in (DUPLICATES, CONFLICTS):
        there = lake.scan(table).filter(offsets).select(ITEM).collect()
        messages = messages.join(there, on=ITEM, how="anti")
    return messages


def _with_bytes(lake: Lake, messages: pl.DataFrame) -> pl.DataFrame:
    values = dict(_values(lake, messages))
    places = messages.select(*ITEM).rows()
    firsts = messages.select(*_FIRST_RECORD, "first_item").rows()
    never = pl.lit(None, pl.Datetime("us", "UTC"))
    reason = pl.lit([], pl.List(pl.Struct(dict.fromkeys(("field", "rule", "value"), pl.String()))))
    return messages.select(
        *MESSAGE,
        *ITEM,
        "product",
        "schema_version",
        "event_time",
        "received_at",
        "kafka_time",
        *_FIRST_RECORD,
        "first_item",
        message=pl.Series([_raw(values, place) for place in places], dtype=pl.Binary),
        first_message=pl.Series([_raw(values, place) for place in firsts], dtype=pl.Binary),
        reasons=reason,
        replayed_at=never,
        received_date=pl.col("received_at").dt.date(),
    )


def _values(lake: Lake, messages: pl.DataFrame) -> Iterator[tuple[tuple[object, ...], bytes]]:
    wanted = pl.concat(
        [
            messages.select(_RECORD),
            messages.select(_FIRST_RECORD).rename(dict(zip(_FIRST_RECORD, _RECORD, strict=True))),
        ]
    ).unique()
    near = pl.col("offset").is_between(wanted["offset"].min(), wanted["offset"].max())
    rows = lake.scan(MESSAGES).filter(near).select(*_RECORD, "value")
    found = rows.join(wanted.lazy(), on=_RECORD, how="semi").collect(engine="streaming")
    for *place, value in found.iter_rows():
        yield tuple(place), value


def _raw(values: dict[tuple[object, ...], bytes], place: tuple[object, ...]) -> bytes | None:
    *record, item = place
    value = values.get(tuple(record))
    if value is None:
        return None
    messages = decode(value)
    assert isinstance(item, int)
    return messages[item].raw if item < len(messages) else None
