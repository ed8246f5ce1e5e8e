"""What commits add and remove, from their own words: not the whole log is read again for each."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

MOST_COMMITS = 50
"""Of more at once the whole log is read."""
_MOVES_NOTHING = {"commitInfo", "txn", "cdc"}
_DATES = ("event_date", "window_period")
Action = Mapping[str, Any]


class Moved(NamedTuple):
    """Paths of files that are gone, and those that are there, flat as delta-rs has them."""

    version: int
    removed: frozenset[str]
    added: pa.Table


def moved(store: fs.FileSystem, folder: str, version: int) -> Moved | None:
    """Return what the commits after a version moved; None if that takes the whole log to say."""
    added, removed = dict[str, Action](), set[str]()
    for number in range(version + 1, version + 1 + MOST_COMMITS):
        try:
            with store.open_input_stream(f"{folder}/_delta_log/{number:020d}.json") as source:
                actions = [json.loads(line) for line in source.read().splitlines() if line]
        except FileNotFoundError:
            break
        for kind, action in (each for one in actions for each in one.items()):
            if kind not in ("add", "remove"):
                if kind not in _MOVES_NOTHING:
                    return None
                continue
            if action.get("deletionVector") is not None:
                return None
            path = unquote(action["path"])
            added.pop(path, None)
            if kind == "add":
                added[path] = action
            else:
                removed.add(path)
        version = number
    else:
        return None
    removed.update(added)
    return Moved(version, frozenset(removed), _flat(added))


def _flat(added: Mapping[str, Action]) -> pa.Table:
    rows = [dict(_named(action)) for action in added.values()]
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _named(action: Action) -> Iterator[tuple[str, object]]:
    said = json.loads(action.get("stats") or "{}")
    yield "path", action["path"]
    yield "modification_time", action["modificationTime"]
    yield "num_records", said.get("numRecords")
    for name, text in action["partitionValues"].items():
        is_date = name in _DATES and text
        yield f"partition.{name}", date.fromisoformat(text) if is_date else text or None
    for end in ("min", "max"):
        for name, value in said.get(f"{end}Values", {}).items():
            if isinstance(value, str | int):
                yield f"{end}.{name}", value
