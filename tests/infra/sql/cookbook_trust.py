"""Answers about whether the data can be trusted: late, rejected, doubled, missing, alerted."""

import math
from datetime import timedelta
from typing import Any

from tests.infra.sql.cookbook_answers import Answer, Known, Rows, Work, grouped, mean, null_last

COORDINATES = ("product", "topic", "partition", "offset", "item")
SECOND = timedelta(seconds=1)


def late(known: Known) -> Answer:
    first = known.day(7)
    messages = {
        (is_late, *(row[column] for column in COORDINATES))
        for is_late, rows in ((True, known.rows("silver.late")), (False, known.readings))
        for row in rows
        if row["event_date"] >= first
    }
    found: Answer = []
    for product in {key[1] for key in messages}:
        told = [key[0] for key in messages if key[1] == product]
        found.append((product, sum(told), len(told), 100 * sum(told) / len(told)))
    return sorted(found, key=lambda row: (-row[3], row[0]))


def delays(known: Known) -> Answer:
    """Add the sketches up; what they say must be within 1 % of the delays themselves."""
    gamma = 1.01 / 0.99
    found: Answer = []
    rows = [r for r in known.rows("ops.delivery_delay") if r["hour_date"] >= known.day(7)]
    for (product,), some in grouped(rows, "product").items():
        counts: dict[int, int] = {}
        for bucket, count in (entry for row in some for entry in row["sketch"].items()):
            counts[bucket] = counts.get(bucket, 0) + count
        ordered = [bucket for bucket, count in sorted(counts.items()) for _ in range(count)]
        quantiles = [
            2 * gamma ** ordered[math.ceil(q * len(ordered)) - 1] / (1 + gamma) / 1e6
            for q in (0.5, 0.95, 0.99)
        ]
        _hold(known, product, len(ordered), quantiles)
        found.append((product, len(ordered), *quantiles))
    return found


def _hold(known: Known, product: str, count: int, quantiles: list[float]) -> None:
    """Hold quantiles of sketches against those of the messages' own delays."""
    own = {
        (row["device_full"], row["seq"]): (row["received_at"] - row["event_time"]) / SECOND
        for row in known.readings
        if row["product"] == product and row["received_at"].date() >= known.day(7)
    }
    exact = sorted(own.values())
    assert len(exact) == count
    for q, said in zip((0.5, 0.95, 0.99), quantiles, strict=True):
        true = exact[math.ceil(q * count) - 1]
        assert abs(said - true) <= 0.0101 * true


def reasons(known: Known) -> Answer:
    broken = [
        {"product": row["product"], "device": row["device_full"], **reason}
        for row in known.rows("silver.rejected")
        if _is_recent(known, row)
        for reason in row["reasons"]
    ]
    found = [
        (*key, len(rows), len({row["device"] for row in rows}))
        for key, rows in grouped(broken, "product", "rule", "field").items()
    ]
    return sorted(found, key=lambda row: (-row[3], null_last(row[:3])))


def _is_recent(known: Known, row: dict[str, Any]) -> bool:
    return row["received_date"] is not None and row["received_date"] >= known.day(7)


def rejected(known: Known) -> Answer:
    recent = [row for row in known.rows("silver.rejected") if _is_recent(known, row)]
    told = sorted(
        (row for row in recent if row["reasons"]), key=lambda row: row["received_at"], reverse=True
    )
    return [
        (r["received_at"], r["device_full"], r["reasons"][0]["rule"], r["message"].decode())
        for r in told[:5]
    ]


def duplicates(known: Known) -> Answer:
    rows = [row for row in known.rows("ops.duplicates") if row["day"] >= known.day(7)]
    found = [
        (*key, *_sums(some, "duplicates", "conflicts"), len(some))
        for key, some in grouped(rows, "device_full").items()
    ]
    return sorted((r for r in found if r[1] + r[2]), key=lambda r: (-r[1], -r[2], r[0]))[:10]


def conserved(known: Known) -> Answer:
    figures = ("items", "readings", "late", "rejected", "duplicates", "conflicts", "difference")
    rows = [row for row in known.rows("ops.conservation") if row["hour_date"] >= known.day(7)]
    return [
        (*key, *_sums(some, *figures), all(row["holds"] for row in some))
        for key, some in grouped(rows, "hour_date").items()
    ]


def _sums(rows: Rows, *columns: str) -> list[int]:
    return [sum(row[column] for row in rows) for column in columns]


def alerts(known: Known) -> Answer:
    rows = [row for row in known.rows("gold.alerts") if row["opened_date"] >= known.day(7)]
    found: Answer = []
    for (rule,), some in grouped(rows, "rule").items():
        taken = [r["acknowledged_at"] - r["opened_at"] for r in some if r["acknowledged_at"]]
        over = [r["resolved_at"] - r["opened_at"] for r in some if r["resolved_at"]]
        means = [mean(span / SECOND for span in spans) for spans in (taken, over)]
        found.append((rule, len(some), len(taken), *means))
    return sorted(found, key=lambda row: (-row[1], row[0]))


TRUST: dict[str, Work] = {
    "Late by product": late,
    "Percentile of delivery delay": delays,
    "Rejected by reason": reasons,
    "What a rejected message said": rejected,
    "Duplicates by device": duplicates,
    "Whether every message is accounted for": conserved,
    "Alerts by rule": alerts,
}
