"""Answers about what is there now and what devices did."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby, pairwise

import pytest

from tests.infra.sql.cookbook_answers import HOUR, Answer, Known, Work, grouped, hour_of

FAR_S = 120
"""A test and a query may ask what time it is so many seconds apart."""


def last_values(known: Known) -> Answer:
    groups = grouped(filter(_says, known.told(1)), "device_full", "metric")
    return [
        (
            *key,
            rows[-1]["event_time"],
            *(rows[-1][f"value{kind}"] for kind in ("", "_text", "_bool")),
        )
        for key, rows in groups.items()
    ]


def ages(known: Known) -> Answer:
    told = [row for row in known.rows("bronze.messages") if row["product"] is not None]
    recent = [row for row in told if row["received_date"] >= known.day(7)]
    newest = {
        key[0]: max(row["received_at"] for row in rows)
        for key, rows in grouped(recent, "product").items()
    }
    ages = {name: (known.now - at).total_seconds() for name, at in newest.items()}
    return [(name, at, pytest.approx(ages[name], abs=FAR_S)) for name, at in newest.items()]


def silent(known: Known) -> Answer:
    last = {row["device_full"]: row["event_time"] for row in known.readings if _says(row)}
    now = {
        row["device_full"]: row["zone"] for row in known.rows("dim.devices") if not row["valid_to"]
    }
    quiet = [
        (last.get(name), name) for name in now if name not in last or last[name] < known.now - HOUR
    ]
    ordered = sorted(quiet, key=lambda each: (each[0] is not None, each))
    return [(name, now[name], at) for at, name in ordered]


def _says(row: dict[str, object]) -> bool:
    return any(row[column] is not None for column in ("value", "value_text", "value_bool"))


def gaps(known: Known) -> Answer:
    found: Answer = []
    for key, rows in grouped(filter(_says, known.told(9)), "device_full", "metric").items():
        ends = [*(row["event_time"] for row in rows[1:]), None]
        for row, until in zip(rows, ends, strict=True):
            since, up_to = row["event_time"], until or known.now
            if up_to - since > HOUR and up_to > known.midnight(2):
                found.append((*key, since, until, int((up_to - since).total_seconds())))
    widest = sorted(found, key=lambda gap: (-gap[4], *gap[:3]))[:20]
    return [gap if gap[3] else (*gap[:4], pytest.approx(gap[4], abs=FAR_S)) for gap in widest]


def missing(known: Known) -> Answer:
    rows = known.told(1, "temperature", until=0)
    slots = {
        key[0]: len({r["event_time_us"] // 1_800_000_000 for r in some if r["value"] is not None})
        for key, some in grouped(rows, "device_full").items()
    }
    ordered = sorted(slots.items(), key=lambda slot: (slot[1], slot[0]))
    return [(name, count, count / 48) for name, count in ordered]


def states(known: Known) -> Answer:
    hours: dict[tuple[str, str], float] = {}
    for (device,), rows in grouped(known.told(8, "state", until=0), "device_full").items():
        ends = [*(row["event_time"] for row in rows[1:]), known.midnight(0)]
        for row, end in zip(rows, ends, strict=True):
            key, since = (device, row["value_text"]), max(row["event_time"], known.midnight(1))
            if end > since:
                hours[key] = hours.get(key, 0) + (end - since) / HOUR
    assert {round(sum(each.values()), 6) for each in _by_device(hours)} == {24.0}
    return [(*key, spent) for key, spent in sorted(hours.items())]


def _by_device(hours: dict[tuple[str, str], float]) -> Iterable[dict[str, float]]:
    for device in {device for device, _ in hours}:
        yield {state: spent for (name, state), spent in hours.items() if name == device}


def high_runs(known: Known) -> Answer:
    found: Answer = []
    told = [row for row in known.told(7, "temperature") if row["value"] is not None]
    for (device,), rows in grouped(told, "device_full").items():
        for is_high, run in groupby(rows, lambda row: row["value"] > 23):
            for times in _unbroken([row["event_time"] for row in run]) if is_high else ():
                length_s = int((times[-1] - times[0]).total_seconds())
                found.append((device, times[0], times[-1], length_s, len(times)))
    return sorted(found, key=lambda run: (-run[3], run[0], run[1]))[:10]


def _unbroken(times: list[datetime]) -> list[list[datetime]]:
    """Cut times where one is more than an hour after the one before."""
    parts = [times[:1]]
    for a, b in pairwise(times):
        parts += [[]] if b - a > HOUR else []
        parts[-1].append(b)
    return parts


def rates(known: Known) -> Answer:
    used: dict[tuple[object, ...], tuple[float, float]] = {}
    for (device,), rows in grouped(known.told(8, "energy"), "device_full").items():
        for a, b in pairwise(rows):
            if b["event_time"] < known.midnight(1):
                continue
            kwh = b["value"] - a["value"] if b["value"] >= a["value"] else b["value"]
            key = (device, hour_of(b["event_time"]))
            before = used.get(key, (0.0, 0.0))
            used[key] = (before[0] + kwh, before[1] + (b["event_time"] - a["event_time"]) / HOUR)
    return [(*key, kwh, kwh / hours) for key, (kwh, hours) in sorted(used.items())]


def gold_sessions(known: Known) -> Answer:
    found = [
        (row["device_full"], row["metric"], row["window_start"], row["window_end"], row["count"])
        for row in known.rows("gold.sessions")
        if row["is_final"] and row["window_start"] >= known.now - timedelta(days=7)
    ]
    sized = [(*row[:4], int((row[3] - row[2]).total_seconds()), row[4]) for row in found]
    return sorted(sized, key=lambda row: (-row[4], *row[:3]))[:10]


def own_sessions(known: Known) -> Answer:
    found: Answer = []
    rooms = [row for row in known.told(2, "temperature") if row["product"] == "room"]
    for (device,), rows in grouped(rooms, "device_full").items():
        times = [row["event_time"] for row in rows]
        sessions = [[times[0]]]
        for a, b in pairwise(times):
            if b - a > timedelta(minutes=45):
                sessions.append([])
            sessions[-1].append(b)
        found += [(device, n, s[0], s[-1], len(s)) for n, s in enumerate(sessions, start=1)]
    return found


def places(known: Known) -> Answer:
    found: Answer = []
    rows = known.told(14, "temperature")
    for (device,), versions in grouped(known.rows("dim.devices"), "device_full").items():
        if len(versions) < 2:
            continue
        own = [row["event_time"] for row in rows if row["device_full"] == device]
        for each in sorted(versions, key=lambda version: version["valid_from"]):
            start, end = each["valid_from"], each["valid_to"]
            count = sum(1 for at in own if start <= at and (end is None or at < end))
            found.append((device, each["zone"], start, end, count))
    return found


DEVICES: dict[str, Work] = {
    "Last value of every device": last_values,
    "Age of the data": ages,
    "Devices that are silent": silent,
    "Gaps": gaps,
    "Readings that are missing": missing,
    "Time in state": states,
    "Longest time above a bound": high_runs,
    "Counter to rate": rates,
    "Sessions": gold_sessions,
    "Sessions by any gap": own_sessions,
    "Where a device was": places,
}
