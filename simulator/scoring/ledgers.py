"""Ledgers as one frame: what was sent, what must come of it, how much was acknowledged."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
import polars as pl

from telemetry.errors import HeadwaterError

CHUNK_BYTES = 64 * 1024 * 1024
OUTCOMES = ("silver", "rejected", "late", "duplicate", "conflict")
IDENTITY = ("who", "h1", "h2")
"""A message: whose it is, and the first half of its bytes' SHA-256."""
OUTCOME = pl.Enum(OUTCOMES)

_LINE = pl.Schema(
    {
        "e": pl.String,
        "tenant": pl.String,
        "device": pl.String,
        "boot": pl.String,
        "seq": pl.Int64,
        "sha256": pl.String,
        "sent_at": pl.Int64,
        "at": pl.Int64,
        "event_time": pl.Int64,
        "expect": pl.String,
        "reason": pl.String,
        "metric": pl.String,
        "kind": pl.String,
        "from": pl.Int64,
        "to": pl.Int64,
    }
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sent messages, one row a line; acknowledgements by digest; the time that they span.

    `again` counts further copies by identity, which devices sent since they had no answer.
    `labels` say what truly went wrong: `who`, metric, kind, and event times `from` and `to`.
    """

    sent: pl.DataFrame
    acked: pl.DataFrame
    again: pl.DataFrame
    labels: pl.DataFrame
    first: int
    last: int

    @property
    def whos(self) -> list[str]:
        """Tenant and full name of every device."""
        return self.sent["who"].unique().cast(pl.String).to_list()


def read_ledgers(paths: list[Path]) -> Ledger:
    """Read ledgers; a line torn by a kill is left out, as it announced nothing that was sent."""
    sent: list[pl.DataFrame] = []
    acked: list[pl.DataFrame] = []
    again: list[pl.DataFrame] = []
    labels: list[pl.DataFrame] = []
    last = 0
    for chunk in (chunk for path in paths for chunk in _chunks(path)):
        lines = _parse(chunk)
        last = max(last, _latest(lines))
        sent.append(_sent(lines.filter(pl.col("e") == "sent")))
        acked.append(_digests(lines.filter(pl.col("e") == "ack")))
        again.append(_again(lines.filter(pl.col("e") == "again")))
        labels.append(_labels(lines.filter(pl.col("e") == "label")))
    whole = pl.concat(sent) if sent else pl.DataFrame()
    if whole.is_empty():
        raise HeadwaterError(f"no message in {', '.join(map(str, paths))}: is it a ledger?")
    for kind, frame in (("sent", whole), ("ack", pl.concat(acked)), ("again", pl.concat(again))):
        _check_whole(paths, kind, frame)
    first = whole["sent_at"].min()
    assert isinstance(first, int)
    counts = pl.concat(acked).group_by("h1", "h2").agg(pl.len().cast(pl.Int64).alias("acked"))
    copies = pl.concat(again).group_by(IDENTITY).agg(pl.len().cast(pl.Int64).alias("again"))
    return Ledger(whole, counts, copies, pl.concat(labels), first, last)


def check_readable(paths: list[Path]) -> None:
    """Raise for a ledger that cannot be read, before anything is waited for."""
    for path in paths:
        if path.is_fifo():
            continue  # whoever writes into it would be gone
        with _opened(path):
            pass


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise HeadwaterError(f"ledger {path} cannot be read: {error.strerror}") from error


def _chunks(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        rest = b""
        while chunk := file.read(CHUNK_BYTES):
            whole, newline, rest_of_line = chunk.rpartition(b"\n")
            yield rest + whole + newline
            rest = rest_of_line
        yield rest


def _parse(chunk: bytes) -> pl.DataFrame:
    if not chunk.strip():
        return pl.DataFrame(schema=_LINE)
    try:
        return pl.read_ndjson(chunk, schema=_LINE)
    except pl.exceptions.PolarsError:
        return pl.DataFrame(list(_whole_lines(chunk)), schema=_LINE)


def _whole_lines(chunk: bytes) -> Iterator[dict[str, object]]:
    for line in chunk.splitlines():
        try:
            entry = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(entry, dict) and ("sha256" in entry or "kind" in entry):
            yield entry


def _latest(lines: pl.DataFrame) -> int:
    latest = lines.select(pl.max_horizontal(pl.max("sent_at"), pl.max("at"))).item()
    return int(latest or 0)


_NEEDED = {
    "who": "no device",
    "h1": "no sha256 of 64 hex digits",
    "h2": "no sha256 of 64 hex digits",
    "sent_at": "no sent_at in microseconds",
    "expect": f"an expect that is none of {', '.join(OUTCOMES)}",
}


def _check_whole(paths: list[Path], kind: str, frame: pl.DataFrame) -> None:
    """Raise for what no line of a kind may be without."""
    for column, lacks in _NEEDED.items():
        if column in frame.columns and frame[column].null_count():
            raise HeadwaterError(f"{', '.join(map(str, paths))}: a line `{kind}` has {lacks}")


def _digests(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(
        pl.col("sha256")
        .str.slice(0, 16)
        .str.to_integer(base=16, dtype=pl.UInt64, strict=False)
        .alias("h1"),
        pl.col("sha256")
        .str.slice(16, 16)
        .str.to_integer(base=16, dtype=pl.UInt64, strict=False)
        .alias("h2"),
    )


def _sent(lines: pl.DataFrame) -> pl.DataFrame:
    columns = lines.select(
        who("tenant", "device"),
        pl.col("boot").cast(pl.Categorical),
        "seq",
        "sent_at",
        "event_time",
        pl.col("expect").cast(OUTCOME, strict=False),
        pl.col("reason").cast(pl.Categorical),
    )
    return columns.hstack(_digests(lines))


def _again(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(who("tenant", "device")).hstack(_digests(lines))


def _labels(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(who("tenant", "device"), "metric", "kind", "from", "to")


def who(tenant: str, device: str) -> pl.Expr:
    """Return tenant and full name as one column."""
    whole = pl.concat_str(pl.col(tenant).fill_null("default"), pl.lit("/"), pl.col(device))
    return whole.cast(pl.Categorical).alias("who")
